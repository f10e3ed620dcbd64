"""Losses of the adversarial game: optima, gradients, and one sign for all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from shapegen.core.adversarial import Kind, discriminator_loss, generator_loss

KINDS = get_args(Kind)
P, Q = torch.tensor([0.8, 0.2]), torch.tensor([0.3, 0.7])
"""Shares of two points among data, and among what was generated."""


def of_two_points(logits: Tensor, kind: Kind, **options: float) -> Tensor:
    """The discriminator's loss: means over a thousand draws in exact proportion."""
    real, fake = (logits.repeat_interleave((1000 * share).round().long()) for share in (P, Q))
    return discriminator_loss(real, fake, kind, **options)


def best_logits(kind: Kind, **options: float) -> Tensor:
    logits = torch.full((2,), 0.1, requires_grad=True)
    solver = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = of_two_points(logits, kind, **options)
        loss.backward()
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    return logits.detach()


def test_the_two_written_forms_agree() -> None:
    """With D the probability of real, or of fake under 1 - D."""
    real, fake = torch.randn(2, 50)
    written = -(logsigmoid(real).mean() + (1 - fake.sigmoid()).log().mean())
    other = -((1 - (-real).sigmoid()).log().mean() + (-fake).sigmoid().log().mean())
    for kind in ("non_saturating", "saturating"):
        torch.testing.assert_close(discriminator_loss(real, fake, kind), written)
        torch.testing.assert_close(discriminator_loss(real, fake, kind), other)
    torch.testing.assert_close(generator_loss(fake), -fake.sigmoid().log().mean())
    torch.testing.assert_close(
        generator_loss(fake, "saturating"), (1 - fake.sigmoid()).log().mean()
    )


@pytest.mark.parametrize("kind", ["non_saturating", "saturating"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_best_logit_is_that_of_the_densities(kind: Kind, smoothing: float) -> None:
    """Of (1 - s) p against q + s p; without smoothing log p - log q."""
    expected = ((1 - smoothing) * P).log() - (Q + smoothing * P).log()
    found = best_logits(kind, smoothing=smoothing)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_the_best_logit_of_squares_is_the_share_of_data() -> None:
    torch.testing.assert_close(best_logits("least_squares"), (P - Q) / (P + Q), atol=1e-4, rtol=0)


def test_the_hinge_is_best_at_its_corners() -> None:
    """There it is 2 min(p, q) summed; a little to either side of a corner it is more."""
    logits = torch.where(P > Q, 1.0, -1.0)
    least = of_two_points(logits, "hinge")
    assert least.item() == pytest.approx(2 * torch.minimum(P, Q).sum().item())
    for point in (0, 1):
        for shift in (-0.1, 0.1):
            moved = logits.clone()
            moved[point] += shift
            assert of_two_points(moved, "hinge") > least


def test_the_critic_measures_the_difference_of_means() -> None:
    """A critic of slope 1 on points at 0 and 1: their Wasserstein distance, .5 of mass moved."""
    assert of_two_points(torch.tensor([0.0, -1.0]), "wasserstein").item() == pytest.approx(-0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_above_zero_is_real_for_every_loss(kind: Kind) -> None:
    """The discriminator pushes data up and the rest down, and the generator its samples up."""
    real, fake = (torch.zeros(3, requires_grad=True) for _ in range(2))
    up, down = torch.autograd.grad(discriminator_loss(real, fake, kind), (real, fake))
    assert (up < 0).all()
    assert (down > 0).all()
    (lifted,) = torch.autograd.grad(generator_loss(fake, kind), fake)
    assert (lifted < 0).all()


def test_gradients_of_the_generator_do_not_vanish() -> None:
    """Where D says .01: .99 in place of the minimax loss's .01, a ratio of (1 - D) / D."""
    fake = torch.full((1,), math.log(0.01 / 0.99), requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(fake), fake)
    torch.testing.assert_close(gradient, torch.tensor([-0.99]))
    (saturating,) = torch.autograd.grad(generator_loss(fake, "saturating"), fake)
    torch.testing.assert_close(saturating, torch.tensor([-0.01]))


def moved(judge: Callable[[Tensor, Normal], Tensor]) -> tuple[float, float]:
    """Mean and spread of a Gaussian generator after descent on a loss of its samples.

    Args:
        judge: From samples, and from the density that they have as a fact, to the loss.
    """
    shares = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
    noise = Normal(0.0, 1.0).icdf(shares)
    mean, spread = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.0, 1.0))
    optimizer = torch.optim.Adam([mean, spread], lr=0.02)
    for _ in range(600):
        optimizer.zero_grad()
        density = Normal(mean.detach(), spread.detach().abs().clamp_min(1e-9))
        judge(mean + spread * noise, density).backward()
        optimizer.step()
    return float(mean.detach()), abs(float(spread.detach()))


def test_a_judge_of_the_data_alone_leaves_one_point() -> None:
    """Why adversarial: samples that are only to be likely all go to the mode."""
    data = Normal(torch.tensor(1.0, dtype=torch.float64), 0.7)
    mean, spread = moved(lambda samples, _: -data.log_prob(samples).mean())
    assert mean == pytest.approx(1.0, abs=0.01)
    assert spread < 1e-3


@pytest.mark.parametrize("kind", ["non_saturating", "saturating"])
def test_the_best_discriminator_keeps_the_spread(kind: Kind) -> None:
    """It knows the generator too: log p - log q, renewed at every step."""
    data = Normal(torch.tensor(1.0, dtype=torch.float64), 0.7)
    mean, spread = moved(
        lambda samples, made: generator_loss(data.log_prob(samples) - made.log_prob(samples), kind)
    )
    assert mean == pytest.approx(1.0, abs=0.03)
    assert spread == pytest.approx(0.7, abs=0.03)


def test_the_minimax_game_has_one_value() -> None:
    real, fake = torch.randn(2, 50)
    value = -discriminator_loss(real, fake, "saturating")
    rest = generator_loss(fake, "saturating")
    torch.testing.assert_close(value - rest, logsigmoid(real).mean())


@pytest.mark.parametrize("kind", ["least_squares", "wasserstein", "hinge"])
def test_labels_are_smoothed_with_cross_entropies_only(kind: Kind) -> None:
    with pytest.raises(ValueError, match=f"cross-entropies only; got the loss {kind}"):
        discriminator_loss(torch.zeros(2), torch.zeros(2), kind, smoothing=0.1)
