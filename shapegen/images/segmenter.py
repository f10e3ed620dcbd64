"""A small network that finds parts in images, trained on images whose parts are known."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.noise import standard_normal
from shapegen.core.seeding import seeded

WIDTH, DILATIONS = 24, (1, 2, 4, 1)
CHUNK = 128
"""Images that are looked at at once."""


class Segmenter(nn.Module):
    """Convolutions at the whole size; what a pixel shows is told from 17 x 17 around it.

    Args:
        channels: Of an image.
        parts: To find.
    """

    def __init__(self, channels: int, parts: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = pairwise([channels, *[WIDTH] * len(DILATIONS)])
        for (before, after), dilation in zip(widths, DILATIONS, strict=True):
            layers.append(nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation))
            layers += [nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(WIDTH, parts, 1))

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n parts h w"]:
        """Logits."""
        logits: Tensor = self.layers(images)
        return logits

    @torch.no_grad()
    def masks(self, images: Float[Tensor, "n c h w"]) -> Bool[Tensor, "n parts h w"]:
        """Where parts, which may overlap, are more likely than not."""
        return torch.cat([self(part) > 0 for part in images.split(CHUNK)])

    @torch.no_grad()
    def labels(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, "n h w"]:
        """The likeliest part of every pixel, where each shows one."""
        return torch.cat([self(part).argmax(1) for part in images.split(CHUNK)])


def fitted_segmenter(
    images: Float[Tensor, "n c h w"],
    truth: Shaped[Tensor, "m *shape"],
    *,
    steps: int,
    batch_size: int = 16,
    learning_rate: float = 1e-2,
    noise: float = 0.0,
    seed: int = 0,
) -> Segmenter:
    """Train a segmenter; the same seed gives the same one.

    Args:
        images: At least one.
        truth: Where their parts are: masks ``(n, parts, h, w)`` of bool, which may overlap, or
            labels ``(n, h, w)`` of whole numbers from 0 on.
        steps: Of Adam, along a cosine to 0.
        batch_size: Images a step.
        learning_rate: At first.
        noise: Standard deviation of what is added to images: generated ones are not as clean.
        seed: Of weights, order and noise.

    Raises:
        ValueError: Not the parts of these images, or none.
    """
    overlap = truth.dtype == torch.bool
    sizes = (len(images), *images.shape[2:])
    if not len(images) or (len(truth), *truth.shape[2 if overlap else 1 :]) != sizes:
        raise ValueError(
            f"parts must be known of the images {tuple(images.shape)}, at least one; "
            f"got {tuple(truth.shape)}"
        )
    parts = truth.shape[1] if overlap else int(truth.max()) + 1
    loss = functional.binary_cross_entropy_with_logits if overlap else functional.cross_entropy
    with seeded(seed):
        model = Segmenter(images.shape[1], parts).to(images.device)
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    with torch.enable_grad():
        for _ in range(steps):
            chosen = torch.randint(len(images), (batch_size,), generator=rng).to(images.device)
            seen = images[chosen]
            if noise:
                seen = seen + noise * standard_normal(seen.shape, like=seen, rng=rng)
            wanted = truth[chosen]
            optimizer.zero_grad()
            loss(model(seen), wanted.to(seen.dtype) if overlap else wanted).backward()
            optimizer.step()
            schedule.step()
    return model.eval().requires_grad_(False)
