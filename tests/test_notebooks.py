"""The notebooks run from the first line to the last, and leave their pictures."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parents[1] / "viewers" / "notebooks"
PICTURES = {
    "divergences": {"divergences.png"},
    "gan": {
        "best_discriminator.png",
        "losses.png",
        "dirac.png",
        "vanishing.png",
        "ring.png",
    },
    "autoencoder": {"reconstructions.png", "plane.png", "noise_decoded.png"},
    "variational_autoencoder": {"manifold.png", "plane.png", "walk_and_samples.png"},
}

ORDER = ("KL(q, p)", "JS(p, q)", "KL(p, q)")


def test_every_notebook_is_run() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} == set(PICTURES)


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Any]:
    monkeypatch.setattr(sys, "argv", ["notebook", "--out", str(folder), *words])
    monkeypatch.delenv("SHAPEGEN_DATA", raising=False)
    left = runpy.run_path(str(NOTEBOOKS / f"{name}.py"))
    assert PICTURES[name] <= {path.name for path in folder.glob("*.png")}
    for picture in PICTURES[name]:
        # Something is to be seen.
        assert np.asarray(Image.open(folder / picture)).std() > 10
    return left


@pytest.mark.parametrize("name", ["autoencoder", "variational_autoencoder"])
def test_a_notebook_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(name, tmp_path, monkeypatch, "--epochs", "5")
    assert "nearest codes in the plane: 0." in capsys.readouterr().out


def test_the_game_as_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = run("gan", tmp_path, monkeypatch, "--steps", "20")
    # A trained discriminator is that of the densities, where there are samples.
    assert left["apart"] < 0.05
    # Samples that only have to be likely are one point.
    assert left["alone"] < 1e-3
    # (1 - D) / D at D = .01.
    assert left["ratio"] == pytest.approx(99)
    # The plain game leaves its equilibrium, the cured ones reach it.
    assert left["ends"]["plain game"] > 2**0.5
    assert left["ends"]["R1, gamma .3"] < 0.05
    assert left["ends"]["consensus, .6"] < 0.05
    assert set(left["results"]) == {"plain", "saturating", "R1"}


def test_divergences_fit_what_they_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run("divergences", tmp_path, monkeypatch)["found"]
    # KL(p, q) matches the target's moments: three quarters at -2, the rest at 2, each 0.6 wide.
    mean = 0.75 * -2 + 0.25 * 2
    sd = (4 + 0.36 - mean**2) ** 0.5
    assert found["KL(p, q)"] == pytest.approx((mean, sd), abs=1e-2)
    # KL(q, p) takes one peak as it is; JS lies between the two.
    assert found["KL(q, p)"] == pytest.approx((-2, 0.6), abs=2e-2)
    for reverse, between, forward in zip(*(found[n] for n in ORDER), strict=True):
        assert reverse + 0.05 < between < forward - 0.05
