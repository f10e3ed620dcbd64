"""A coupling flow of vectors, for densities of a few dimensions and as a prior of codes."""

from __future__ import annotations

from collections.abc import Sequence

from shapegen.core.actnorm import ActNorm
from shapegen.core.coupling import AffineCoupling
from shapegen.core.coupling_nets import VectorNet
from shapegen.core.flows import Bijection, Chain
from shapegen.core.invertible_conv import InvertibleConv


def coupling_flow(
    dim: int, *, layers: int = 8, hidden: Sequence[int] = (64, 64), context_dim: int = 0
) -> Chain:
    """Steps of actnorm, mixed coordinates and an affine coupling: Glow for vectors.

    It takes the place of a continuous flow: vectors ``(*batch, dim)``, one log-determinant each,
    and a context ``(batch, context_dim)``.

    Args:
        dim: Of an event.
        layers: Number of steps.
        hidden: Widths of the couplings' networks.
        context_dim: Length of the context, 0 for none.

    Raises:
        ValueError: Fewer than two dimensions, or no layer.
    """
    if dim < 2 or layers < 1:
        raise ValueError(
            f"a coupling flow needs two dimensions and a layer; got {dim} and {layers}"
        )
    steps: list[Bijection] = []
    for number in range(layers):
        swap = bool(number % 2)
        passive = dim - dim // 2 if swap else dim // 2
        net = VectorNet(passive, 2 * (dim - passive), hidden, context_dim=context_dim)
        steps += [
            ActNorm(dim, event_ndim=1),
            InvertibleConv(dim, event_ndim=1),
            AffineCoupling(net, swap=swap, scale="tanh", event_ndim=1),
        ]
    return Chain(steps)
