"""How the network of image features is trained, and how well it tells what it was trained for."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.feature_images import CLASSES, KINDS
from shapegen.core.noise import standard_normal
from shapegen.core.seeding import seeded
from shapegen.images.images import Images
from shapegen.metrics.feature_network import FEATURES, FeatureNetwork

BATCH, RATE, DECAY = 64, 4e-3, 1e-2
NOISE, BLUR = 0.6, 2.5
"""Largest standard deviations: of noise on pixels in [-1, 1], and of a blur in pixels."""
COARSE = 4
"""Height and width of the small image that is told from the features."""
CHUNK = 256


class Answers(NamedTuple):
    """What is told from the features of images."""

    classes: Tensor
    """Logits ``(n, classes)``."""
    damage: Tensor
    """``(n, 2)``: noise and blur as shares of the largest."""
    coarse: Tensor
    """``(n, 3 * COARSE**2)``: the image itself, small."""


class Pupil(nn.Module):
    """The network and three linear heads, which are dropped afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.network = FeatureNetwork()
        self.classes = nn.Linear(FEATURES, CLASSES)
        self.damage = nn.Linear(FEATURES, 2)
        self.coarse = nn.Linear(FEATURES, 3 * COARSE**2)

    def forward(self, images: Tensor) -> Answers:
        """What the heads tell of images in [-1, 1]."""
        features = self.network.pooled(images)
        return Answers(self.classes(features), self.damage(features), self.coarse(features))


def train(images: Images, *, steps: int, seed: int = 0) -> Pupil:
    """Train on images with classes; the same seed gives the same network on the same machine.

    Every batch is half of whole images and half of noisy or blurred ones. The class, the damage
    and the image in small are asked for, so that the features keep what it is, how clean it is,
    and its colours and their places.
    """
    assert images.labels is not None
    with seeded(seed):
        pupil = Pupil()
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < BATCH:
            order = torch.randperm(len(images), generator=rng)
        chosen, order = order[:BATCH], order[BATCH:]
        pixels, damage = damaged(images.pixels[chosen], rng)
        answers = pupil(pixels)
        coarse = functional.adaptive_avg_pool2d(pixels, COARSE).flatten(1)
        loss = (
            functional.cross_entropy(answers.classes, images.labels[chosen])
            + 4 * functional.mse_loss(answers.damage, damage)
            + 2 * functional.mse_loss(answers.coarse, coarse)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    pupil.eval()
    _standardise(pupil.network, images.pixels)
    return pupil


def damaged(
    pixels: Float[Tensor, "n 3 h w"], rng: torch.Generator
) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n 2"]]:
    """A quarter with noise, a quarter blurred, the rest as it is; and the shares of the most."""
    n = len(pixels)
    share = torch.rand(n, generator=rng)
    which = torch.arange(n) % 4
    damage = torch.stack([share * (which == 0), share * (which == 1)], 1)
    noise = standard_normal(tuple(pixels.shape), like=pixels, rng=rng)
    pixels = blurred(pixels, BLUR * damage[:, 1])
    return (pixels + NOISE * damage[:, 0, None, None, None] * noise).clamp(-1, 1), damage


def blurred(
    pixels: Float[Tensor, "n c h w"], deviations: Float[Tensor, " n"]
) -> Float[Tensor, "n c h w"]:
    """Images under a Gaussian, of a width of its own for every image; 0 leaves it as it is."""
    n, c = pixels.shape[:2]
    reach = math.ceil(3 * max(float(deviations.max()), 1e-3))
    place = torch.arange(-reach, reach + 1, dtype=pixels.dtype)
    weight = torch.exp(-0.5 * (place / deviations[:, None].clamp_min(1e-3)) ** 2)
    weight = (weight / weight.sum(1, keepdim=True)).repeat_interleave(c, 0)[:, None, :, None]
    rows = functional.pad(pixels.flatten(0, 1)[None], (reach,) * 4, mode="replicate")
    rows = functional.conv2d(rows, weight, groups=n * c)
    rows = functional.conv2d(rows, weight.transpose(2, 3), groups=n * c)
    return rows[0].view_as(pixels)


@torch.no_grad()
def held_out_figures(pupil: Pupil, images: Images, *, seed: int = 0) -> dict[str, float]:
    """Shares of images whose class is found, by kind, and how far off noise and blur are told."""
    assert images.labels is not None
    found = torch.cat([pupil(part).classes.argmax(1) for part in images.pixels.split(CHUNK)])
    right = (found == images.labels).double()
    figures, start = {"accuracy": float(right.mean())}, 0
    for kind, count in KINDS.items():
        own = (images.labels >= start) & (images.labels < start + count)
        figures[f"accuracy of {kind}"] = float(right[own].mean())
        start += count
    pixels, damage = damaged(images.pixels, torch.Generator().manual_seed(seed))
    told = torch.cat([pupil(part).damage for part in pixels.split(CHUNK)])
    errors = (told - damage).abs().mean(0) * torch.tensor([NOISE, BLUR])
    return figures | {"noise off by": float(errors[0]), "blur off by": float(errors[1])}


@torch.no_grad()
def _standardise(network: FeatureNetwork, pixels: Tensor) -> None:
    rows = torch.cat([network.pooled(part) for part in pixels.split(CHUNK)]).double()
    network.mean.copy_(rows.mean(0))
    # A feature that is never there would be divided by nothing.
    network.scale.copy_(rows.std(0).clamp_min(1e-3))
