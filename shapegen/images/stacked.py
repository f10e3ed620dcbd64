"""Stacked digits: images whose three channels are digits drawn at random, 1000 known modes.

Reference: Metz, Poole, Pfau and Sohl-Dickstein, *Unrolled Generative Adversarial Networks*, 2017,
section 3.3.1, https://arxiv.org/abs/1611.02163.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from shapegen.images.images import Images, Picture

if TYPE_CHECKING:
    from pathlib import Path

    from shapegen.scene import Scene

DIGITS = 10
CHANNELS = 3
MODES = DIGITS**CHANNELS


class StackedDigits(Sequence[Picture]):
    """Images of three digits, kept as the digits and their numbers.

    Models of images take it as they take images. The label is the number that the digits spell,
    0 to 999: red the hundreds, green the tens, blue the units.
    """

    digits: Images
    """Grey images with labels 0 to 9, which the stacks are made of."""
    numbers: Tensor
    """``(n, 3)`` int64: which digit is red, green and blue."""
    size: int
    """Height and width of an image."""

    def __init__(self, digits: Any, numbers: Any, size: int) -> None:
        """Take digits over.

        Args:
            digits: As :meth:`Images.of` takes them: grey, square, with labels 0 to 9.
            numbers: ``(n, 3)``.
            size: A divisor of the digits' size; pixels are means of squares.

        Raises:
            TypeError: No images.
            ValueError: Images in colour or not square, labels that are no digits, a size that
                divides not, or numbers of no digit.
        """
        self.digits = Images.of(digits)
        check_digits(self.digits, size)
        self.size = size
        self.numbers = torch.as_tensor(numbers).detach().to("cpu", torch.int64)
        if self.numbers.ndim != 2 or self.numbers.shape[1] != CHANNELS:
            raise ValueError(f"numbers must be (n, 3); got {tuple(self.numbers.shape)}")
        if len(self.numbers):
            low, high = int(self.numbers.min()), int(self.numbers.max())
            if low < 0 or high >= len(self.digits):
                raise ValueError(
                    f"numbers must be from 0 to {len(self.digits) - 1}; got {low} to {high}"
                )

    @classmethod
    def draw(
        cls, digits: Any, n: int, size: int, *, rng: torch.Generator | None = None
    ) -> StackedDigits:
        """Stack digits at random, every class of three equally likely.

        A class is drawn first and then a digit of it: how often a digit occurs in the file
        does not matter.

        Args:
            digits: As for the container, at least one of every class.
            n: Images.
            size: Of an image.
            rng: Of the draws.

        Raises:
            TypeError: No images.
            ValueError: None to draw, digits that do not fit or that lack a class.
        """
        if n < 1:
            raise ValueError(f"the number of images must be at least 1; got {n}")
        images = Images.of(digits)
        labels = check_digits(images, size)
        counts = torch.bincount(labels, minlength=DIGITS)
        if not bool(counts.all()):
            missing = torch.nonzero(counts == 0)[:, 0].tolist()
            raise ValueError(f"digits of all ten classes are needed; there are none of {missing}")
        classes = torch.randint(DIGITS, (n, CHANNELS), generator=rng)
        within = (torch.rand(n, CHANNELS, generator=rng) * counts[classes]).long()
        # Rounding must not lead out of a class.
        within = torch.minimum(within, counts[classes] - 1)
        first = counts.cumsum(0) - counts
        return cls(images, labels.argsort(stable=True)[first[classes] + within], size)

    @property
    def images(self) -> Images:
        """All of them as images in colour."""
        return Images(self.pixels, self.labels)

    @property
    def pixels(self) -> Float[Tensor, "n 3 h w"]:
        """In [-1, 1]."""
        return reduced(self.digits.pixels, self.size)[self.numbers][:, :, 0]

    @property
    def labels(self) -> Int[Tensor, "n"]:
        """The numbers that the digits spell."""
        assert self.digits.labels is not None
        return spelled(self.digits.labels[self.numbers])

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> StackedDigits: ...

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Picture | StackedDigits:
        if isinstance(index, int | np.integer):
            return StackedDigits(self.digits, self.numbers[index][None], self.size).images[0]
        if isinstance(index, slice):
            index = list(range(*index.indices(len(self))))
        chosen = torch.from_numpy(np.asarray(index, dtype=np.int64))
        return StackedDigits(self.digits, self.numbers[chosen], self.size)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.images)

    def __repr__(self) -> str:
        return f"StackedDigits({len(self)} of 3 x {self.size} x {self.size})"

    def to_scene(self) -> Scene:
        """A node an image."""
        return self.images.to_scene()

    def write(self, path: str | Path) -> None:
        """Write all images; see :meth:`Images.write`."""
        self.images.write(path)


def reduced(pixels: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
    """Means of squares of pixels.

    Args:
        pixels: Square images.
        size: A divisor of theirs.
    """
    return functional.avg_pool2d(pixels, pixels.shape[-1] // size)


def spelled(classes: Int[Tensor, "n 3"]) -> Int[Tensor, "n"]:
    """The numbers that hundreds, tens and units make."""
    return classes @ torch.tensor([DIGITS**2, DIGITS, 1], device=classes.device)


def check_digits(digits: Images, size: int) -> Int[Tensor, "n"]:
    """Labels of digits that can be stacked at a size.

    Args:
        digits: Grey, square, with labels 0 to 9.
        size: A divisor of theirs.

    Raises:
        ValueError: They are not.
    """
    if digits.labels is None:
        raise ValueError("digits need labels, 0 to 9; the images have none")
    channels, height, width = digits.pixels.shape[1:]
    if channels != 1 or height != width:
        raise ValueError(f"digits must be grey and square; got {channels} x {height} x {width}")
    if size < 1 or height % size:
        raise ValueError(f"size must divide that of the digits, {height}; got {size}")
    if len(digits) and int(digits.labels.max()) >= DIGITS:
        raise ValueError(f"labels of digits must be 0 to 9; got {int(digits.labels.max())}")
    return digits.labels
