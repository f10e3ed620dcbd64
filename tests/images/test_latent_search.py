"""Latents of images without an encoder: what a model made is found again, and what it did not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

import shapegen
from shapegen.base import Autoencoder, Differentiable, LatentModel
from shapegen.cli import app
from shapegen.core.game import GameOptions
from shapegen.core.latent_projection import Projection, ProjectionOptions, project
from shapegen.core.seeding import seeded
from shapegen.data.image_sets import digits
from shapegen.images.gan import GAN, GANConfig
from shapegen.images.images import Images

MODELS: dict[str, dict[str, Any]] = {
    "gan": {"noise_dim": 4, "classes": 3, "hidden": [8, 16]},
    "infogan": {"noise_dim": 3, "categories": 3, "continuous": 1, "hidden": [8, 16]},
    "vae": {"latent_dim": 4, "hidden": [16, 32], "network": "conv"},
}


def searched(model: Any, targets: Tensor, **options: Any) -> Projection:
    rng = torch.Generator().manual_seed(2)
    return project(
        model.generate,
        targets,
        lambda n: model.sample_latent(n, rng=rng),
        ProjectionOptions(**options),
        choices=model.choices,
    )


@pytest.mark.parametrize("name", list(MODELS))
def test_latents_of_a_models_own_images_are_found(name: str) -> None:
    with seeded(0):
        model = shapegen.build(name, size=[8, 8], **MODELS[name]).eval()
    assert isinstance(model, Differentiable)
    assert isinstance(model, LatentModel)
    z = model.sample_latent(6, rng=torch.Generator().manual_seed(1))
    images = model.decode(z)
    torch.testing.assert_close(model.generate(z).detach(), images.pixels)
    assert torch.equal(model.targets(images), images.pixels)
    found = searched(model, images.pixels, prior=0.0, restarts=8)
    assert found.residuals.median() < 0.01 * found.nearest.median()
    near = (found.latents - z).norm(dim=1) < 0.1 * z.norm(dim=1)
    assert near.float().mean() >= 0.5
    # A choice stays one.
    chosen = found.latents[:, model.choices]
    assert set(chosen.flatten().tolist()) <= {0.0, 1.0}
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.fixture(scope="module")
def trained() -> GAN:
    """A GAN of digits after two hundred steps."""
    with seeded(0):
        sizes: dict[str, Any] = {"size": (8, 8), "noise_dim": 16, "hidden": (16, 32)}
        model = GAN(GANConfig(**sizes, game=GameOptions(r1=1.0, lazy=4)))
    batch = model.prepare(digits(1024))
    objectives = model.objectives(rng=torch.Generator().manual_seed(0))
    optimizers = [
        torch.optim.Adam(each.module.parameters(), 2e-3, (0.0, 0.99)) for each in objectives
    ]
    for step in range(200):
        part = batch[torch.arange(64) + 64 * (step % 16)]
        for objective, optimizer in zip(objectives, optimizers, strict=True):
            optimizer.zero_grad()
            objective.loss(part, step)[0].backward()
            optimizer.step()
    return model.eval()


def test_held_out_digits_are_nearer_than_the_nearest_of_many_samples(trained: GAN) -> None:
    """Less than half of the squared error of the best of 256 samples."""
    held_out = digits(20, start=1500).pixels
    found = searched(trained, held_out)
    assert (found.residuals < found.nearest).all()
    assert found.residuals.mean() < 0.5 * found.nearest.mean()
    rebuilt = trained.decode(found.latents).pixels
    torch.testing.assert_close((rebuilt - held_out).square().mean((1, 2, 3)), found.residuals)
    # The prior keeps latents where samples come from, 4 from the origin on average.
    assert found.latents.norm(dim=1).max() < 10


def test_features_of_a_module_can_be_compared(trained: GAN) -> None:
    held_out = digits(4, start=1500).pixels
    features = trained.discriminator.features
    rng = torch.Generator().manual_seed(2)
    found = project(
        trained.generate, held_out, lambda n: trained.sample_latent(n, rng=rng), features=features
    )
    pairs = [features(each).detach() for each in (trained.generate(found.latents), held_out)]
    errors = (pairs[0] - pairs[1]).square().flatten(1).mean(1)
    torch.testing.assert_close(found.residuals, errors)
    assert (found.residuals < 0.7 * found.nearest).all()


def test_the_command_projects_where_there_is_no_encoder(trained: GAN, tmp_path: Path) -> None:
    assert not isinstance(trained, Autoencoder)
    shapegen.save(trained, tmp_path / "gan.safetensors")
    digits(3, start=1500).write(tmp_path / "digits.npz")
    words = ["reconstruct", str(tmp_path / "gan.safetensors"), str(tmp_path / "digits.npz")]
    words += ["--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert "gan has no encoder and cannot reconstruct; --project finds latents" in refused.output
    done = CliRunner().invoke(app, [*words, "--project"])
    assert done.exit_code == 0, done.output
    rebuilt = Images.join([shapegen.read(tmp_path / "out" / f"{k:04}.png") for k in range(3)])
    error = (rebuilt.pixels - digits(3, start=1500).pixels).square().mean()
    assert error < 0.15  # of pixels that differ by .9 from those of other digits
    assert (tmp_path / "out" / "pairs.png").is_file()
