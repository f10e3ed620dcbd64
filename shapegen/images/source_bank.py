"""A few images of the training data that a model keeps, to have something to translate."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.likelihoods import levels_of, pixels_of


class SourceBank(nn.Module):
    """Images in 256 levels, in the model's own file.

    Args:
        kept: How many, at most.
        channels: Of an image.
        size: Its height and width.
    """

    levels: Tensor
    count: Tensor

    def __init__(self, kept: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("levels", torch.zeros(kept, channels, *size, dtype=torch.uint8))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def fill(self, pixels: Float[Tensor, "n c h w"]) -> None:
        """Keep images that are spread evenly over some, in place of what was kept.

        Args:
            pixels: At least one image.
        """
        kept = min(len(self.levels), len(pixels))
        chosen = torch.arange(kept) * len(pixels) // kept
        self.levels[:kept] = levels_of(pixels[chosen]).to(self.levels)
        self.count.fill_(kept)

    def draw(
        self, n: int, *, like: Tensor, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Draw some of the images, each as often as any other.

        Args:
            n: How many.
            like: Gives the device and the precision.
            rng: Random stream.

        Raises:
            ValueError: ``n`` is below 1, or none are kept yet.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        count = int(self.count)
        if not count:
            raise ValueError(
                "samples are translations of images that training keeps, and there was none: "
                "train the model, or give images to translate"
            )
        device = None if rng is None else rng.device
        chosen = torch.randint(count, (n,), generator=rng, device=device).to(self.levels.device)
        return pixels_of(self.levels[chosen].long()).to(like)
