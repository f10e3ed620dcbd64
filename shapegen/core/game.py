"""The adversarial game: a discriminator and a generator as two objectives of the training loop.

A model says what is real and what is generated; the loss, its regularisers and the order of steps
are options, the same ones for all models. The discriminator steps first, as in Algorithm 1 of
Goodfellow et al., *Generative Adversarial Nets*, 2014.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from shapegen.core.adversarial import Kind, discriminator_loss, generator_loss
from shapegen.core.gradient_penalties import (
    roth_penalty,
    slope_penalty,
    slopes,
    wasserstein_penalty,
    zero_centred_penalty,
)
from shapegen.core.minibatch import packed
from shapegen.core.noise import standard_normal
from shapegen.core.objective import Objective
from shapegen.core.unrolled import Call, unrolled

Shown = tuple[Any, ...]
"""What a discriminator is shown: the sample that it judges, a tensor with a row a shape, and what
is given beside it: tensors, or what else the discriminator takes."""
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class GameOptions:
    """Loss, regularisers and order of steps of a game; by default the plain one."""

    loss: Kind = "non_saturating"
    smoothing: float = 0.0
    """Share of data that the discriminator is to call generated (one-sided label smoothing)."""
    critic_steps: int = 1
    """Steps of the discriminator to one of the generator."""
    r1: float = 0.0
    """Gamma of the discriminator's slopes at data."""
    r2: float = 0.0
    """Gamma of its slopes at what was generated."""
    gradient_penalty: float = 0.0
    """Weight of slopes other than 1 between the two: WGAN-GP, with ``loss: wasserstein``."""
    one_sided: bool = False
    """Whether of those only steeper ones cost. On a line a critic cannot turn round without."""
    roth: float = 0.0
    """Gamma of the penalty of Roth et al., the analytic form of instance noise."""
    lazy: int = 1
    """Steps from one penalty to the next, which then weighs so much more."""
    instance_noise: float = 0.0
    """Standard deviation of noise on all that the discriminator is shown, at the first step."""
    noise_steps: int = 0
    """Steps in which that falls to 0, linearly; 0: never."""
    unrolled: int = 0
    """Steps of gradient descent that the generator's loss looks ahead of the discriminator."""
    unrolled_rate: float = 0.1
    """Learning rate of those steps."""
    consensus: float = 0.0
    """Weight of half the squared norm of both players' gradients, in both losses."""
    pack: int = 1
    """Samples that are judged together, behind one another in the channels."""

    def __post_init__(self) -> None:
        for name in ("critic_steps", "lazy", "pack"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("r1", "r2", "gradient_penalty", "roth", "instance_noise", "noise_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        for name in ("unrolled", "unrolled_rate", "consensus"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing must be from 0 to below 1; got {self.smoothing}")
        if self.smoothing and self.loss not in ("non_saturating", "saturating"):
            raise ValueError(f"smoothing is of cross-entropies; got loss {self.loss}")

    def noise(self, step: int) -> float:
        """Standard deviation of instance noise at a step."""
        if not self.noise_steps:
            return self.instance_noise
        return self.instance_noise * max(0.0, 1 - step / self.noise_steps)


@dataclass(frozen=True)
class Made:
    """What a generator made."""

    shown: Shown
    """Differentiable by the generator's parameters."""
    codes: Any = None
    """What it was made of, for losses that ask for it."""


@dataclass(frozen=True)
class Timed:
    """A batch, and the step that sees it."""

    batch: Any
    step: int


def timed(objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
    """Objectives of a game that changes as it goes on: its functions take :class:`Timed`."""

    def at_step(objective: Objective) -> Objective:
        loss = objective.loss
        return replace(objective, loss=lambda batch, step: loss(Timed(batch, step), step))

    return tuple(map(at_step, objectives))


Further = Callable[[Made, Any], tuple[Tensor, Terms]]
View = Callable[[Shown, int], Shown]


class Game:
    """The two objectives of a generator and a discriminator.

    Args:
        generator: Trained by the objective ``generator``.
        discriminator: Called with what is shown, ``discriminator(sample, *given)``, for logits:
            one a sample, or several of its patches.
        options: Of the game.
        real: Of a batch, what is shown of the data.
        make: Of a batch, what is generated beside it; called once for every loss.
        further: Another loss of what was made and the batch, which the generator adds to its own;
            its terms are logged.
        further_judged: Likewise of the discriminator; what was made has no gradients.
        view: Of what is shown, of either kind, and the step: what of it the discriminator sees,
            such as patches; called once for every kind.
        replay: Of what was made, what the discriminator's own step is shown in its place: what
            was made earlier.
        rng: Stream of the noise.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        options: GameOptions,
        *,
        real: Callable[[Any], Shown],
        make: Callable[[Any], Made],
        further: Further | None = None,
        further_judged: Further | None = None,
        view: View | None = None,
        replay: Callable[[Shown], Shown] | None = None,
        rng: torch.Generator | None = None,
    ) -> None:
        self.generator, self.discriminator, self.options = generator, discriminator, options
        self._real, self._make = real, make
        self._further, self._further_judged, self._rng = further, further_judged, rng
        self._view, self._replay = view, replay

    def objectives(self) -> tuple[Objective, Objective]:
        """The discriminator's, then the generator's."""
        return (
            Objective("discriminator", self.discriminator, self.judge),
            Objective("generator", self.generator, self.fool, every=self.options.critic_steps),
        )

    def judge(self, batch: Any, step: int) -> tuple[Tensor, Terms]:
        """The discriminator's loss.

        Terms: ``told_apart`` is the share of data and generated samples, half each, on the right
        side of 0; ``penalty`` the sum of all penalties, as it is weighed at this step.
        """
        with torch.no_grad():
            made = self._make(batch)
            shown = made.shown if self._replay is None else self._replay(made.shown)
        real, fake = (self._seen(each, step) for each in (self._real(batch), shown))
        on_real, r1 = self._on_real(real, step)
        on_fake = self.discriminator(*fake)
        loss = self._discriminator_loss(on_real, on_fake)
        told = ((on_real > 0).float().mean() + (on_fake < 0).float().mean()) / 2
        terms = {"told_apart": told.detach()}
        penalty = self._penalty(real, fake, step)
        if penalty is not None:
            penalty = penalty + r1
            loss, terms["penalty"] = loss + penalty, penalty.detach()
        loss, terms = self._with_consensus(loss, terms, batch, step)
        return _added(loss, terms, self._further_judged, made, batch)

    def fool(self, batch: Any, step: int) -> tuple[Tensor, Terms]:
        """The generator's loss; its term ``game`` is without the further loss."""
        made = self._make(batch)
        fake = self._seen(made.shown, step)
        judge: Call = self.discriminator
        if self.options.unrolled:
            real = self._seen(self._real(batch), step)
            judge = unrolled(
                self.discriminator,
                lambda ahead: self._discriminator_loss(ahead(*real), ahead(*fake)),
                steps=self.options.unrolled,
                rate=self.options.unrolled_rate,
            )
        loss = generator_loss(judge(*fake), self.options.loss)
        terms = {"game": loss.detach()}
        loss, terms = self._with_consensus(loss, terms, batch, step)
        return _added(loss, terms, self._further, made, batch)

    def _discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return discriminator_loss(real, fake, self.options.loss, smoothing=self.options.smoothing)

    def _seen(self, shown: Shown, step: int) -> Shown:
        """What of it is looked at, with noise, and packed."""
        sample, *given = shown if self._view is None else self._view(shown, step)
        spread = self.options.noise(step)
        if spread:
            noise = standard_normal(sample.shape, like=sample, rng=self._rng)
            sample = sample + spread * noise
        if self.options.pack == 1:
            return (sample, *given)
        return tuple(packed(each, self.options.pack) for each in (sample, *given))

    def _on_real(self, real: Shown, step: int) -> tuple[Tensor, Tensor]:
        """Logits of data, and what their slopes cost at this step: one pass is enough for both."""
        options = self.options
        if not options.r1 or step % options.lazy:
            return self.discriminator(*real), real[0].new_zeros(())
        logits, gradient = slopes(lambda at: self.discriminator(at, *real[1:]), real[0])
        return logits, options.lazy * slope_penalty(gradient, options.r1)

    def _penalty(self, real: Shown, fake: Shown, step: int) -> Tensor | None:
        """The sum of all penalties but R1 at this step; None where there are none, R1 neither."""
        options = self.options
        weights = (options.r1, options.r2, options.gradient_penalty, options.roth)
        if not any(weights):
            return None
        if step % options.lazy:
            return real[0].new_zeros(())

        def on_real(at: Tensor) -> Tensor:
            return self.discriminator(at, *real[1:])

        def on_fake(at: Tensor) -> Tensor:
            return self.discriminator(at, *fake[1:])

        total = zero_centred_penalty(on_fake, fake[0], options.r2)
        if options.gradient_penalty:
            total = total + wasserstein_penalty(
                on_real,
                real[0],
                fake[0],
                options.gradient_penalty,
                one_sided=options.one_sided,
                rng=self._rng,
            )
        if options.roth:
            total = total + roth_penalty((on_real, on_fake), (real[0], fake[0]), options.roth)
        return options.lazy * total

    def _with_consensus(
        self, loss: Tensor, terms: Terms, batch: Any, step: int
    ) -> tuple[Tensor, Terms]:
        if not self.options.consensus:
            return loss, terms
        force = self._force(batch, step)
        return loss + self.options.consensus * force, terms | {"force": force.detach()}

    def _force(self, batch: Any, step: int) -> Tensor:
        """Half the squared norm of both players' gradients.

        Reference: Mescheder, Nowozin and Geiger, *The Numerics of GANs*, 2017, equation 8.
        """
        differentiable = torch.is_grad_enabled()
        players = [list(each.parameters()) for each in (self.discriminator, self.generator)]
        # The loop trains one player at a time; here each one's loss has the other's gradient in
        # it. What that leaves in the other's gradient is cleared before its own step.
        for parameter in (*players[0], *players[1]):
            parameter.requires_grad_(True)
        with torch.enable_grad():
            made = self._make(batch)
            real, fake = (self._seen(shown, step) for shown in (self._real(batch), made.shown))
            on_fake = self.discriminator(*fake)
            losses = (
                self._discriminator_loss(self.discriminator(*real), on_fake),
                generator_loss(on_fake, self.options.loss),
            )
            total = losses[0].new_zeros(())
            for value, parameters in zip(losses, players, strict=True):
                gradients = torch.autograd.grad(
                    value,
                    parameters,
                    retain_graph=True,
                    create_graph=differentiable,
                    materialize_grads=True,
                )
                total = total + sum(each.square().sum() for each in gradients)
        return total / 2


def joint_objectives(
    games: Mapping[str, Game], generators: nn.Module, name: str
) -> tuple[Objective, ...]:
    """Objectives of games whose generators take one step together.

    Args:
        games: By name, all with the same options.
        generators: Of all of them.
        name: Of their objective; its loss is the sum, its terms end in the names of the games.

    Returns:
        ``discriminator_`` and the name for every game, then the generators'.
    """

    def loss(batch: Any, step: int) -> tuple[Tensor, Terms]:
        losses: list[Tensor] = []
        terms: Terms = {}
        for each, game in games.items():
            own, named = game.fool(batch, step)
            losses.append(own)
            terms |= {f"{term}_{each}": value for term, value in named.items()}
        return torch.stack(losses).sum(), terms

    every = next(iter(games.values())).options.critic_steps
    judges = [
        Objective(f"discriminator_{each}", game.discriminator, game.judge)
        for each, game in games.items()
    ]
    return (*judges, Objective(name, generators, loss, every=every))


def _added(
    loss: Tensor, terms: Terms, further: Further | None, made: Made, batch: Any
) -> tuple[Tensor, Terms]:
    if further is None:
        return loss, terms
    more, named = further(made, batch)
    return loss + more, terms | {name: term.detach() for name, term in named.items()}
