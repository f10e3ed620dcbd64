"""A classifier of handwritten digits, trained on the spot: what counts the modes of stacked ones.

Figures that it gives are worth as much as it knows: its accuracy belongs beside them.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.nets import Brightness, halved
from shapegen.core.seeding import seeded
from shapegen.images.images import Images
from shapegen.images.stacked import CHANNELS, DIGITS, check_digits, reduced, spelled
from shapegen.images.warping import warped

WIDTHS = (16, 24, 32)
"""Channels of the first convolution, of the second, and of the two at half the size."""
CHUNK = 1024
AMOUNT, BEND = 0.08, 0.04
"""How far the digits are warped, and bent, in training."""


class DigitClassifier(nn.Module):
    """Two pairs of convolutions, each followed by the largest of every 2 x 2, and a linear layer.

    Args:
        size: Height and width of a digit.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        first, second, third = WIDTHS
        height, width = halved((size, size), 2)[-1]
        self.layers = nn.Sequential(
            Brightness(),
            *_convolution(1, first),
            *_convolution(first, second),
            nn.MaxPool2d(2, ceil_mode=True),
            *_convolution(second, third),
            *_convolution(third, third),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(third * height * width, DIGITS),
        )

    def forward(self, pixels: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 10"]:
        """Logits of the classes."""
        logits: Tensor = self.layers(pixels)
        return logits

    @torch.no_grad()
    def told(
        self, pixels: Float[Tensor, "n 1 h w"]
    ) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
        """The likeliest class of every digit, and its probability."""
        parts = [self(part).softmax(1).max(1) for part in pixels.split(CHUNK)]
        return torch.cat([part.indices for part in parts]), torch.cat(
            [part.values for part in parts]
        )

    def told_stacks(
        self, pixels: Float[Tensor, "n 3 h w"]
    ) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
        """The number that three channels spell, and the least probability of its digits."""
        classes, sure = self.told(pixels.reshape(-1, 1, *pixels.shape[2:]))
        return spelled(classes.view(-1, CHANNELS)), sure.view(-1, CHANNELS).amin(1)

    def accuracy(self, digits: Any) -> float:
        """Share of digits that are told right, brought to the classifier's size.

        Raises:
            TypeError: No images.
            ValueError: Digits that do not fit, or none.
        """
        images = Images.of(digits)
        labels = check_digits(images, self.size)
        if not len(images):
            raise ValueError("at least one digit is needed; got none")
        return float((self.told(reduced(images.pixels, self.size))[0] == labels).float().mean())


def fitted_classifier(
    digits: Any,
    size: int,
    *,
    epochs: int = 6,
    batch_size: int = 64,
    learning_rate: float = 4e-3,
    seed: int = 0,
) -> DigitClassifier:
    """Train a classifier of digits, warped anew every time that they are seen.

    They are warped at their own size and brought to the classifier's then, so that they are as
    sharp as those that it is to tell.

    Args:
        digits: As for :class:`~shapegen.images.stacked.StackedDigits`.
        size: Of the digits to tell, a divisor of these ones'.
        epochs: Passes over them.
        batch_size: Digits a step.
        learning_rate: Largest of AdamW, along one cycle.
        seed: Of weights, order and warps: the same gives the same classifier.

    Raises:
        TypeError: No images.
        ValueError: Digits that do not fit, or fewer than two.
    """
    images = Images.of(digits)
    labels = check_digits(images, size)
    if len(images) < 2:
        raise ValueError(f"at least two digits are needed; got {len(images)}")
    rng = torch.Generator().manual_seed(seed)
    batches = len(images) // min(batch_size, len(images))
    # Measuring is without gradients; this is not.
    with seeded(seed), torch.enable_grad():
        model = DigitClassifier(size).train()
        optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, learning_rate, total_steps=epochs * batches + 1, pct_start=0.15
        )
        for _ in range(epochs):
            # The last ones are left out where they make no whole batch: its norms would be rough.
            order = torch.randperm(len(images), generator=rng)
            for chosen in order.split(min(batch_size, len(images)))[:batches]:
                seen = warped(images.pixels[chosen], AMOUNT, bend=BEND, rng=rng)
                optimizer.zero_grad()
                functional.cross_entropy(model(reduced(seen, size)), labels[chosen]).backward()
                optimizer.step()
                schedule.step()
    return model.eval()


def _convolution(channels: int, out: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, out, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out), nn.ReLU()]
