"""Losses of the adversarial game."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from shapegen.core.adversarial import discriminator_loss, generator_loss, r1_penalty


def test_the_two_written_forms_agree() -> None:
    """With D the probability of real, or of fake under 1 - D."""
    real, fake = torch.randn(2, 50)
    written = -(logsigmoid(real).mean() + (1 - fake.sigmoid()).log().mean())
    other = -((1 - (-real).sigmoid()).log().mean() + (-fake).sigmoid().log().mean())
    torch.testing.assert_close(discriminator_loss(real, fake), written)
    torch.testing.assert_close(discriminator_loss(real, fake), other)
    torch.testing.assert_close(generator_loss(fake), -fake.sigmoid().log().mean())


def test_the_best_logit_is_that_of_the_densities() -> None:
    """On two points with p = (.8, .2) and q = (.3, .7) the optimum is log p - log q."""
    p, q = torch.tensor([0.8, 0.2]), torch.tensor([0.3, 0.7])
    logits = torch.zeros(2, requires_grad=True)
    solver = torch.optim.LBFGS([logits], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        # Means over a thousand draws in exact proportion.
        real, fake = (logits.repeat_interleave((1000 * share).round().long()) for share in (p, q))
        loss = discriminator_loss(real, fake)
        loss.backward()
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(logits.detach(), p.log() - q.log(), atol=1e-3, rtol=0)


def test_gradients_of_the_generator_do_not_vanish() -> None:
    """Where D says .01: .99 in place of the minimax loss's .01."""
    fake = torch.full((1,), math.log(0.01 / 0.99), requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(fake), fake)
    torch.testing.assert_close(gradient, torch.tensor([-0.99]))
    (saturating,) = torch.autograd.grad(-discriminator_loss(torch.zeros(1), fake), fake)
    torch.testing.assert_close(saturating, torch.tensor([-0.01]))


def critic(x: Tensor, weight: Tensor) -> Tensor:
    """Logits of images (n, 1, 2, 3), curved in them."""
    return (x.flatten(1) @ weight).tanh().sum(1) + x.flatten(1).square().sum(1)


def test_the_penalty_is_half_gamma_times_the_mean_squared_slope() -> None:
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(4, 1, 2, 3, generator=rng, dtype=torch.float64)
    weight = torch.randn(6, 5, generator=rng, dtype=torch.float64)
    step, slopes = 1e-5, torch.zeros(4, 6, dtype=torch.float64)
    for pixel in range(6):
        nudge = torch.zeros(6, dtype=torch.float64)
        nudge[pixel] = step
        nudge = nudge.view(1, 2, 3)
        slopes[:, pixel] = (critic(real + nudge, weight) - critic(real - nudge, weight)) / (
            2 * step
        )
    expected = 3.0 / 2 * slopes.square().sum(1).mean()
    found = r1_penalty(lambda x: critic(x, weight), real, 3.0)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(r1_penalty(lambda x: critic(x, weight), real, 3.0), found)


def test_the_penalty_trains_the_discriminator_alone() -> None:
    """D(x) = w x has the slope w everywhere: gamma / 2 |w|^2, with the gradient gamma w."""
    weight = torch.tensor([[1.0], [-2.0]], requires_grad=True)
    real = torch.randn(3, 2).requires_grad_()
    found = r1_penalty(lambda x: (x @ weight)[:, 0], real, 0.5)
    found.backward()
    assert found.item() == pytest.approx(0.25 * 5)
    torch.testing.assert_close(weight.grad, 0.5 * weight.detach())
    assert real.grad is None
    assert r1_penalty(lambda x: (x @ weight)[:, 0], real, 0.0) == 0
