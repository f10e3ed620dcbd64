"""Convolutions that see rows up to one, or columns up to one; what is to come is in neither.

Each also runs on a window of what it has seen: sampling then computes a row, or a pixel, from
what is kept of those before it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.autoregressive import shifted

ROWS, COLUMNS = 2, 3
"""Axes of images."""


class RowsConv(nn.Module):
    """Sees ``rows`` rows down to its own, and ``columns`` columns around its own.

    Args:
        inputs: Channels.
        outputs: Channels.
        rows: At least 1.
        columns: Odd.
        bias: Whether there is one.
    """

    def __init__(
        self, inputs: int, outputs: int, rows: int, columns: int, *, bias: bool = True
    ) -> None:
        super().__init__()
        self.rows = rows
        self.conv = nn.Conv2d(inputs, outputs, (rows, columns), bias=bias)

    def forward(
        self, x: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Convolve the whole image; outside of it are zeros."""
        # Weights of zero below: padding the image at one side only would copy it twice a step.
        weight = functional.pad(self.conv.weight, (0, 0, 0, self.rows - 1))
        return functional.conv2d(x, weight, self.conv.bias, padding=_half(weight))

    def row(
        self, window: Float[Tensor, "batch inputs rows width"]
    ) -> Float[Tensor, "batch outputs width"]:
        """The last row, from the rows that it sees."""
        weight = self.conv.weight
        padding = (0, weight.shape[3] // 2)
        return functional.conv2d(window, weight, self.conv.bias, padding=padding)[:, :, 0]


class ColumnsConv(nn.Module):
    """Sees ``columns`` columns of its own row, up to its own.

    Args:
        inputs: Channels.
        outputs: Channels.
        columns: At least 1.
        bias: Whether there is one.
    """

    def __init__(self, inputs: int, outputs: int, columns: int, *, bias: bool = True) -> None:
        super().__init__()
        self.columns = columns
        self.conv = nn.Conv2d(inputs, outputs, (1, columns), bias=bias)

    def forward(
        self, x: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Convolve the whole image; outside of it are zeros."""
        weight = functional.pad(self.conv.weight, (0, self.columns - 1))
        return functional.conv2d(x, weight, self.conv.bias, padding=_half(weight))

    def pixel(
        self, window: Float[Tensor, "batch inputs columns"]
    ) -> Float[Tensor, "batch outputs"]:
        """The last pixel, from the columns that it sees."""
        return functional.linear(window.flatten(1), self.conv.weight.flatten(1), self.conv.bias)


class MaskedConv(nn.Module):
    """A masked convolution: the rows above, and the pixels to the left.

    It has no weights that a mask would hide. Type A leaves the pixel itself out, type B sees it.

    Reference: van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016,
    section 3.4, https://arxiv.org/abs/1601.06759.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Odd, at least 3.
        own: Whether a pixel sees itself: type B.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, own: bool) -> None:
        super().__init__()
        self.own = own
        self.above = RowsConv(inputs, outputs, kernel // 2, kernel)
        self.left = ColumnsConv(inputs, outputs, kernel // 2 + own, bias=False)

    def forward(
        self, x: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Convolve the whole image; outside of it are zeros."""
        left = x if self.own else shifted(x, COLUMNS)
        return self.above(shifted(x, ROWS)) + self.left(left)


class Window:
    """The last slices of what comes one after the other, zeros before the first.

    Args:
        size: Number of slices.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._slices: list[Tensor] = []

    def push(self, newest: Tensor) -> Tensor:
        """Slices ``(batch, channels, size, ...)``, the newest last.

        Args:
            newest: ``(batch, channels, ...)``.
        """
        if not self._slices:
            self._slices = [torch.zeros_like(newest)] * self.size
        self._slices = [*self._slices[1:], newest]
        return torch.stack(self._slices, 2)


class MaskedRows:
    """A masked convolution pixel by pixel: what a row adds from above is computed once for it."""

    def __init__(self, conv: MaskedConv) -> None:
        self.conv = conv
        self._rows = Window(conv.above.rows)
        self._columns = Window(conv.left.columns)
        self._sums = torch.empty(0)

    def begin_row(self, above: Tensor) -> None:
        """Be told the row above ``(n, inputs, width)``."""
        self._sums = self.conv.above.row(self._rows.push(above))
        self._columns = Window(self.conv.left.columns)

    def pixel(self, newest: Tensor, column: int) -> Tensor:
        """Outputs ``(n, outputs)`` of the next pixel, given the newest one that it sees."""
        return self.conv.left.pixel(self._columns.push(newest)) + self._sums[:, :, column]


def pointwise(layer: nn.Conv2d, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch out"]:
    """A convolution of kernel 1 on one pixel."""
    return functional.linear(x, layer.weight.flatten(1), layer.bias)


def _half(weight: Tensor) -> tuple[int, int]:
    return weight.shape[2] // 2, weight.shape[3] // 2
