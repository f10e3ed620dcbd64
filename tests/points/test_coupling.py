"""The discrete flow that PointFlow's likelihoods are compared with."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import coupling
from tests.points.pointflow_cases import clouds


def test_a_coupling_flow_learns_clouds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "train.npz", points=clouds(24).points.numpy())
    np.savez(tmp_path / "val.npz", points=clouds(8, seed=1).points.numpy())
    found = []
    for minutes in ("1e-9", "0.1"):
        files = [str(tmp_path / "train.npz"), str(tmp_path / "val.npz")]
        coupling.main([*files, "--minutes", minutes])
        found.append(json.loads(capsys.readouterr().out))
    before, after = found
    assert before["steps"] < after["steps"]
    assert after["nll"] < before["nll"]
