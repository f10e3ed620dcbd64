"""Losses of the adversarial game."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import logsigmoid

from shapegen.core.adversarial import discriminator_loss, generator_loss


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
