"""Flow matching on a chain of continuous flows: no solve in a training step."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.cnf import CNF
from shapegen.core.flow_matching import matching_error, stratified_times
from shapegen.core.flows import Bijection, Chain
from shapegen.core.moving_norm import MovingBatchNorm


def chain_matching_error(
    chain: Chain,
    data: Float[Tensor, "rows events dim"],
    noise: Float[Tensor, "rows events dim"],
    times: Float[Tensor, "rows"],
    context: Tensor | None = None,
) -> Float[Tensor, "pairs"]:
    """Error of every flow of a chain on its share of the straight path from data to noise.

    The path is straight in what the first flow sees: data as the first norm standardises them.
    Of ``k`` flows each has a ``k``-th of it, which it sees through the norms before it. Norms are
    taken as they are, without gradients: one that is trained would shrink the error by shrinking
    the space. In training the first one's running statistics follow the data.

    Args:
        chain: As :func:`shapegen.points.pointflow_networks.build_flow` makes it.
        data: Events by rows.
        noise: The same number, each paired with the data at its place.
        times: Of every row, shares of the path from 0 to 1.
        context: One a row.

    Returns:
        Squared errors, mean over the dimensions, of all pairs.
    """
    flows = [number for number, layer in enumerate(chain) if isinstance(layer, CNF)]
    layers = list(chain)
    start, end = _ends(layers, flows[0], data, noise)
    errors = []
    for block, number in enumerate(flows):
        flow = layers[number]
        assert isinstance(flow, CNF)
        # A block's times, and its share of the path as the norms on the way show it.
        local = times * len(flows) - block
        own = (local >= 0) & ((local < 1) | (block == len(flows) - 1))
        if len(flows) > 1 and not own.any():
            continue
        ends = [start[own] + (end - start)[own] * (block + s) / len(flows) for s in (0, 1)]
        for layer in layers[flows[0] + 1 : number]:
            if isinstance(layer, MovingBatchNorm):
                ends = [_as_it_is(layer, each) for each in ends]
        some = None if context is None else context[own]
        errors.append(matching_error(flow, ends[0], ends[1], local[own], some).flatten())
    return torch.cat(errors)


@torch.no_grad()
def _ends(
    layers: list[Bijection], first: int, data: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Data and noise as the first flow sees them."""
    for layer in layers[:first]:
        data = layer(data)[0]
    for layer in reversed(layers[first:]):
        if isinstance(layer, MovingBatchNorm):
            noise = layer.inverse(noise)[0]
    return data, noise


@torch.no_grad()
def _as_it_is(norm: MovingBatchNorm, x: Tensor) -> Tensor:
    training = norm.training
    z: Tensor = norm.eval()(x)[0]
    norm.train(training)
    return z


def fix_for_matching(module: nn.Module) -> None:
    """Take from training what paths are measured by: their duration, and the space they are in."""
    for each in module.modules():
        if isinstance(each, MovingBatchNorm):
            each.requires_grad_(False)
        elif isinstance(each, CNF):
            each.root_end_time.requires_grad_(False)


def split_by_time(
    events: Float[Tensor, "batch events dim"],
    strata: int,
    *,
    rng: torch.Generator | None = None,
) -> tuple[Float[Tensor, "rows part dim"], Float[Tensor, "rows"]]:
    """Cut the events of every row into ``strata`` parts, each with a time of its own.

    Raises:
        ValueError: The number of events is no multiple of ``strata``.
    """
    batch, count, dim = events.shape
    if count % strata:
        raise ValueError(f"the points must be a multiple of the times {strata}; got {count}")
    times = stratified_times(batch, strata, like=events, rng=rng)
    return events.reshape(batch * strata, count // strata, dim), times.flatten()
