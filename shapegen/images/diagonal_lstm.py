"""Diagonal BiLSTM: hidden states along the diagonals, from both sides.

Reference: van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016,
sections 3.2 to 3.4, https://arxiv.org/abs/1601.06759.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.autoregressive import shifted
from shapegen.core.recurrent import lstm_update
from shapegen.images.causal import ROWS, MaskedConv, MaskedRows, RowsConv, Window, pointwise
from shapegen.images.labels import label_embedding
from shapegen.images.row_lstm import row_of


class DiagonalLSTM(nn.Module):
    """States that see those to their left and above, along the diagonals.

    .. math:: s_{rc} = W x_{rc} + U_l h_{r,c-1} + U_a h_{r-1,c} + b

    Args:
        inputs: Features.
        hidden_dim: Of the states.
    """

    def __init__(self, inputs: int, hidden_dim: int) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.from_input = nn.Conv2d(inputs, 4 * hidden_dim, 1)
        self.from_left = nn.Linear(hidden_dim, 4 * hidden_dim, bias=False)
        self.from_above = nn.Linear(hidden_dim, 4 * hidden_dim, bias=False)

    def forward(
        self, sums: Float[Tensor, "batch gates height width"]
    ) -> Float[Tensor, "batch hidden height width"]:
        """Hidden states of whole images, all pixels of a diagonal at once.

        Args:
            sums: What the inputs add.
        """
        height, width = sums.shape[2:]
        skewed = _skewed(sums)  # (B, 4 h, H, H + W - 1)
        rows = torch.arange(height, device=sums.device)
        hidden = cell = sums.new_zeros(len(sums), self.hidden_dim, height)
        states = []
        for number, column in enumerate(skewed.unbind(3)):
            left, above = hidden.transpose(1, 2), shifted(hidden, 2).transpose(1, 2)
            both = self.from_left(left) + self.from_above(above)  # (B, H, 4 h)
            hidden, cell = lstm_update(column + both.transpose(1, 2), cell)
            # Left of the image there are no states: a row begins with zeros.
            inside = (rows <= number).to(hidden)
            hidden, cell = hidden * inside, cell * inside
            states.append(hidden)
        return _straight(torch.stack(states, 3), width)

    def step(
        self,
        sums: Float[Tensor, "batch gates"],
        left: tuple[Tensor, Tensor],
        above: Float[Tensor, "batch hidden"],
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
        """Hidden state and cell of one pixel.

        Args:
            sums: What the input adds.
            left: Hidden state and cell of the pixel to the left.
            above: Hidden state of the pixel above.
        """
        hidden, cell = left
        return lstm_update(sums + self.from_left(hidden) + self.from_above(above), cell)


class DiagonalLayer(nn.Module):
    """Two diagonal LSTMs: one from the left, and in the rows above one from the right.

    Args:
        hidden_dim: Of the states; the layer's features are twice as many.
        classes: Of labels.
    """

    def __init__(self, hidden_dim: int, classes: int) -> None:
        super().__init__()
        self.left = DiagonalLSTM(2 * hidden_dim, hidden_dim)
        self.right = DiagonalLSTM(2 * hidden_dim, hidden_dim)
        self.out = nn.Conv2d(hidden_dim, 2 * hidden_dim, 1)
        self.label = label_embedding(classes, 4 * hidden_dim)

    def forward(
        self,
        x: Float[Tensor, "batch features height width"],
        above: Float[Tensor, "batch features height width"],
        labels: Int[Tensor, "batch"] | None,
    ) -> Float[Tensor, "batch features height width"]:
        """The layer on whole images, added to its input.

        Args:
            x: Features of what comes before a pixel.
            above: Features of what is in the rows above.
            labels: Of the images.
        """
        sums, others = self.left.from_input(x), self.right.from_input(above)
        if self.label is not None:
            of_label = self.label(labels)[..., None, None]
            sums, others = sums + of_label, others + of_label
        hidden = self.left(sums) + self.right(others.flip(3)).flip(3)
        return x + self.out(hidden)


class DiagonalNetwork(nn.Module):
    """A masked convolution of type A, then layers of diagonal LSTMs from both sides.

    The authors feed the LSTM from the right with the features of the row above, of which none has
    seen that row's last pixel. The first layer's reads the row above itself: no pixel is unseen.

    Args:
        channels: Of images.
        hidden_dim: Of the states.
        layers: At least 1.
        first_kernel: Odd.
        classes: Of labels.
    """

    def __init__(
        self, channels: int, hidden_dim: int, layers: int, *, first_kernel: int, classes: int
    ) -> None:
        super().__init__()
        self.first = MaskedConv(channels, 2 * hidden_dim, first_kernel, own=False)
        self.above = RowsConv(channels, 2 * hidden_dim, first_kernel // 2, first_kernel)
        self.layers = nn.ModuleList(DiagonalLayer(hidden_dim, classes) for _ in range(layers))

    def forward(
        self,
        pixels: Float[Tensor, "batch channels height width"],
        labels: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch features height width"]:
        """Features of what comes before every pixel."""
        x, above = self.first(pixels), self.above(shifted(pixels, ROWS))
        for layer in self.layers:
            x = layer(x, above, labels)
            above = shifted(x, ROWS)
        return x


class DiagonalEvaluation:
    """The diagonal network pixel by pixel; with a row, the LSTMs from the right go through it."""

    def __init__(self, network: DiagonalNetwork, labels: Tensor | None) -> None:
        self._first, self._above = MaskedRows(network.first), network.above
        self._rows = Window(network.above.rows)
        self._layers = [layer for layer in network.layers if isinstance(layer, DiagonalLayer)]
        self._labels = [
            None if layer.label is None else layer.label(labels) for layer in self._layers
        ]
        self._features: list[list[Tensor]] = [[] for _ in self._layers]
        self._left: list[list[tuple[Tensor, Tensor]]] = [[] for _ in self._layers]
        self._right: list[list[tuple[Tensor, Tensor]]] = [[] for _ in self._layers]
        self._hidden_above: list[Tensor] = []

    def begin_row(self, above: Tensor) -> None:
        """Be told the row above ``(n, channels, width)``."""
        self._first.begin_row(above)
        inputs = [self._above.row(self._rows.push(above))]
        for layer, features in zip(self._layers[:-1], self._features[:-1], strict=True):
            zeros = above.new_zeros(len(above), 2 * layer.left.hidden_dim, above.shape[2])
            inputs.append(torch.stack(features, 2) if features else zeros)
        self._right = [
            self._from_right(number, row, self._right[number]) for number, row in enumerate(inputs)
        ]
        self._hidden_above = [
            row_of(states, above, layer.left.hidden_dim)[0]
            for layer, states in zip(self._layers, self._left, strict=True)
        ]
        self._left = [[] for _ in self._layers]
        self._features = [[] for _ in self._layers]

    def pixel(self, left: Tensor, column: int) -> Tensor:
        """Features ``(n, features)`` of the next pixel."""
        x = self._first.pixel(left, column)
        for number, (layer, label) in enumerate(zip(self._layers, self._labels, strict=True)):
            states = self._left[number]
            sums = pointwise(layer.left.from_input, x)
            sums = sums if label is None else sums + label
            before = states[-1] if column else _nothing(x, layer.left.hidden_dim)
            states.append(layer.left.step(sums, before, self._hidden_above[number][:, :, column]))
            hidden = states[-1][0] + self._right[number][column][0]
            x = x + pointwise(layer.out, hidden)
            self._features[number].append(x)
        return x

    def _from_right(
        self, number: int, row: Tensor, above: list[tuple[Tensor, Tensor]]
    ) -> list[tuple[Tensor, Tensor]]:
        """States of a row, computed from its last column to its first; the first stands first."""
        layer, label = self._layers[number], self._labels[number]
        sums = layer.right.from_input(row[:, :, None])[:, :, 0]
        state = nothing = _nothing(row, layer.right.hidden_dim)
        states = []
        for column in reversed(range(row.shape[2])):
            own = sums[:, :, column] if label is None else sums[:, :, column] + label
            state = layer.right.step(own, state, (above[column] if above else nothing)[0])
            states.append(state)
        return states[::-1]


def _skewed(x: Float[Tensor, "b c height width"]) -> Float[Tensor, "b c height diagonals"]:
    """Shift every row by one column more than the row above it: diagonals become columns."""
    height, width = x.shape[2:]
    padded = functional.pad(x, (0, height))  # (B, C, H, W + H)
    return padded.flatten(2)[..., :-height].unflatten(2, (height, width + height - 1))


def _straight(
    x: Float[Tensor, "b c height diagonals"], width: int
) -> Float[Tensor, "b c height width"]:
    """Undo :func:`_skewed`."""
    height = x.shape[2]
    padded = functional.pad(x.flatten(2), (0, height))
    return padded.unflatten(2, (height, width + height))[..., :width]


def _nothing(like: Tensor, hidden_dim: int) -> tuple[Tensor, Tensor]:
    zeros = like.new_zeros(len(like), hidden_dim)
    return zeros, zeros
