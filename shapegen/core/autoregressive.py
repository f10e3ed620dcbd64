r"""Autoregressive models: every value given those before it.

.. math:: \log p(x) = \sum_t \log p(x_t \mid x_{<t})

A network scores all values at once from their shifted selves; a process draws them one by one.
Both must say the same: :func:`stepwise_log_prob` of a process is the oracle of a network's score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor

State = TypeVar("State")


def shifted(values: Tensor, dim: int, *, start: Tensor | float = 0.0) -> Tensor:
    """What is known where a value is predicted: the one before it along ``dim``.

    Args:
        values: At least one along ``dim``.
        dim: Axis of the order.
        start: What stands before the first one; it must fit where that is.
    """
    before = values.narrow(dim, 0, values.shape[dim] - 1)
    first = torch.zeros_like(values.narrow(dim, 0, 1)) + start
    return torch.cat([first.to(values.dtype), before], dim)


@runtime_checkable
class Predicted(Protocol):
    """A distribution of the next value: torch's, or another that knows its log-probabilities."""

    def log_prob(self, value: Tensor, /) -> Tensor:
        """In nats, a number for every number of the value."""
        ...


@runtime_checkable
class Process(Protocol[State]):
    """A model that is told one value after the other, the whole batch at once."""

    def start(self, n: int) -> State:
        """Before the first value of ``n`` sequences."""
        ...

    def predict(self, state: State) -> Predicted:
        """Of the next value; its batch shape begins with the sequences."""
        ...

    def advance(self, state: State, value: Tensor) -> State:
        """Be told the next value."""
        ...


@torch.no_grad()
def draw(
    process: Process[State],
    n: int,
    steps: int,
    choose: Callable[[Any], Tensor],
    *,
    given: Tensor | None = None,
    stop: Callable[[State], bool] | None = None,
) -> Tensor:
    """Draw ``n`` sequences of ``steps`` values ``(n, steps, ...)``, each given those before it.

    Args:
        process: Predicts the next value.
        n: Sequences.
        steps: Values of each.
        choose: A value from what is predicted: it holds the random stream, or takes the mode.
        given: The first values ``(n, at most steps, ...)``: told, not drawn.
        stop: Whether nothing is left to draw; it is asked before every value but the first.
    """
    state = process.start(n)
    values = [] if given is None else list(given[:, :steps].unbind(1))
    for number in range(steps):
        if number and stop is not None and stop(state):
            break
        if number >= len(values):
            values.append(choose(process.predict(state)))
        state = process.advance(state, values[number])
    return torch.stack(values, 1)


def stepwise_log_prob(process: Process[State], values: Tensor) -> Tensor:
    """Log-probability of sequences ``(n, steps, ...)`` in nats, one value a sequence."""
    state = process.start(len(values))
    total = torch.zeros(len(values), device=values.device)
    for value in values.unbind(1):
        total = total + process.predict(state).log_prob(value).flatten(1).sum(1).to(total)
        state = process.advance(state, value)
    return total


def influences(
    function: Callable[[Tensor], Tensor], inputs: Tensor
) -> Bool[Tensor, "outputs inputs"]:
    """Which inputs an output depends on, by gradients: what is causal has a triangle.

    A gradient that vanishes by chance hides an influence; random weights in double precision and
    smooth activations leave none to chance.

    Args:
        function: From ``(positions, ...)`` to ``(positions, ...)``.
        inputs: ``(positions, ...)``.
    """
    inputs = inputs.detach().requires_grad_()
    outputs = function(inputs)
    rows = []
    for output in outputs:
        (gradient,) = torch.autograd.grad(
            output.sum(), inputs, retain_graph=True, materialize_grads=True
        )
        rows.append(gradient.flatten(1).abs().sum(1) > 0)
    return torch.stack(rows)
