"""Flow matching: pairs, times, and that the field it finds is the right one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from shapegen.core.cnf import CNF, integrating
from shapegen.core.concatsquash import ConcatSquashField
from shapegen.core.flow_matching import matching_error, pair_by_transport, stratified_times
from shapegen.core.flows import FlowDistribution
from shapegen.core.noise import truncated_normal
from shapegen.core.ode import TIGHT


def test_pairs_are_the_cheapest_in_each_group_and_nothing_is_lost(rng: torch.Generator) -> None:
    data, noise = torch.randn(2, 3, 10, 2, generator=rng)
    paired = pair_by_transport(noise, data, 4)
    cost = (paired - data).square().sum((-1, -2))
    assert (cost < (noise - data).square().sum((-1, -2))).all()
    for row in range(3):
        for first, last in ((0, 4), (4, 8), (8, 10)):
            part, whole = paired[row, first:last], noise[row, first:last]
            assert {tuple(x) for x in part.tolist()} == {tuple(x) for x in whole.tolist()}
            orders = torch.tensor(list(permutations(last - first)))
            costs = (whole[orders] - data[row, first:last]).square().sum((-1, -2))
            own = (part - data[row, first:last]).square().sum()
            torch.testing.assert_close(own, costs.min())
    assert torch.equal(pair_by_transport(noise, data, 1), noise)
    with pytest.raises(ValueError, match="at least one pair; got 0"):
        pair_by_transport(noise, data, 0)


def permutations(n: int) -> list[tuple[int, ...]]:
    import itertools

    return list(itertools.permutations(range(n)))


def test_times_fill_every_stratum(rng: torch.Generator) -> None:
    times = stratified_times(1000, 4, like=torch.zeros(1), rng=rng)
    assert torch.equal((4 * times).long(), torch.arange(4).expand(1000, 4))
    # A uniform time has standard deviation .289 in all and a quarter of it in a stratum.
    assert float(times[:, 0].std()) == pytest.approx(0.289 / 4, rel=0.05)


class Shift(ConcatSquashField):
    """The velocity that takes a point to itself plus one."""

    def velocity(self, t: Tensor, x: Tensor, condition: Tensor | None) -> Tensor:
        return torch.full_like(x, 2.0) + 0 * t.sum()


def test_the_error_is_zero_for_the_true_velocity_whatever_the_end_time() -> None:
    # From x to x + 1 in T = 1/2: the velocity is 2.
    flow = CNF(Shift(3, (4,)), end_time=0.5)
    data, times = torch.randn(2, 5, 3), torch.rand(2)
    error = matching_error(flow, data, data + 1, times)
    torch.testing.assert_close(error, torch.zeros(2, 5))
    torch.testing.assert_close(matching_error(flow, data, data, times), torch.ones(2, 5))


def test_matching_finds_a_gaussians_density(rng: torch.Generator) -> None:
    torch.manual_seed(0)
    flow = CNF(ConcatSquashField(2, (32, 32)), end_time=1.0, learn_end_time=False)
    mean, std = torch.tensor([0.5, -0.5]), torch.tensor([0.5, 1.5])
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 300)
        data = mean + std * torch.randn(256, 2, generator=rng)
        noise = torch.randn(256, 2, generator=rng)
        noise = pair_by_transport(noise[None], data[None], 32)[0]
        times = stratified_times(1, 256, like=data, rng=rng)[0]
        optimizer.zero_grad()
        matching_error(flow, data, noise, times).mean().backward()
        optimizer.step()
    test = mean + std * torch.randn(2000, 2, generator=rng)
    right = torch.distributions.Normal(mean, std).log_prob(test).sum(1)
    with torch.no_grad():
        found = FlowDistribution(flow, (2,)).log_prob(test)
    # Untrained, the gap is about .8 nats.
    assert 0 < float((right - found).mean()) < 0.03


EIGHT = torch.arange(8) * math.pi / 4
CENTRES = 4 / math.sqrt(2) * torch.stack([EIGHT.cos(), EIGHT.sin()], 1)
WIDTH = 0.5 / math.sqrt(2)
SPREAD = 2.0
"""Standard deviation of a coordinate, about: 2.03."""


def eight_gaussians(n: int, rng: torch.Generator) -> Tensor:
    chosen = torch.randint(8, (n,), generator=rng)
    return CENTRES[chosen] + WIDTH * torch.randn(n, 2, generator=rng)


def eight_log_prob(x: Tensor) -> Tensor:
    squared = (x[:, None] - CENTRES).square().sum(-1) / WIDTH**2
    normaliser = math.log(8) + math.log(2 * math.pi * WIDTH**2)
    return torch.logsumexp(-squared / 2, 1) - normaliser


def matched_to_eight(steps: int, batch: int, rng: torch.Generator) -> CNF:
    """A flow from the eight Gaussians, divided by their spread, to noise: no solve is needed."""
    torch.manual_seed(0)
    flow = CNF(ConcatSquashField(2, (64, 64, 64)), end_time=1.0, learn_end_time=False)
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        data = eight_gaussians(batch, rng) / SPREAD
        noise = torch.randn(batch, 2, generator=rng)
        rows = (noise.view(-1, 128, 2), data.view(-1, 128, 2))
        noise = pair_by_transport(*rows, 128).view(batch, 2)
        times = stratified_times(1, batch, like=data, rng=rng)[0]
        optimizer.zero_grad()
        matching_error(flow, data, noise, times).mean().backward()
        optimizer.step()
    return flow


@pytest.mark.parametrize(
    ("steps", "batch", "bound"),
    [
        # They came to .052 and .019, with standard errors of .004 and .003.
        pytest.param(500, 512, 0.1, id="quick"),
        pytest.param(1500, 1024, 0.03, id="long", marks=pytest.mark.slow),
    ],
)
def test_matching_reaches_the_eight_gaussians_entropy(
    steps: int, batch: int, bound: float, rng: torch.Generator
) -> None:
    flow = matched_to_eight(steps, batch, rng).double()
    x = eight_gaussians(2000, rng)
    with torch.no_grad(), integrating(flow, solver=TIGHT):
        found = FlowDistribution(flow, (2,)).log_prob(x.double() / SPREAD) - 2 * math.log(SPREAD)
    # Of the same draws, so that what these differ by from the entropy cancels.
    gap = float((eight_log_prob(x) - found).mean())
    assert 0 < gap < bound


def test_truncated_noise_is_the_normal_inside(rng: torch.Generator) -> None:
    drawn = truncated_normal((200_000,), 1.5, like=torch.zeros(1), rng=rng)
    assert float(drawn.abs().max()) <= 1.5
    free = torch.randn(400_000, generator=rng)
    inside = free[free.abs() < 1.5]
    for power in (1, 2, 4):
        assert float(drawn.pow(power).mean()) == pytest.approx(
            float(inside.pow(power).mean()), abs=0.01
        )
    with pytest.raises(ValueError, match="bound of a truncated normal must be above 0; got 0"):
        truncated_normal((1,), 0, like=drawn)
