"""Expectations by draws, for laws that several models must keep."""

from __future__ import annotations

import torch
from torch.distributions import Normal

from shapegen.core.gaussian import DiagGaussian


def kl_by_draws(posterior: DiagGaussian, draws: int = 20000) -> tuple[float, float]:
    """Mean over a batch of KL(q || N(0, I)) in nats, and the standard error of that estimate."""
    q = Normal(posterior.mean.detach(), (posterior.logvar.detach() / 2).exp())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        z = q.sample((draws,))
    ratios = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(-1).mean(-1)
    return ratios.mean().item(), ratios.std().item() / draws**0.5
