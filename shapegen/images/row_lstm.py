"""Row LSTM: hidden states of a whole row from those of the row above.

Reference: van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016,
sections 3.1, 3.3 and 3.4, https://arxiv.org/abs/1601.06759.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shapegen.core.recurrent import lstm_update
from shapegen.images.causal import (
    ColumnsConv,
    MaskedConv,
    MaskedRows,
    RowsConv,
    Window,
    pointwise,
)
from shapegen.images.labels import label_embedding


class RowLSTMLayer(nn.Module):
    """A row at a time: a hidden state sees those around it in the row above.

    What it sees above is a triangle; pixels outside of it are a blind spot.

    Args:
        hidden_dim: Of the states; the layer's features are twice as many.
        kernel: Odd.
        classes: Of labels.
    """

    def __init__(self, hidden_dim: int, kernel: int, classes: int) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.from_input = ColumnsConv(2 * hidden_dim, 4 * hidden_dim, kernel // 2 + 1)
        self.from_above = RowsConv(hidden_dim, 4 * hidden_dim, 1, kernel, bias=False)
        self.out = nn.Conv2d(hidden_dim, 2 * hidden_dim, 1)
        self.label = label_embedding(classes, 4 * hidden_dim)

    def forward(
        self,
        x: Float[Tensor, "batch features height width"],
        labels: Int[Tensor, "batch"] | None,
    ) -> Float[Tensor, "batch features height width"]:
        """The layer on whole images, added to its input."""
        sums = self.from_input(x)
        if self.label is not None:
            sums = sums + self.label(labels)[..., None, None]
        hidden = cell = x.new_zeros(len(x), self.hidden_dim, x.shape[3]).to(sums)
        states = []
        for row in sums.unbind(2):
            hidden, cell = lstm_update(row + self.from_above.row(hidden[:, :, None]), cell)
            states.append(hidden)
        return x + self.out(torch.stack(states, 2))


class RowLSTMNetwork(nn.Module):
    """A masked convolution of type A, then layers of row LSTMs.

    Args:
        channels: Of images.
        hidden_dim: Of the states.
        layers: At least 1.
        first_kernel: Odd.
        kernel: Odd.
        classes: Of labels.
    """

    def __init__(
        self,
        channels: int,
        hidden_dim: int,
        layers: int,
        *,
        first_kernel: int,
        kernel: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.first = MaskedConv(channels, 2 * hidden_dim, first_kernel, own=False)
        self.layers = nn.ModuleList(
            RowLSTMLayer(hidden_dim, kernel, classes) for _ in range(layers)
        )

    def forward(
        self,
        pixels: Float[Tensor, "batch channels height width"],
        labels: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch features height width"]:
        """Features of what comes before every pixel."""
        x = self.first(pixels)
        for layer in self.layers:
            x = layer(x, labels)
        return x


class RowLSTMEvaluation:
    """The Row LSTM pixel by pixel."""

    def __init__(self, network: RowLSTMNetwork, labels: Tensor | None) -> None:
        self._first = MaskedRows(network.first)
        self._layers = [layer for layer in network.layers if isinstance(layer, RowLSTMLayer)]
        self._labels = [
            None if layer.label is None else layer.label(labels) for layer in self._layers
        ]
        self._states: list[list[tuple[Tensor, Tensor]]] = [[] for _ in self._layers]
        self._cells: list[Tensor] = []
        self._sums: list[Tensor] = []
        self._columns: list[Window] = []

    def begin_row(self, above: Tensor) -> None:
        """Be told the row above ``(n, channels, width)``."""
        self._first.begin_row(above)
        self._sums, self._cells = [], []
        for layer, states in zip(self._layers, self._states, strict=True):
            hidden, cell = row_of(states, above, layer.hidden_dim)
            self._sums.append(layer.from_above.row(hidden[:, :, None]))
            self._cells.append(cell)
        self._states = [[] for _ in self._layers]
        self._columns = [Window(layer.from_input.columns) for layer in self._layers]

    def pixel(self, left: Tensor, column: int) -> Tensor:
        """Features ``(n, features)`` of the next pixel."""
        x = self._first.pixel(left, column)
        for number, (layer, label) in enumerate(zip(self._layers, self._labels, strict=True)):
            sums = layer.from_input.pixel(self._columns[number].push(x))
            sums = sums + self._sums[number][:, :, column]
            if label is not None:
                sums = sums + label
            state = lstm_update(sums, self._cells[number][:, :, column])
            self._states[number].append(state)
            x = x + pointwise(layer.out, state[0])
        return x


def row_of(
    states: list[tuple[Tensor, Tensor]], like: Tensor, hidden_dim: int
) -> tuple[Tensor, Tensor]:
    """Hidden states and cells ``(n, hidden, width)`` of a row's pixels; zeros where none are.

    Args:
        states: Hidden state and cell of every column, or nothing.
        like: ``(n, ..., width)``.
        hidden_dim: Of a state.
    """
    if not states:
        zeros = like.new_zeros(len(like), hidden_dim, like.shape[2])
        return zeros, zeros
    hiddens, cells = zip(*states, strict=True)
    return torch.stack(hiddens, 2), torch.stack(cells, 2)
