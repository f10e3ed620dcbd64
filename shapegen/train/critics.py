r"""Critics of two known densities of the line, trained by the game's own losses, beside the exact.

A generator that stands still leaves the discriminator's half of a game, whose end is known:

- the cross-entropy's best discriminator is :math:`D^* = p / (p + q)`;
- the Wasserstein critic's value is the distance :math:`W_1 = \int |P - Q|\,dx`, and its slope
  :math:`-\mathrm{sign}(P - Q)`, where P and Q are the distribution functions.

References: Goodfellow et al., *Generative Adversarial Nets*, 2014, proposition 1,
https://arxiv.org/abs/1406.2661; Arjovsky, Chintala and Bottou, *Wasserstein GAN*, 2017, equation
2; Gulrajani et al., *Improved Training of Wasserstein GANs*, 2017, proposition 1 (slopes of 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.game import Game, GameOptions, Made
from shapegen.core.nets import mlp
from shapegen.core.noise import standard_normal
from shapegen.core.seeding import seeded

PLACES = 2001
STEPS, BATCH, RATE = 1500, 512, 3e-3
HIDDEN = (64, 64)
HELD_OUT = 100_000
"""Samples of either density that a critic's value is a mean of."""


@dataclass(frozen=True)
class LineMixture:
    """Gaussians of the line, of equal weight."""

    means: tuple[float, ...]
    spread: float
    """Standard deviation of each."""

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n 1"]:
        """Draw points."""
        means = torch.tensor(self.means)
        chosen = means[torch.randint(len(means), (n, 1), generator=rng)]
        return chosen + self.spread * standard_normal((n, 1), like=means, rng=rng)

    def density(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Its value at places."""
        return self._standard(x).square().div(-2).exp().mean(1) / (
            self.spread * math.sqrt(2 * math.pi)
        )

    def below(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Its distribution function."""
        return torch.special.ndtr(self._standard(x)).mean(1)

    def _standard(self, x: Tensor) -> Tensor:
        return (x[:, None] - torch.tensor(self.means, dtype=x.dtype)) / self.spread


class Pair(NamedTuple):
    """Two densities between -3 and 3."""

    real: LineMixture
    fake: LineMixture

    def places(self) -> Float[Tensor, "n"]:
        """Places from -3 to 3, in double precision."""
        return torch.linspace(-3, 3, PLACES, dtype=torch.float64)

    def wasserstein(self) -> float:
        """W1 by quadrature, right to 1e-4."""
        x = self.places()
        apart = (self.real.below(x) - self.fake.below(x)).abs()
        return float(torch.trapezoid(apart, x))

    def potential(self) -> Float[Tensor, "n"]:
        """The best critic at :meth:`places`, its mean under the generated density 0."""
        x = self.places()
        slope = -torch.sign(self.real.below(x) - self.fake.below(x))
        value = torch.cat([slope.new_zeros(1), torch.cumulative_trapezoid(slope, x)])
        return value - torch.trapezoid(value * self.fake.density(x), x)

    def share(self) -> Float[Tensor, "n"]:
        """The best discriminator's probability of data at :meth:`places`."""
        x = self.places()
        real, fake = self.real.density(x), self.fake.density(x)
        return real / (real + fake)


PAIRS = {
    "shifted": Pair(LineMixture((0.5,), 0.3), LineMixture((-0.5,), 0.3)),
    "wider": Pair(LineMixture((0.0,), 0.3), LineMixture((0.0,), 0.8)),
    "two modes, one": Pair(LineMixture((-1.0, 1.0), 0.3), LineMixture((0.0,), 0.3)),
}
WASSERSTEIN = GameOptions(loss="wasserstein", gradient_penalty=100.0, one_sided=True)
r"""With a penalty of weight :math:`\lambda` a critic is steeper than 1, of two points at distance
d by :math:`d / 2\lambda`: this weight makes it half a percent."""


def fitted_critic(
    pair: Pair, options: GameOptions, *, steps: int = STEPS, seed: int = 0
) -> nn.Module:
    """Train the discriminator's half of a game against densities that stand still.

    Args:
        pair: Data, and what is generated.
        options: Of the game; of its loss and penalties those of the discriminator.
        steps: Of Adam, along a cosine to 0.
        seed: Of weights and samples.

    Returns:
        A network from points ``(n, 1)`` to logits ``(n,)``.
    """
    rng = torch.Generator().manual_seed(seed)
    with seeded(seed):
        critic = nn.Sequential(mlp([1, *HIDDEN, 1], "tanh"), nn.Flatten(0))
    game = Game(
        nn.Identity(),
        critic,
        options,
        real=lambda _: (pair.real.sample(BATCH, rng=rng),),
        make=lambda _: Made((pair.fake.sample(BATCH, rng=rng),)),
        rng=rng,
    )
    optimizer = torch.optim.Adam(critic.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        optimizer.zero_grad()
        game.judge(None, step)[0].backward()
        optimizer.step()
        schedule.step()
    return critic.eval().requires_grad_(False)


def critic_value(critic: nn.Module, pair: Pair, *, seed: int = 1) -> float:
    """Mean logit of fresh data above that of fresh generated points."""
    rng = torch.Generator().manual_seed(seed)
    real, fake = (critic(each.sample(HELD_OUT, rng=rng)).mean() for each in pair)
    return float(real - fake)


def judgement_error(critic: nn.Module, pair: Pair) -> float:
    """Mean distance of the discriminator's probability of data from the best one's.

    The mean is over points of both densities, half each.
    """
    x = pair.places()
    weight = (pair.real.density(x) + pair.fake.density(x)) / 2
    found = critic(x[:, None].float()).sigmoid().double()
    return float(torch.trapezoid(weight * (found - pair.share()).abs(), x))


class CriticResult(NamedTuple):
    """What became of two critics of a pair."""

    wasserstein: nn.Module
    discriminator: nn.Module
    figures: dict[str, float]
    """``value`` of the Wasserstein critic, ``exact`` distance, their relative ``error``; and of
    the discriminator ``judgement_error``."""


def run_critics(pair: Pair, *, steps: int = STEPS, seed: int = 0) -> CriticResult:
    """Train both critics of a pair, and compare them with what is exact."""
    critic = fitted_critic(pair, WASSERSTEIN, steps=steps, seed=seed)
    judge = fitted_critic(pair, GameOptions(), steps=steps, seed=seed)
    value, exact = critic_value(critic, pair), pair.wasserstein()
    figures = {
        "value": value,
        "exact": exact,
        "error": value / exact - 1,
        "judgement_error": judgement_error(judge, pair),
    }
    return CriticResult(critic, judge, figures)
