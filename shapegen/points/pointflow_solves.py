"""Solves of PointFlow's chains for what is reported and shown, and what they start from."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from shapegen.core.cnf import CNF, continuous, integrating
from shapegen.core.divergence import Exact
from shapegen.core.flows import Chain, FlowDistribution
from shapegen.core.noise import standard_normal
from shapegen.core.ode import TIGHT, Solver

CANDIDATES = 4


def exact_log_prob(
    flow: Chain, x: Tensor, context: Tensor | None = None, *, solver: Solver = TIGHT
) -> Tensor:
    """Log-density of events ``x`` in nats: double precision, running statistics, exact trace.

    Single precision cannot tell errors of 1e-7 from rounding, and steps would shrink to nothing.
    """
    precise = copy.deepcopy(flow).double().eval()
    with torch.no_grad(), integrating(precise, divergence=Exact(), solver=solver):
        return FlowDistribution(precise, (x.shape[-1],), context=context).log_prob(x)


def played(flow: Chain, noise: Tensor, context: Tensor, steps: int) -> list[Tensor]:
    """Frames of ``noise`` on its way to data, equally far apart in time.

    A frame is what the points would be if the continuous flows before it stood still: the first
    one is the noise, as the norms alone take it to data, and the last one the data.
    """
    layers = list(flow)
    count = len(continuous(flow))
    shares = [number * count / (steps - 1) for number in range(steps)]
    frames: list[Tensor] = []
    done = 0
    for number in reversed(range(len(layers))):
        layer = layers[number]
        if not isinstance(layer, CNF):
            noise = layer.generate(noise)
            continue
        final = done == count - 1
        own = [share - done for share in shares if done <= share and (final or share < done + 1)]
        *path, noise = layer.path(noise, context, [*(min(share, 1.0) for share in own), 1.0])
        for frame in path:
            for rest in reversed(layers[:number]):
                frame = frame if isinstance(rest, CNF) else rest.generate(frame)
            frames.append(frame)
        done += 1
    return frames


def first_within(
    shape: Sequence[int], bound: float, *, like: Tensor, rng: torch.Generator | None = None
) -> Tensor:
    """Truncated noise as the authors draw it: the first of four draws within ``bound``.

    Where none of them is, it is the very first: so a few entries lie outside.
    """
    drawn = standard_normal((*shape, CANDIDATES), like=like, rng=rng)
    chosen = (drawn.abs() < bound).byte().argmax(-1, keepdim=True)
    return drawn.gather(-1, chosen)[..., 0]
