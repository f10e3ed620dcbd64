"""Laws of changes of variables: inverse, volume, one unit of probability."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from shapegen.core.cnf import CNF, integrating
from shapegen.core.concatsquash import ConcatSquashField
from shapegen.core.flows import Bijection, Chain, FlowDistribution, standard_normal_log_prob
from shapegen.core.moving_norm import MovingBatchNorm
from shapegen.core.ode import TIGHT, Solver
from shapegen.core.vector_field import NetworkField


class Shear(Bijection):
    """A discrete flow of images: a nonlinear shear, then a scale."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        z = 3 * torch.cat([a, b + a.sin()], 1)
        return z, x.new_full((len(x),), x[0].numel() * math.log(3))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        a, b = (z / 3).chunk(2, 1)
        x = torch.cat([a, b - a.sin()], 1)
        return x, z.new_full((len(z),), -z[0].numel() * math.log(3))


class Swirl(nn.Module):
    """A network for :class:`NetworkField`."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None) -> Tensor:
        return torch.sin(self.layer(x) + t)


def moving(channels: int) -> MovingBatchNorm:
    norm = MovingBatchNorm(channels)
    nn.init.normal_(norm.log_scale, std=0.3)
    nn.init.normal_(norm.bias)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return norm


def continuous_flow(dim: int = 3, context_dim: int = 0) -> CNF:
    field = ConcatSquashField(dim, (9, 8), context_dim=context_dim)
    for parameter in field.parameters():
        nn.init.normal_(parameter, std=0.6)
    return CNF(field, end_time=0.8, solver=Solver(atol=1e-7, rtol=1e-7))


FLOWS: dict[str, Callable[[], Bijection]] = {
    "moving norm": lambda: moving(3),
    "continuous": continuous_flow,
    "network": lambda: CNF(NetworkField(Swirl()), solver=Solver(atol=1e-7, rtol=1e-7)),
    "chain": lambda: Chain([moving(3), continuous_flow(), moving(3), continuous_flow()]),
}


@pytest.fixture(params=list(FLOWS))
def flow(request: pytest.FixtureRequest) -> Bijection:
    torch.manual_seed(0)
    return FLOWS[request.param]().double().eval()


def test_the_inverse_undoes_and_volumes_cancel(flow: Bijection, rng: torch.Generator) -> None:
    x = torch.randn(2, 5, 3, generator=rng).double()
    with torch.no_grad():
        z, log_det = flow(x)
        back, inverse_log_det = flow.inverse(z)
        assert (z - x).abs().max() > 0.1
        assert log_det.shape == (2, 5)
        torch.testing.assert_close(back, x, atol=1e-5, rtol=0)
        torch.testing.assert_close(inverse_log_det, -log_det, atol=1e-5, rtol=0)
        torch.testing.assert_close(flow.generate(z), x, atol=1e-5, rtol=0)


def test_the_volume_change_is_that_of_autograd(flow: Bijection, rng: torch.Generator) -> None:
    x = torch.randn(2, 3, generator=rng).double()
    for direction in (flow.forward, flow.inverse):
        # Of one event: the sum over events has every event's own Jacobian.
        jacobian = torch.autograd.functional.jacobian(lambda at, d=direction: d(at)[0].sum(0), x)
        jacobian = jacobian.transpose(0, 1)
        log_det = direction(x)[1]
        torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian)[1], atol=1e-5, rtol=0)


def test_events_of_images_have_one_value_an_image(rng: torch.Generator) -> None:
    x = torch.randn(2, 2, 3, 3, generator=rng).double()
    flow = Chain([Shear(), Shear()])
    jacobian = torch.autograd.functional.jacobian(lambda one: flow(one[None])[0][0], x[0])
    wanted = torch.linalg.slogdet(jacobian.view(18, 18))[1]
    torch.testing.assert_close(flow(x)[1], wanted.expand(2))
    log_prob = FlowDistribution(flow, (2, 3, 3)).log_prob(x)
    torch.testing.assert_close(log_prob, standard_normal_log_prob(flow(x)[0], 3) + wanted)


def test_densities_integrate_to_one_whatever_the_context() -> None:
    torch.manual_seed(1)
    flow = Chain([moving(2), continuous_flow(2, context_dim=2), moving(2)]).double().eval()
    context = torch.tensor([[0.0, 0.0], [1.5, -1.0]], dtype=torch.float64)
    side = torch.linspace(-11, 11, 150, dtype=torch.float64)
    cell = float(side[1] - side[0]) ** 2
    grid = torch.cartesian_prod(side, side).expand(2, -1, -1)
    with torch.no_grad(), integrating(flow, solver=Solver(atol=1e-4, rtol=1e-4)):
        density = FlowDistribution(flow, (2,), context=context).log_prob(grid).exp()
    # The rectangle rule is exact for smooth densities that vanish at the rim, as these do.
    square = density.view(2, 150, 150)
    rim = torch.stack([square[:, [0, -1]], square[:, :, [0, -1]].mT])
    assert rim.max() < 1e-6
    torch.testing.assert_close(
        density.sum(1) * cell, torch.ones(2, dtype=torch.float64), atol=1e-3, rtol=0
    )
    # Two laws, and neither is the base's.
    normal = standard_normal_log_prob(grid[0]).exp()
    for a, b in ((density[0], density[1]), (density[0], normal), (density[1], normal)):
        assert float((a - b).abs().sum() * cell) > 0.3


def test_draws_are_the_bases_noise_flown_back_and_follow_context(rng: torch.Generator) -> None:
    flow = continuous_flow(context_dim=2)
    context = torch.randn(2, 2, generator=rng).requires_grad_()
    distribution = FlowDistribution(flow, (3,), context=context)
    like = torch.zeros(())
    x = distribution.rsample((2, 6), like=like, rng=torch.Generator().manual_seed(5))
    noise = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        torch.testing.assert_close(flow(x, context)[0], noise, atol=1e-4, rtol=0)
    (gradient,) = torch.autograd.grad(x.sum(), context)
    assert (gradient != 0).all()
    drawn = distribution.sample((2, 6), like=like, rng=torch.Generator().manual_seed(5))
    torch.testing.assert_close(drawn, x.detach())
    assert not drawn.requires_grad


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"events must be \(..., 3\); got \(4, 2\)"):
        FlowDistribution(continuous_flow(), (3,)).log_prob(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="at least one bijection"):
        Chain([])(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"context must be \(batch, 2\); got None"):
        continuous_flow(context_dim=2)(torch.zeros(1, 4, 3))
    assert TIGHT.atol == 1e-7
