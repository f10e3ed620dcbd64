"""A small network that finds parts in images, trained on images whose parts are known."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.noise import standard_normal
from shapegen.core.seeding import seeded

CHUNK = 256


class Segmenter(nn.Module):
    """Convolutions at the image's own size, each seeing wider than the one before.

    Args:
        channels: Of an image.
        concepts: Parts to find.
        width: Channels between.
    """

    def __init__(self, channels: int, concepts: int, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(width, concepts, 1),
        )

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n concepts h w"]:
        """A logit for every part at every pixel: parts may overlap."""
        logits: Tensor = self.layers(pixels)
        return logits

    @torch.no_grad()
    def masks(self, pixels: Float[Tensor, "n c h w"]) -> Bool[Tensor, "n concepts h w"]:
        """Where parts are more likely than not."""
        return torch.cat([self(part) > 0 for part in pixels.split(CHUNK)])


def fitted_segmenter(
    pixels: Float[Tensor, "n c h w"],
    masks: Bool[Tensor, "m concepts *size"],
    *,
    steps: int = 300,
    batch_size: int = 16,
    learning_rate: float = 2e-2,
    noise: float = 0.1,
    seed: int = 0,
) -> Segmenter:
    """Train a segmenter.

    Args:
        pixels: Images.
        masks: Where their parts are.
        steps: Of Adam, along a cosine to 0.
        batch_size: Images a step.
        learning_rate: At first.
        noise: Standard deviation of what is added to pixels: generated images are not as clean.
        seed: Of weights, batches and noise.

    Raises:
        ValueError: Not one mask an image, or none.
    """
    if not len(pixels) or len(pixels) != len(masks) or pixels.shape[2:] != masks.shape[2:]:
        raise ValueError(
            f"masks must be of the images {tuple(pixels.shape)}, at least one; "
            f"got {tuple(masks.shape)}"
        )
    with seeded(seed):
        model = Segmenter(pixels.shape[1], masks.shape[1]).to(pixels.device)
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in range(steps):
        chosen = torch.randint(len(pixels), (batch_size,), generator=rng).to(pixels.device)
        seen = pixels[chosen]
        seen = seen + noise * standard_normal(seen.shape, like=seen, rng=rng)
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(
            model(seen), masks[chosen].to(seen.dtype)
        ).backward()
        optimizer.step()
        schedule.step()
    return model.eval()
