"""Penalties of slopes, against finite differences and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from shapegen.core.gradient_penalties import (
    roth_penalty,
    slopes,
    wasserstein_penalty,
    zero_centred_penalty,
)
from shapegen.core.noise import uniform


def critic(x: Tensor, weight: Tensor) -> Tensor:
    """Logits of images (n, 1, 2, 3), curved in them."""
    return (x.flatten(1) @ weight).tanh().sum(1) + x.flatten(1).square().sum(1)


@pytest.fixture
def case() -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    shapes = ((4, 1, 2, 3), (4, 1, 2, 3), (6, 5))
    real, fake, weight = (torch.randn(*s, generator=rng, dtype=torch.float64) for s in shapes)
    return real, fake, weight


def by_differences(at: Tensor, weight: Tensor) -> Tensor:
    """Slopes ``(n, 6)``."""
    step, found = 1e-5, torch.zeros(len(at), 6, dtype=torch.float64)
    for pixel in range(6):
        nudge = torch.zeros(6, dtype=torch.float64)
        nudge[pixel] = step
        nudge = nudge.view(1, 2, 3)
        found[:, pixel] = (critic(at + nudge, weight) - critic(at - nudge, weight)) / (2 * step)
    return found


def test_slopes_are_those_of_finite_differences(case: tuple[Tensor, Tensor, Tensor]) -> None:
    real, _, weight = case
    logits, found = slopes(lambda x: critic(x, weight), real)
    torch.testing.assert_close(logits, critic(real, weight))
    expected = by_differences(real, weight)
    torch.testing.assert_close(found.flatten(1), expected, rtol=1e-7, atol=1e-9)


def test_the_penalty_is_half_gamma_times_the_mean_squared_slope(
    case: tuple[Tensor, Tensor, Tensor],
) -> None:
    real, _, weight = case
    expected = 3.0 / 2 * by_differences(real, weight).square().sum(1).mean()
    found = zero_centred_penalty(lambda x: critic(x, weight), real, 3.0)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=0)
    with torch.no_grad():
        again = zero_centred_penalty(lambda x: critic(x, weight), real, 3.0)
        torch.testing.assert_close(again, found)


def test_the_penalty_trains_the_discriminator_alone() -> None:
    """D(x) = w x has the slope w everywhere: gamma / 2 |w|^2, with the gradient gamma w."""
    weight = torch.tensor([[1.0], [-2.0]], requires_grad=True)
    real = torch.randn(3, 2).requires_grad_()
    found = zero_centred_penalty(lambda x: (x @ weight)[:, 0], real, 0.5)
    found.backward()
    assert found.item() == pytest.approx(0.25 * 5)
    torch.testing.assert_close(weight.grad, 0.5 * weight.detach())
    assert real.grad is None
    assert zero_centred_penalty(lambda x: (x @ weight)[:, 0], real, 0.0) == 0


def test_its_gradient_is_that_of_finite_differences() -> None:
    """Second order: by the weights, of the slopes by the input."""
    rng = torch.Generator().manual_seed(1)
    real = torch.randn(3, 1, 2, 3, generator=rng, dtype=torch.float64)
    weight = torch.randn(6, 2, generator=rng, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda w: zero_centred_penalty(lambda x: critic(x, w), real, 2.0), (weight,)
    )


@pytest.mark.parametrize("one_sided", [False, True])
def test_the_wasserstein_penalty_is_of_slopes_between(
    case: tuple[Tensor, Tensor, Tensor], one_sided: bool
) -> None:
    real, fake, weight = case
    rng = torch.Generator().manual_seed(5)
    share = uniform((4, 1, 1, 1), like=real, rng=rng)
    norms = by_differences(share * real + (1 - share) * fake, weight).norm(dim=1)
    excess = (norms - 1).clamp(min=0) if one_sided else norms - 1
    found = wasserstein_penalty(
        lambda x: critic(x, weight),
        real,
        fake,
        10.0,
        one_sided=one_sided,
        rng=torch.Generator().manual_seed(5),
    )
    torch.testing.assert_close(found, 10 * excess.square().mean(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("length", [0.0, 0.25, 1.0, 3.0])
def test_a_linear_critic_pays_for_the_length_of_its_weights(length: float) -> None:
    """Its gradient is a number even where it is flat."""
    weight = (torch.tensor([[0.6], [0.8]]) * length).requires_grad_()
    real, fake = torch.randn(2, 5, 2)
    both = wasserstein_penalty(lambda x: (x @ weight)[:, 0], real, fake, 2.0)
    assert both.item() == pytest.approx(2 * (length - 1) ** 2, abs=1e-5)
    steep = wasserstein_penalty(lambda x: (x @ weight)[:, 0], real, fake, 2.0, one_sided=True)
    assert steep.item() == pytest.approx(2 * max(0, length - 1) ** 2, abs=1e-5)
    (both + steep).backward()
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


def test_roths_penalty_weighs_slopes_by_doubt(case: tuple[Tensor, Tensor, Tensor]) -> None:
    real, fake, weight = case
    expected = 0.0
    for at, sign in ((real, -1), (fake, 1)):
        doubt = (sign * critic(at, weight)).sigmoid().square()
        expected = expected + (doubt * by_differences(at, weight).square().sum(1)).mean()
    judge = (lambda x: critic(x, weight),) * 2
    found = roth_penalty(judge, (real, fake), 0.3)
    torch.testing.assert_close(found, 0.15 * torch.as_tensor(expected), rtol=1e-6, atol=0)


@pytest.mark.parametrize("noise", [0.01, 0.02])
def test_roths_penalty_is_noise_to_second_order(noise: float) -> None:
    """What noise adds to the loss of the best discriminator, by sums over a fine grid.

    Data is N(.5, 1), what was generated N(-.3, .7); noise adds to their variances.
    """
    x = torch.linspace(-9, 9, 20_001, dtype=torch.float64)

    def density(mean: float, variance: float) -> Tensor:
        values = (-(x - mean).square() / (2 * variance)).exp()
        return values / values.sum()

    def best(at: Tensor) -> Tensor:
        logs = [
            -(at - mean).square() / (2 * variance) - math.log(variance) / 2
            for mean, variance in ((0.5, 1.0), (-0.3, 0.7))
        ]
        return logs[0] - logs[1]

    def loss(extra: float) -> Tensor:
        real, fake = density(0.5, 1 + extra), density(-0.3, 0.7 + extra)
        return (real * softplus(-best(x)) + fake * softplus(best(x))).sum()

    def penalty(gamma: float) -> Tensor:
        # Draws in proportion to the densities are quantiles.
        shares = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
        normal = math.sqrt(2) * torch.erfinv(2 * shares - 1)
        real, fake = 0.5 + normal, -0.3 + math.sqrt(0.7) * normal
        return roth_penalty((best, best), (real, fake), gamma)

    added = loss(noise) - loss(0.0)
    assert penalty(noise).item() == pytest.approx(added.item(), rel=2 * noise)
    assert penalty(noise).item() > 0
