"""The discrete flow that PointFlow's likelihoods are compared with."""

import itertools
import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import coupling
from tests.points.pointflow_cases import clouds


@pytest.mark.slow
def test_a_coupling_flow_learns_clouds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "clouds.npz")
    np.savez(path, points=clouds(24).points.numpy())
    found = []
    for minutes in ("0.01", "1"):
        # A clock on which every step takes .6 seconds.
        clock = SimpleNamespace(
            monotonic=itertools.count(step=0.6).__next__, process_time=time.process_time
        )
        monkeypatch.setattr(coupling, "time", clock)
        coupling.main([path, path, "--minutes", minutes])
        found.append(json.loads(capsys.readouterr().out))
    before, after = found
    assert (before["steps"], after["steps"]) == (0, 99)
    assert after["nll"] < before["nll"] - 0.3
