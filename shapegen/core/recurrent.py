r"""Recurrent networks: Elman's, and long short-term memory; several layers are a chain.

References: Elman, *Finding Structure in Time*, 1990; Hochreiter and Schmidhuber, *Long Short-Term
Memory*, 1997, with the forget gate of Gers, Schmidhuber and Cummins, *Learning to Forget*, 2000.
Weights have the names and layout of ``torch.nn.RNN`` and ``torch.nn.LSTM``: each takes the other's
state dict. Torch's are the faster for whole sequences; these show every step, and share
:func:`lstm_update` with models whose gates come from elsewhere.
"""

from __future__ import annotations

import math
from abc import ABC

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def lstm_update(
    gates: Float[Tensor, "batch gates *places"], cell: Float[Tensor, "batch hidden *places"]
) -> tuple[Float[Tensor, "batch hidden *places"], Float[Tensor, "batch hidden *places"]]:
    r"""Hidden state and cell after one step.

    .. math:: c' = \sigma(f) \odot c + \sigma(i) \odot \tanh g, \qquad
              h' = \sigma(o) \odot \tanh c'

    Args:
        gates: Before their activation, four times as many as cells: input i, forget f,
            candidate g, output o.
        cell: Before the step.
    """
    enter, forget, candidate, out = gates.chunk(4, 1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
    return out.sigmoid() * cell.tanh(), cell


class _Recurrent(nn.Module, ABC):
    """Weights of a chain of layers, from inputs and from hidden states to ``gates`` sums each."""

    def __init__(self, inputs: int, hidden_dim: int, layers: int, gates: int) -> None:
        super().__init__()
        for name, size in (("inputs", inputs), ("hidden_dim", hidden_dim), ("layers", layers)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1; got {size}")
        self.hidden_dim, self.layers = hidden_dim, layers
        bound = 1 / math.sqrt(hidden_dim)
        for layer in range(layers):
            shapes = {
                "weight_ih": (gates * hidden_dim, hidden_dim if layer else inputs),
                "weight_hh": (gates * hidden_dim, hidden_dim),
                "bias_ih": (gates * hidden_dim,),
                "bias_hh": (gates * hidden_dim,),
            }
            for name, shape in shapes.items():
                values = torch.empty(shape).uniform_(-bound, bound)
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(values))

    def _weights(self, kind: str, layer: int) -> tuple[Tensor, Tensor]:
        """Weight and bias of the inputs ``ih`` or of the hidden state ``hh``."""
        return (
            self.get_parameter(f"weight_{kind}_l{layer}"),
            self.get_parameter(f"bias_{kind}_l{layer}"),
        )

    def _zeros(self, x: Tensor) -> Tensor:
        return x.new_zeros(self.layers, len(x), self.hidden_dim)


class ElmanRNN(_Recurrent):
    r"""Elman's network: :math:`h_t = \tanh(W x_t + b + U h_{t-1} + c)`.

    Args:
        inputs: Numbers of one step.
        hidden_dim: Of every layer's state.
        layers: In a chain: each reads the states of the one before it.
    """

    def __init__(self, inputs: int, hidden_dim: int, *, layers: int = 1) -> None:
        super().__init__(inputs, hidden_dim, layers, gates=1)

    def forward(
        self,
        x: Float[Tensor, "batch steps inputs"],
        state: Float[Tensor, "layers batch hidden"] | None = None,
    ) -> tuple[Float[Tensor, "batch steps hidden"], Float[Tensor, "layers batch hidden"]]:
        """Hidden states of the last layer at every step, and of all layers after the last one.

        Args:
            x: Sequences, at least one step.
            state: Of all layers before the first step; None: zeros.
        """
        start = self._zeros(x) if state is None else state
        last = []
        for layer in range(self.layers):
            hidden, states = start[layer], []
            for sums in functional.linear(x, *self._weights("ih", layer)).unbind(1):
                hidden = (sums + functional.linear(hidden, *self._weights("hh", layer))).tanh()
                states.append(hidden)
            x = torch.stack(states, 1)
            last.append(hidden)
        return x, torch.stack(last)


class LSTM(_Recurrent):
    """Long short-term memory, :func:`lstm_update` at every step.

    Args:
        inputs: Numbers of one step.
        hidden_dim: Of every layer's hidden state, and of its cell.
        layers: In a chain: each reads the hidden states of the one before it.
    """

    def __init__(self, inputs: int, hidden_dim: int, *, layers: int = 1) -> None:
        super().__init__(inputs, hidden_dim, layers, gates=4)

    def forward(
        self,
        x: Float[Tensor, "batch steps inputs"],
        state: tuple[Float[Tensor, "layers batch hidden"], Float[Tensor, "layers batch hidden"]]
        | None = None,
    ) -> tuple[
        Float[Tensor, "batch steps hidden"],
        tuple[Float[Tensor, "layers batch hidden"], Float[Tensor, "layers batch hidden"]],
    ]:
        """Hidden states of the last layer at every step; hidden states and cells after the last.

        Args:
            x: Sequences, at least one step.
            state: Hidden states and cells of all layers before the first step; None: zeros.
        """
        start = (self._zeros(x), self._zeros(x)) if state is None else state
        last = []
        for layer in range(self.layers):
            (hidden, cell), states = (each[layer] for each in start), []
            for sums in functional.linear(x, *self._weights("ih", layer)).unbind(1):
                gates = sums + functional.linear(hidden, *self._weights("hh", layer))
                hidden, cell = lstm_update(gates, cell)
                states.append(hidden)
            x = torch.stack(states, 1)
            last.append((hidden, cell))
        hiddens, cells = zip(*last, strict=True)
        return x, (torch.stack(hiddens), torch.stack(cells))
