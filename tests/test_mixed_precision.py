"""Every model can be trained in mixed precision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app

TINY = Path(__file__).resolve().parents[1] / "configs" / "tiny"
SHORT = (
    "data.count=12",
    "data.holdout=0",
    "data.validation=2",
    "train.epochs=1",
    "train.log_every=1",
    "train.tensorboard=false",
)


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ("grass", []),
        ("structurenet", []),
        ("partgeometry", []),
        ("pointflow", []),
        ("pointflow", ["model.objective=likelihood"]),
        ("autoencoder", []),
        ("vae", []),
        ("pixelcnn", []),
        ("pixelrnn", []),
        ("realnvp", []),
        ("glow", []),
        ("graphrnn", []),
        ("graphrnn", ["model.edges=independent"]),
        ("dgmg", []),
    ],
)
def test_the_first_loss_is_nearly_that_of_full_precision(
    config: str, fields: list[str], tmp_path: Path
) -> None:
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        out = tmp_path / precision
        words = ["train", str(TINY / f"{config}.yaml"), *SHORT, *fields, "--out", str(out)]
        done = CliRunner().invoke(app, [*words, f"train.precision={precision}"])
        assert done.exit_code == 0, done.output
        weights = shapegen.load(out).state_dict().values()
        floats = [each for each in weights if each.is_floating_point()]
        assert all(each.dtype == torch.float32 and each.isfinite().all() for each in floats)
        first = json.loads((out / "log.jsonl").read_text().splitlines()[0])
        losses.append(list(first.values())[2])
    full, mixed = losses
    assert mixed == pytest.approx(full, rel=0.05)
