"""Toy densities, and the two kinds of flows fitted to them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from shapegen.core.cnf import CNF, integrating
from shapegen.core.concatsquash import ConcatSquashField
from shapegen.core.flow_matching import matching_error, pair_by_transport, stratified_times
from shapegen.core.flows import Bijection, FlowDistribution
from shapegen.core.ode import Solver
from shapegen.core.vector_flow import coupling_flow
from shapegen.data.toy_densities import DENSITIES, Blobs, ToyDensity, grid, toy_density


@pytest.fixture(params=list(DENSITIES))
def density(request: pytest.FixtureRequest) -> ToyDensity:
    return toy_density(request.param)


def test_densities_add_up_to_one_and_draws_follow_them(
    density: ToyDensity, rng: torch.Generator
) -> None:
    points, cell = grid(density.reach, 240)
    probability = density.log_prob(points).exp() * cell
    assert float(probability.sum()) == pytest.approx(1, abs=2e-3)
    x = density.sample(20000, rng=rng)
    assert x.dtype == torch.float64
    assert x.abs().max() < density.reach
    # Shares of a coarse grid's cells, beside those of the draws: chi squared has one expected a
    # cell, with a standard deviation of the root of two over their number.
    coarse = _cells(points, density.reach)
    expected = 20000 * torch.zeros(144).double().index_add(0, coarse, probability)
    found = torch.bincount(_cells(x, density.reach), minlength=144).double()
    often = expected > 5
    chi = ((found - expected).square() / expected)[often].sum() / often.sum()
    assert float(chi) < 1 + 5 * math.sqrt(2 / int(often.sum()))


def _cells(x: Tensor, reach: float) -> Tensor:
    row, column = ((x / reach + 1) * 6).floor().long().clamp(0, 11).unbind(1)
    return 12 * row + column


def test_entropies_are_means_of_minus_the_log_density(
    density: ToyDensity, rng: torch.Generator
) -> None:
    nats = -density.log_prob(density.sample(20000, rng=rng))
    error = float(nats.std()) / math.sqrt(20000)
    assert float(nats.mean()) == pytest.approx(density.entropy(), abs=4 * error + 1e-9)


def test_known_entropies() -> None:
    # Eight Gaussians, the neighbours 6.1 deviations apart, overlap a little.
    apart = math.log(8) + math.log(2 * math.pi * math.e * 0.5**2 / 2)
    assert apart - 0.01 < toy_density("eight-gaussians").entropy() < apart
    assert toy_density("checkerboard").entropy() == math.log(32)
    one = Blobs(count=1, radius=1.0, radial=0.5, tangential=0.2, twist=0.9)
    # A twist leaves areas as they are.
    assert one.entropy() == pytest.approx(math.log(2 * math.pi * math.e * 0.1), abs=1e-4)


def test_unknown_names_are_told_the_choices() -> None:
    with pytest.raises(ValueError, match="unknown toy density `moons`; accepted: eight-gaussians"):
        toy_density("moons")


SPREAD = 2.0
"""Standard deviation of a coordinate of the densities that are fitted, about."""


def coupled(density: ToyDensity, steps: int, rng: torch.Generator) -> Bijection:
    """A coupling flow fitted by maximum likelihood."""
    torch.manual_seed(0)
    flow = coupling_flow(2, layers=10, hidden=(64, 64)).train()
    rate = 5e-3
    optimizer = torch.optim.Adam(flow.parameters(), rate, fused=True)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        x = (density.sample(512, rng=rng) / SPREAD).float()
        loss = -FlowDistribution(flow, (2,)).log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
    return flow.double().eval()


def continuous(density: ToyDensity, steps: int, rng: torch.Generator) -> Bijection:
    """A continuous flow fitted by flow matching."""
    torch.manual_seed(0)
    flow = CNF(ConcatSquashField(2, (64, 64, 64)), end_time=1.0, learn_end_time=False)
    optimizer = torch.optim.Adam(flow.parameters(), 1e-2, fused=True)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        data = (density.sample(512, rng=rng) / SPREAD).float()
        noise = torch.randn(512, 2, generator=rng)
        noise = pair_by_transport(noise.view(-1, 128, 2), data.view(-1, 128, 2), 128).view(512, 2)
        times = stratified_times(1, 512, like=data, rng=rng)[0]
        optimizer.zero_grad()
        matching_error(flow, data, noise, times).mean().backward()
        optimizer.step()
    return flow.double()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fit", "steps", "bound"),
    [
        pytest.param("two-moons", coupled, 300, 0.15, id="couplings"),
        pytest.param("eight-gaussians", continuous, 300, 0.15, id="continuous"),
    ],
)
def test_flows_come_near_the_entropy_and_integrate_to_one(
    name: str,
    fit: Callable[[ToyDensity, int, torch.Generator], Bijection],
    steps: int,
    bound: float,
    rng: torch.Generator,
) -> None:
    density = toy_density(name)
    flow = fit(density, steps, rng)
    distribution = FlowDistribution(flow, (2,))
    solver = Solver(atol=1e-4, rtol=1e-4)
    points, cell = grid(1.3 * density.reach, 160)
    x = density.sample(4000, rng=rng)
    with torch.no_grad(), integrating(flow, solver=solver):
        total = distribution.log_prob(points / SPREAD).exp().sum() * cell / SPREAD**2
        found = distribution.log_prob(x / SPREAD) - 2 * math.log(SPREAD)
    assert float(total) == pytest.approx(1, abs=0.01)
    # On the same draws, so that their distance from the entropy cancels.
    gap = float((density.log_prob(x) - found).mean())
    assert 0 < gap < bound, gap
