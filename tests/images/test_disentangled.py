"""Disentangled VAE: the class in one code, everything else in the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import shapegen
from shapegen.images.disentangled import DisentangledConfig, DisentangledVAE, same_class
from shapegen.images.images import Images
from shapegen.images.probes import neighbour_accuracy

SMALL: dict[str, Any] = {
    "size": (8, 8),
    "classes": 2,
    "specified_dim": 2,
    "unspecified_dim": 3,
    "hidden": (32,),
}


def build(**changes: Any) -> DisentangledVAE:
    torch.manual_seed(0)
    return DisentangledVAE(DisentangledConfig(**(SMALL | changes))).eval()


def bars(n: int, seed: int = 0) -> Images:
    """A bright line at a random place: the class says which way it runs."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    pixels = -torch.ones(n, 1, 8, 8)
    for image, label, place in zip(
        pixels, labels, torch.randint(8, (n,), generator=rng), strict=True
    ):
        image.narrow(1 + int(label), int(place), 1).fill_(1.0)
    return Images(pixels, labels)


def test_partners_are_others_of_the_same_class() -> None:
    labels = torch.tensor([0, 1, 0, 2, 1, 0])
    seen = torch.zeros(6, 6, dtype=torch.bool)
    rng = torch.Generator().manual_seed(0)
    for _ in range(50):
        seen[torch.arange(6), same_class(labels, rng=rng)] = True
    expected = labels[:, None] == labels
    # Alone of its class, an image is its own partner.
    expected &= ~torch.eye(6, dtype=torch.bool) | (labels == 2).diag()
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_each_objective_reaches_the_weights_of_its_module(network: Any) -> None:
    model = build(network=network, hidden=(8, 16)).train()
    batch = model.prepare(bars(6))
    for objective in model.objectives(rng=torch.Generator().manual_seed(0)):
        model.zero_grad()
        loss, terms = objective.loss(batch, 0)
        loss.backward()
        for name, weight in objective.module.named_parameters():
            assert weight.grad is not None, (objective.name, name)
        assert all(term.isfinite() for term in terms.values())


def test_the_class_is_in_one_code_and_the_place_in_the_other(tmp_path: Path) -> None:
    model = build()
    images, fresh = bars(256), bars(128, seed=1)
    settings = {"epochs": 60, "batch_size": 32, "learning_rate": 3e-3}
    shapegen.fit(model, images, settings, out=tmp_path, progress=False)
    known, found = model.encode(images), model.encode(fresh)
    assert images.labels is not None
    assert fresh.labels is not None

    def told(part: slice) -> float:
        return neighbour_accuracy(found[:, part], fresh.labels, known[:, part], images.labels)

    assert told(slice(0, 2)) > 0.95
    # One half is chance.
    assert told(slice(2, 5)) < 0.75
    # A swap shows the line of the first class at the place of the second.
    swapped = model.swap(fresh[0:64], fresh[1:65])
    right = neighbour_accuracy(
        swapped.pixels.flatten(1), fresh.labels[:64], fresh.pixels.flatten(1), fresh.labels
    )
    assert right > 0.9


def test_bad_input_is_refused() -> None:
    model = build()
    with pytest.raises(ValueError, match="images need labels; got none"):
        model.prepare(Images(bars(2).pixels))
    with pytest.raises(ValueError, match="labels must be from 0 to 1; got 0 to 5"):
        model.prepare(Images(bars(2).pixels, [0, 5]))
    with pytest.raises(ValueError, match="must be as many; got 2 and 3"):
        model.swap(bars(2), bars(3))
    with pytest.raises(ValueError, match="classes must be at least 2; got 1"):
        DisentangledConfig(classes=1)
