"""Images as sequences of numbers: row by row, in a pixel channel by channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.likelihoods import PixelDistribution
from shapegen.images.autoregressive_head import AutoregressiveHead


@runtime_checkable
class Evaluation(Protocol):
    """A network that is told images pixel by pixel, and computes what the next one needs."""

    def begin_row(self, above: Tensor) -> None:
        """Be told the row above ``(n, channels, width)``; zeros above the first one."""
        ...

    def pixel(self, left: Tensor, column: int) -> Tensor:
        """Features ``(n, features)`` of the next pixel, given the one to its left.

        Every column of every row is asked for, in order; ``left (n, channels)`` is zeros before
        the first.
        """
        ...


class FullPasses:
    """The whole network for every pixel: slow, and what every other evaluation must equal.

    Args:
        network: From pixels ``(n, channels, height, width)`` to features.
        n: Images.
        shape: Channels, height and width.
        like: A tensor of the network's kind.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        n: int,
        shape: tuple[int, int, int],
        *,
        like: Tensor,
    ) -> None:
        self._network = network
        self._pixels = like.new_zeros(n, *shape)
        self._row = -1

    def begin_row(self, above: Tensor) -> None:
        """Be told the row above."""
        if self._row >= 0:
            self._pixels[:, :, self._row] = above
        self._row += 1

    def pixel(self, left: Tensor, column: int) -> Tensor:
        """Features of the next pixel."""
        if column:
            self._pixels[:, :, self._row, column - 1] = left
        return self._network(self._pixels)[:, :, self._row, column]


@dataclass
class Drawing:
    """Images of which the first ``told`` numbers are known."""

    evaluation: Evaluation
    pixels: Tensor
    """``(n, channels, height, width)``, zeros where nothing is known."""
    told: int = 0
    features: Tensor = field(default_factory=lambda: torch.empty(0))
    """``(n, features)`` of the pixel at hand."""

    @property
    def place(self) -> tuple[int, int, int]:
        """Row, column and channel of the next number."""
        _, channels, _, width = self.pixels.shape
        pixel, channel = divmod(self.told, channels)
        return pixel // width, pixel % width, channel

    def evaluate(self) -> None:
        """Have the features of the pixel at hand."""
        row, column, channel = self.place
        if channel:
            return
        nothing = torch.zeros_like(self.pixels[:, :, 0, 0])
        if column == 0:
            above = self.pixels[:, :, row - 1]
            self.evaluation.begin_row(above if row else torch.zeros_like(above))
        left = self.pixels[:, :, row, column - 1] if column else nothing
        self.features = self.evaluation.pixel(left, column)


class PixelProcess:
    """A :class:`~shapegen.core.autoregressive.Process` of numbers ``(n, 1)`` in -1 to 1.

    Args:
        begin: An evaluation of ``n`` images from their first pixel on.
        head: From features to distributions.
        shape: Channels, height and width.
        like: A tensor of the network's kind.
    """

    def __init__(
        self,
        begin: Callable[[int], Evaluation],
        head: AutoregressiveHead,
        shape: tuple[int, int, int],
        *,
        like: Tensor,
    ) -> None:
        self._begin, self._head, self._shape, self._like = begin, head, shape, like

    def start(self, n: int) -> Drawing:
        """Nothing is known of ``n`` images."""
        state = Drawing(self._begin(n), self._like.new_zeros(n, *self._shape))
        state.evaluate()
        return state

    def predict(self, state: Drawing) -> PixelDistribution:
        """Of the next number."""
        row, column, channel = state.place
        known = state.pixels[:, :channel, row, column]
        return self._head.distribution(self._head.channel(state.features, known)[:, None])

    def advance(self, state: Drawing, value: Tensor) -> Drawing:
        """Be told the next number; the state is changed in place."""
        row, column, channel = state.place
        state.pixels[:, channel, row, column] = value[:, 0]
        state.told += 1
        if state.told < state.pixels[0].numel():
            state.evaluate()
        return state


def sequences(
    pixels: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch numbers 1"]:
    """Numbers of images in the order in which they are drawn."""
    return pixels.permute(0, 2, 3, 1).flatten(1)[..., None]


def images_of(
    values: Float[Tensor, "batch numbers 1"], shape: tuple[int, int, int]
) -> Float[Tensor, "batch channels height width"]:
    """The images that :func:`sequences` are of."""
    channels, height, width = shape
    return values.view(-1, height, width, channels).permute(0, 3, 1, 2)
