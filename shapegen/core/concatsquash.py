"""The multilayer perceptron of FFJORD and PointFlow, and its derivative along directions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.divergence import products
from shapegen.core.vector_field import VectorField

Activation = Literal["tanh", "relu", "softplus", "elu", "square", "identity"]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": functional.softplus,
    "elu": functional.elu,
    "square": torch.square,
    "identity": lambda x: x,
}
SAVED_NUMBERS = 2**23
"""Activations of one evaluation that are kept for its gradients; beyond, so many at a time are
computed, and again for the gradients."""


class ConcatSquashField(VectorField):
    r"""Layers that time and context scale by gates and shift.

    .. math:: h' = (W h + b) \odot \sigma(W_g [t, c] + b_g) + W_b [t, c]

    with an activation between the layers. The gates and shifts of all layers are one product, of
    which the context's part is computed once a solve.

    Args:
        dim: Of an event.
        hidden: Widths of the hidden layers.
        context_dim: Length of the context, 0 for none.
        activation: Between the layers.

    Reference: Grathwohl et al., *FFJORD*, 2019, appendix B.1; Yang et al., *PointFlow*, 2019,
    section 5.1.
    """

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int],
        *,
        context_dim: int = 0,
        activation: Activation = "tanh",
    ) -> None:
        super().__init__()
        widths = [dim, *hidden, dim]
        self.dim, self.context_dim, self.activation = dim, context_dim, activation
        self.layers = nn.ModuleList(
            nn.Linear(width, following) for width, following in itertools.pairwise(widths)
        )
        self.sizes = widths[1:]
        self.gate = nn.Linear(1 + context_dim, sum(self.sizes))
        self.shift = nn.Linear(1 + context_dim, sum(self.sizes), bias=False)

    def condition(self, context: Tensor | None) -> Tensor:
        """The context's part of all gates and shifts ``(batch or 1, 2 * widths)``."""
        if (0 if context is None else context.shape[-1]) != self.context_dim:
            raise ValueError(
                f"the context must be (batch, {self.context_dim}); "
                f"got {None if context is None else tuple(context.shape)}"
            )
        bias = torch.cat([self.gate.bias, torch.zeros_like(self.gate.bias)])
        if context is None:
            return bias[None]
        weight = torch.cat([self.gate.weight[:, 1:], self.shift.weight[:, 1:]])
        return torch.addmm(bias, context, weight.mT)

    def velocity(self, t: Tensor, x: Tensor, condition: Tensor | None) -> Tensor:
        """Velocity by autograd's own operations.

        In mixed precision the coordinates enter, and the velocity leaves, in their own: half of
        it would blur what is thinner than a hundredth.
        """
        gates, shifts = self._gates(t, condition)
        h = self._grouped(x, len(gates))
        act = ACTIVATIONS[self.activation]
        mixed = torch.is_autocast_enabled(x.device.type)
        for number, (layer, gate, shift) in enumerate(
            zip(
                self.layers,
                gates.split(self.sizes, 1),
                shifts.split(self.sizes, 1),
                strict=True,
            )
        ):
            with torch.autocast(x.device.type, enabled=mixed and number > 0):
                product = layer(h)
            gate, shift = (part.to(product.dtype)[:, None] for part in (gate, shift))
            h = torch.addcmul(shift, product, gate)
            if number < len(self.layers) - 1:
                h = act(h)
        return h.view(x.shape).to(x.dtype)

    def velocity_and_products(
        self, t: Tensor, x: Tensor, condition: Tensor | None, probes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Velocity and products: of tanh layers in one pass with a backward pass of its own."""
        if self.activation != "tanh":
            return products(lambda at: self.velocity(t, at, condition), x, probes)
        gates, shifts = self._gates(t, condition)
        weights = [layer.weight for layer in self.layers]
        biases = [layer.bias for layer in self.layers]
        groups = len(gates)
        tangents = probes.reshape(len(probes), groups, -1, self.dim).transpose(0, 1)
        rows = torch.cat([self._grouped(x, groups)[:, None], tangents], 1)
        propagate: Callable[..., Tensor] = _Propagate.apply
        out = propagate(rows, gates, shifts, *weights, *biases)
        return out[:, 0].reshape(x.shape), out[:, 1:].transpose(0, 1).reshape(probes.shape)

    def _gates(self, t: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gates and shifts of all layers ``(groups, widths)``."""
        assert condition is not None
        column = torch.cat([self.gate.weight[:, 0], self.shift.weight[:, 0]])
        both = condition + t.reshape(-1, 1) * column
        gates, shifts = both.chunk(2, 1)
        return gates.sigmoid(), shifts

    @staticmethod
    def _grouped(x: Tensor, groups: int) -> Tensor:
        """Events by the gates that they share: ``(groups, events, dim)``."""
        return x.reshape(groups, -1, x.shape[-1])


class _Propagate(torch.autograd.Function):
    r"""Tanh layers on events and on tangents at once, with a backward pass by hand.

    The rows are ``(groups, 1 + tangents, events, dim)``: first the events, then their tangents.
    With :math:`a = (m + b) \odot g + s`, :math:`m = W h` and :math:`h' = \tanh a` the tangents go
    by :math:`\dot h' = (1 - h'^2) \odot g \odot W \dot h`. Both are the same product of matrices,
    and so are their gradients: nothing but the layers' outputs is kept. The gradient of a gate
    needs no :math:`m`: with :math:`G = \bar a^T h` it is the row sum of :math:`G \odot W`, and
    :math:`b` times that of :math:`\bar a`.

    Many events are taken in parts, of which only the rows are kept.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, gates: Tensor, shifts: Tensor, *layers: Tensor) -> Tensor:
        """Outputs of the last layer, shaped like the rows."""
        with torch.autocast(rows.device.type, enabled=False):
            size = _part(rows, layers)
            if size >= rows.shape[2]:
                inputs, out = _forward(rows, gates, shifts, layers)
            else:
                inputs = [rows]
                parts = [_forward(part, gates, shifts, layers)[1] for part in rows.split(size, 2)]
                out = torch.cat(parts, 2)
        ctx.save_for_backward(gates, shifts, *layers, *inputs)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the rows' events, the gates, the shifts, the weights and the biases."""
        gates, shifts, *rest = ctx.saved_tensors
        depth = (len(ctx.needs_input_grad) - 3) // 2
        layers, inputs = rest[: 2 * depth], rest[2 * depth :]
        with torch.autocast(gates.device.type, enabled=False):
            if len(inputs) == depth:
                return _backward(grads[0], gates, layers, inputs)
            size = _part(inputs[0], layers)
            pairs = zip(grads[0].split(size, 2), inputs[0].split(size, 2), strict=True)
            found = [
                _backward(grad, gates, layers, _forward(rows, gates, shifts, layers)[0])
                for grad, rows in pairs
            ]
        of_rows, *of_weights = zip(*found, strict=True)
        return torch.cat(of_rows, 2), *(sum(each) for each in of_weights)


def _part(rows: Tensor, layers: Sequence[Tensor]) -> int:
    """How many events are taken at a time."""
    inputs = sum(weight.shape[1] for weight in layers[: len(layers) // 2])
    return max(1, SAVED_NUMBERS // (inputs * rows.shape[0] * rows.shape[1]))


def _forward(
    rows: Tensor, gates: Tensor, shifts: Tensor, layers: Sequence[Tensor]
) -> tuple[list[Tensor], Tensor]:
    depth = len(layers) // 2
    sizes = [len(bias) for bias in layers[depth:]]
    inputs: list[Tensor] = []
    for weight, bias, gate, shift in zip(
        layers[:depth], layers[depth:], gates.split(sizes, 1), shifts.split(sizes, 1), strict=True
    ):
        inputs.append(rows)
        rows = rows @ weight.mT
        gate, shift = gate[:, None], torch.addcmul(shift, gate, bias)[:, None]  # (groups, 1, out)
        events, tangents = rows[:, 0], rows[:, 1:]
        events.mul_(gate).add_(shift)
        if len(inputs) < depth:
            events.tanh_()
            tangents.mul_((gate - gate * events.square())[:, None])
        else:
            tangents.mul_(gate[:, None])
    return inputs, rows


def _backward(
    grad: Tensor, gates: Tensor, layers: Sequence[Tensor], inputs: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    depth = len(layers) // 2
    sizes = [len(bias) for bias in layers[depth:]]
    # By layer from the last to the first.
    of_gates, of_shifts, of_weights, of_biases = [], [], [], []
    grad = grad.contiguous()
    for number in reversed(range(depth)):
        weight, bias, h = layers[number], layers[depth + number], inputs[number]
        gate = gates.split(sizes, 1)[number]
        if number < depth - 1:
            out = inputs[number + 1]
            grad = _through_tanh(grad, out)
        of_shift = grad[:, 0].sum(1)
        outer = torch.bmm(grad.flatten(1, 2).mT, h.flatten(1, 2))  # (groups, out, in)
        of_gates.append((outer * weight).sum(2) + bias * of_shift)
        of_shifts.append(of_shift)
        of_weights.append(outer.mul_(gate[..., None]).sum(0))
        of_biases.append((gate * of_shift).sum(0))
        grad = (grad * gate[:, None, None]) @ weight
    return (
        grad,
        torch.cat(of_gates[::-1], 1),
        torch.cat(of_shifts[::-1], 1),
        *of_weights[::-1],
        *of_biases[::-1],
    )


def _through_tanh(grad: Tensor, out: Tensor) -> Tensor:
    r"""Gradients before ``tanh`` of events and tangents, in place of those after it.

    .. math:: \dot{\bar a} = (1 - h^2) \odot \dot{\bar h}, \qquad
              \bar a = (1 - h^2) \odot \bar h - 2 h \odot \sum \dot{\bar h} \odot \dot h
    """
    events, tangents = out[:, 0], out[:, 1:]
    second = (grad[:, 1:] * tangents).sum(1).mul_(events).mul_(2)
    grad *= (1 - events.square())[:, None]
    grad[:, 0] -= second
    return grad
