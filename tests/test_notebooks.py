"""The notebooks run from the first line to the last, and leave their pictures."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parents[1] / "viewers" / "notebooks"
PICTURES = {
    "autoencoder": {"reconstructions.png", "plane.png", "noise_decoded.png"},
    "variational_autoencoder": {"manifold.png", "plane.png", "walk_and_samples.png"},
}


def test_every_notebook_is_run() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} == set(PICTURES)


@pytest.mark.parametrize("name", list(PICTURES))
def test_a_notebook_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["notebook", "--out", str(tmp_path), "--epochs", "5"])
    monkeypatch.delenv("SHAPEGEN_DATA", raising=False)
    runpy.run_path(str(NOTEBOOKS / f"{name}.py"))
    assert PICTURES[name] <= {path.name for path in tmp_path.glob("*.png")}
    for picture in PICTURES[name]:
        # Something is to be seen.
        assert np.asarray(Image.open(tmp_path / picture)).std() > 10
    assert "nearest codes in the plane: 0." in capsys.readouterr().out
