"""The two networks of PixelCNN: two gated stacks without a blind spot, and masked residual blocks.

Both run on whole images, and row by row and pixel by pixel on what is kept of before.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shapegen.core.autoregressive import shifted
from shapegen.images.causal import (
    COLUMNS,
    ROWS,
    ColumnsConv,
    MaskedConv,
    MaskedRows,
    RowsConv,
    Window,
    pointwise,
)
from shapegen.images.labels import label_embedding

GATE_GAIN = 4.0
"""Of first weights after a gate. Torch's own and a gate leave a quarter of what differs among
pixels: after six layers of the vertical stack nothing would be left of the image."""


def gate(x: Float[Tensor, "batch double *places"]) -> Float[Tensor, "batch half *places"]:
    r"""Gated activation :math:`\tanh a \odot \sigma(b)` of the two halves of the channels.

    Reference: van den Oord et al., *Conditional Image Generation with PixelCNN Decoders*, 2016,
    equation 2, https://arxiv.org/abs/1606.05328.
    """
    # Copies: of a half, strided in memory, functions in bfloat16 take twice the time.
    a, b = (half.clone() for half in x.chunk(2, 1))
    return a.tanh() * b.sigmoid()


class Places(nn.Module):
    """A bias of every place: one of its row and one of its column.

    Convolutions do not know where they are; away from the border a digit is as likely to begin at
    the bottom as in the middle.

    Args:
        features: Channels.
        size: Height and width of images.

    Reference: van den Oord et al., 2016, section 2.3, a condition that depends on the location.
    """

    def __init__(self, features: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.of_row = nn.Parameter(torch.zeros(features, size[0], 1))
        self.of_column = nn.Parameter(torch.zeros(features, 1, size[1]))

    def forward(self) -> Float[Tensor, "features height width"]:
        """Of the whole image."""
        return self.of_row + self.of_column


class GatedLayer(nn.Module):
    """One layer of the two stacks.

    The vertical stack sees the rows above, all of them; the horizontal one the pixels to the left
    and, through the link, what the vertical one sees: together all that is before, with no blind
    spot. Both inputs are shifted once, before the first layer; the layers then see up to
    themselves.

    Reference: van den Oord et al., *Conditional Image Generation with PixelCNN Decoders*, 2016,
    sections 2.2 and 2.3, figure 2 and equation 4, https://arxiv.org/abs/1606.05328.

    Args:
        inputs: Channels of both stacks.
        features: Channels of both afterwards; where they are as many, the horizontal stack is
            added to its input.
        rows: That the vertical stack sees.
        kernel: Columns around its own that it sees.
        columns: That the horizontal stack sees.
        classes: Of labels.
        size: Of images, for a layer that knows places.
    """

    def __init__(
        self,
        inputs: int,
        features: int,
        *,
        rows: int,
        kernel: int,
        columns: int,
        classes: int,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.residual = inputs == features
        self.vertical = RowsConv(inputs, 2 * features, rows, kernel)
        self.link = nn.Conv2d(2 * features, 2 * features, 1)
        self.horizontal = ColumnsConv(inputs, 2 * features, columns, bias=False)
        self.out = nn.Conv2d(features, features, 1)
        self.label = label_embedding(classes, 4 * features)
        self.places = None if size is None else Places(4 * features, size)
        with torch.no_grad():
            self.vertical.conv.weight.mul_(GATE_GAIN if self.residual else 1)
            self.out.weight.mul_(GATE_GAIN / 2 if self.residual else GATE_GAIN)

    def forward(
        self,
        v: Float[Tensor, "batch inputs height width"],
        h: Float[Tensor, "batch inputs height width"],
        labels: Int[Tensor, "batch"] | None,
    ) -> tuple[
        Float[Tensor, "batch features height width"], Float[Tensor, "batch features height width"]
    ]:
        """Both stacks on whole images."""
        above = self.vertical(v)
        sums = self.horizontal(h) + self.link(above)
        if self.label is not None:
            of_v, of_h = self.label(labels)[..., None, None].chunk(2, 1)
            above, sums = above + of_v, sums + of_h
        if self.places is not None:
            of_v, of_h = self.places().chunk(2)
            above, sums = above + of_v, sums + of_h
        out = self.out(gate(sums))
        return gate(above), (h + out if self.residual else out)


class GatedNetwork(nn.Module):
    """A first layer of a large kernel, then layers of a small one.

    Args:
        channels: Of images.
        features: Of every layer.
        layers: After the first.
        first_kernel: Odd.
        kernel: Odd.
        classes: Of labels.
        size: Of images, for a first layer that knows places.
    """

    def __init__(
        self,
        channels: int,
        features: int,
        layers: int,
        *,
        first_kernel: int,
        kernel: int,
        classes: int,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        # The shift has taken one row and one column of the first layer's kernel.
        half = first_kernel // 2
        sizes: dict[str, Any] = {
            "rows": half,
            "kernel": first_kernel,
            "columns": half,
            "classes": classes,
        }
        first = GatedLayer(channels, features, **sizes, size=size)
        half = kernel // 2 + 1
        sizes = {"rows": half, "kernel": kernel, "columns": half, "classes": classes}
        others = [GatedLayer(features, features, **sizes) for _ in range(layers)]
        self.layers = nn.ModuleList([first, *others])

    def forward(
        self,
        pixels: Float[Tensor, "batch channels height width"],
        labels: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch features height width"]:
        """Features of what comes before every pixel."""
        v, h = shifted(pixels, ROWS), shifted(pixels, COLUMNS)
        for layer in self.layers:
            v, h = (x.contiguous(memory_format=torch.channels_last) for x in layer(v, h, labels))
        return h


class GatedEvaluation:
    """The gated network pixel by pixel.

    A new row is one row of every layer of the vertical stack, from the rows that are kept, and its
    link to the horizontal stack, for all columns. A new pixel is one pixel of every layer of the
    horizontal stack, from the columns that are kept.
    """

    def __init__(self, network: GatedNetwork, labels: Tensor | None) -> None:
        self._layers = [layer for layer in network.layers if isinstance(layer, GatedLayer)]
        self._rows = [Window(layer.vertical.rows) for layer in self._layers]
        self._labels: list[tuple[Tensor, ...] | None] = [
            None if layer.label is None else layer.label(labels).chunk(2, 1)
            for layer in self._layers
        ]
        self._columns: list[Window] = []
        self._sums: list[Tensor] = []
        self._places = [
            None if layer.places is None else layer.places().chunk(2) for layer in self._layers
        ]
        self._row = -1

    def begin_row(self, above: Tensor) -> None:
        """Be told the row above ``(n, channels, width)``."""
        self._columns = [Window(layer.horizontal.columns) for layer in self._layers]
        self._sums = []
        self._row += 1
        for layer, rows, label, places in zip(
            self._layers, self._rows, self._labels, self._places, strict=True
        ):
            v = layer.vertical.row(rows.push(above))  # (n, 2 F, W)
            sums = layer.link(v[:, :, None])[:, :, 0]
            if label is not None:
                of_v, of_h = (each[..., None] for each in label)
                v, sums = v + of_v, sums + of_h
            if places is not None:
                of_v, of_h = (each[:, self._row] for each in places)
                v, sums = v + of_v, sums + of_h
            above = gate(v)
            self._sums.append(sums)

    def pixel(self, left: Tensor, column: int) -> Tensor:
        """Features ``(n, features)`` of the next pixel."""
        h = left
        for layer, columns, sums in zip(self._layers, self._columns, self._sums, strict=True):
            own = layer.horizontal.pixel(columns.push(h)) + sums[:, :, column]
            out = pointwise(layer.out, gate(own))
            h = h + out if layer.residual else out
        return h


class MaskedBlock(nn.Module):
    """A residual block: half of the features through a masked convolution of type B.

    Reference: van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016,
    sections 3.3 and 3.5, figure 5, https://arxiv.org/abs/1601.06759. Labels are added inside, as
    in the gated layers.

    Args:
        features: Even.
        kernel: Odd.
        classes: Of labels.
    """

    def __init__(self, features: int, kernel: int, classes: int) -> None:
        super().__init__()
        half = features // 2
        self.enter = nn.Conv2d(features, half, 1)
        self.masked = MaskedConv(half, half, kernel, own=True)
        self.out = nn.Conv2d(half, features, 1)
        self.label = label_embedding(classes, half)

    def forward(
        self,
        x: Float[Tensor, "batch features height width"],
        labels: Int[Tensor, "batch"] | None,
    ) -> Float[Tensor, "batch features height width"]:
        """The block on whole images."""
        inner = self.masked(self.enter(x.relu()).relu())
        if self.label is not None:
            inner = inner + self.label(labels)[..., None, None]
        return x + self.out(inner.relu())


class MaskedNetwork(nn.Module):
    """A masked convolution of type A, then residual blocks of type B; it has a blind spot.

    What is up to the right and above, out of the reach of the kernels' rows, is not seen.

    Args:
        channels: Of images.
        features: Of every block.
        layers: Blocks.
        first_kernel: Odd.
        kernel: Odd.
        classes: Of labels.
    """

    def __init__(
        self,
        channels: int,
        features: int,
        layers: int,
        *,
        first_kernel: int,
        kernel: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.first = MaskedConv(channels, features, first_kernel, own=False)
        self.blocks = nn.ModuleList(MaskedBlock(features, kernel, classes) for _ in range(layers))

    def forward(
        self,
        pixels: Float[Tensor, "batch channels height width"],
        labels: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch features height width"]:
        """Features of what comes before every pixel."""
        x = self.first(pixels).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, labels)
        return x


class MaskedEvaluation:
    """The masked network pixel by pixel: what a row adds from above is computed once for it."""

    def __init__(self, network: MaskedNetwork, labels: Tensor | None) -> None:
        self._first = MaskedRows(network.first)
        self._blocks = [block for block in network.blocks if isinstance(block, MaskedBlock)]
        self._masked = [MaskedRows(block.masked) for block in self._blocks]
        self._labels = [
            None if block.label is None else block.label(labels) for block in self._blocks
        ]
        self._inner: list[list[Tensor]] = [[] for _ in self._blocks]

    def begin_row(self, above: Tensor) -> None:
        """Be told the row above ``(n, channels, width)``."""
        self._first.begin_row(above)
        for masked, inner in zip(self._masked, self._inner, strict=True):
            # Above the first row there is nothing: zeros, as around the image.
            shape = (len(above), masked.conv.left.conv.in_channels, above.shape[2])
            masked.begin_row(torch.stack(inner, 2) if inner else above.new_zeros(shape))
        self._inner = [[] for _ in self._blocks]

    def pixel(self, left: Tensor, column: int) -> Tensor:
        """Features ``(n, features)`` of the next pixel."""
        x = self._first.pixel(left, column)
        for block, masked, label, kept in zip(
            self._blocks, self._masked, self._labels, self._inner, strict=True
        ):
            kept.append(pointwise(block.enter, x.relu()).relu())
            inner = masked.pixel(kept[-1], column)
            if label is not None:
                inner = inner + label
            x = x + pointwise(block.out, inner.relu())
        return x
