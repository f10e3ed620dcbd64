"""Every model can be trained in mixed precision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
from shapegen.core.concatsquash import ConcatSquashField
from shapegen.points.pointflow_networks import CloudEncoder

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
        ("disentangled", []),
        ("gan", []),
        ("gan", ["model.network=resnet", "model.condition=concatenation"]),
        ("infogan", []),
        ("progan", []),
        ("stylegan", []),
        ("began", []),
        ("voxelgan", []),
        ("pix2pix", ["data.holdout=2"]),
        ("cyclegan", ["data.holdout=2"]),
        ("chain", ["data.holdout=2"]),
        ("graf", []),
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


def test_what_flows_keep_in_full_precision() -> None:
    torch.manual_seed(0)
    encoder, field = CloudEncoder(4, (8,), (8,)).eval(), ConcatSquashField(3, (64, 64))
    with torch.no_grad():
        # Steep at x = 1, where the first layer is 0.
        field.layers[0].weight.mul_(500)
        field.layers[0].bias.copy_(-field.layers[0].weight.sum(1))
    x = torch.ones(1, 8, 3)
    with torch.autocast("cpu", torch.bfloat16):
        posterior = encoder(torch.randn(2, 16, 3))
        # The next number above 1 in bfloat16 is 1.0078.
        here, there = (field(torch.tensor(0.5), at) for at in (x, x + 2**-9))
    assert {each.dtype for each in (posterior.mean, posterior.logvar, here)} == {torch.float32}
    assert not torch.equal(here, there)
