"""Autoencoder of images: that it is principal components where it is linear, and better else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import shapegen
from shapegen.images.autoencoder import AutoencoderConfig, ImageAutoencoder, squared_error
from shapegen.images.images import Images
from shapegen.images.probes import cluster_figures, fine_tuned, neighbour_accuracy
from shapegen.metrics.image_figures import PcaImages
from tests.images.image_cases import blobs


def build(**changes: Any) -> ImageAutoencoder:
    torch.manual_seed(0)
    config = {"size": (8, 8), "latent_dim": 3, "hidden": (32,)} | changes
    return ImageAutoencoder(AutoencoderConfig(**config))


def fit(model: ImageAutoencoder, images: Images, out: Path, **changes: Any) -> ImageAutoencoder:
    settings = {"epochs": 60, "batch_size": 16, "learning_rate": 5e-3, "schedule": "cosine"}
    shapegen.fit(model, images, settings | changes, out=out, progress=False)
    return model.eval()


def test_squared_errors_are_of_brightness_and_whole_images() -> None:
    white, black = torch.ones(2, 1, 3, 4), -torch.ones(2, 1, 3, 4)
    assert squared_error(white, black).tolist() == [12, 12]


def test_a_linear_one_is_principal_components() -> None:
    images = blobs(64)
    model = build(hidden=())
    (objective,) = model.objectives()
    pixels = model.prepare(images)
    solver = torch.optim.LBFGS(model.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        loss, _ = objective.loss(pixels, 0)
        loss.backward()
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    found = float(objective.loss(pixels, 0)[0].detach())
    rows = pixels.flatten(1)
    values = torch.linalg.svdvals(rows - rows.mean(0)).square() / 4 / len(rows)
    # No linear code of this length leaves less.
    assert float(values[3:].sum()) * 0.9999 < found < float(values[3:].sum()) * 1.01


def test_layers_beat_principal_components(tmp_path: Path) -> None:
    images = blobs(192)
    model = fit(build(hidden=(64, 32)), images[:160], tmp_path, epochs=80)
    pca = PcaImages(images[:160].pixels, 3).reconstruct(images[160:].pixels)
    rival = float(squared_error(pca, images[160:].pixels).mean())
    assert model.figures(images[160:])["squared error"] < 0.7 * rival


def test_a_file_gives_the_same_samples(tmp_path: Path) -> None:
    model = fit(build(network="conv", hidden=(8, 16)), blobs(32), tmp_path / "run", epochs=2)
    shapegen.save(model, tmp_path / "a.safetensors")
    again = shapegen.load(tmp_path / "a.safetensors")
    a, b = (each.sample(3, rng=torch.Generator().manual_seed(1)) for each in (model, again))
    assert torch.equal(a.pixels, b.pixels)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latent_dim": 0}, "latent_dim must be at least 1; got 0"),
        ({"hidden": (0,)}, r"hidden must be widths of at least 1; got \[0\]"),
        ({"hidden": (), "network": "conv"}, "needs hidden channels; got none"),
        ({"blocks": -1}, "blocks must be at least 0; got -1"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AutoencoderConfig(**fields)


def test_an_encoder_that_knows_images_needs_fewer_labels(tmp_path: Path) -> None:
    """The label is the half in which the disc is; a fresh encoder has to find that out."""
    images = blobs(240)
    model = fit(build(latent_dim=2, hidden=(64,)), images[:140], tmp_path, epochs=80)
    few, rest = images[:20], images[140:]
    rng = torch.Generator().manual_seed(0)
    tuning: dict[str, Any] = {"epochs": 150, "learning_rate": 3e-3, "rng": rng}
    weights = [each.clone() for each in model.encoder.parameters()]
    known = fine_tuned(model.encoder, few, **tuning).accuracy(rest)
    fresh = fine_tuned(build(latent_dim=2, hidden=(64,)).encoder, few, **tuning).accuracy(rest)
    assert known > 0.75
    assert known > fresh - 0.02
    assert all(torch.equal(a, b) for a, b in zip(weights, model.encoder.parameters(), strict=True))
    with pytest.raises(ValueError, match="the images have none"):
        fine_tuned(model.encoder, Images(images.pixels))
    with pytest.raises(ValueError, match="at least two classes are needed; got 1"):
        fine_tuned(model.encoder, Images(images.pixels[:4], [0, 0, 0, 0]))


def test_neighbours_and_clusters_of_two_heaps() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    codes = torch.randn(60, 2, generator=rng) + 20 * labels[:, None]
    assert neighbour_accuracy(codes[:20], labels[:20], codes[20:], labels[20:]) == 1
    assert neighbour_accuracy(codes[:20], 1 - labels[:20], codes[20:], labels[20:]) == 0
    assert cluster_figures(codes, labels) == {"accuracy": 1.0, "nmi": 1.0}
    mixed = cluster_figures(torch.randn(60, 2, generator=rng), labels)
    assert mixed["accuracy"] < 0.75
    assert mixed["nmi"] < 0.2
