"""PointFlow's options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from shapegen.core.concatsquash import Activation
from shapegen.core.ode import Solver

DivergenceKind = Literal["exact", "gaussian", "rademacher"]


@dataclass(frozen=True)
class LikelihoodWeights:
    """Weights of the likelihood objective, in nats summed over points and dimensions."""

    reconstruction: float = 1.0
    """Of ``-log p(points | latent)``."""
    prior: float = 1.0
    """Of ``-log p(latent)``."""
    entropy: float = 1.0
    """Of minus the posterior's entropy."""
    kinetic: float = 0.0
    """Of the squared speed, integrated over time and summed over points (RNODE: Finlay et al.,
    *How to Train Your Neural ODE*, 2020)."""
    jacobian: float = 0.0
    """Of the Jacobian's squared Frobenius norm, integrated and summed likewise."""


@dataclass(frozen=True)
class Matching:
    """Options of the flow matching objective."""

    kl: float = 3e-4
    """Weight of the posterior's KL divergence from N(0, I), in nats, beside the mean squared
    error of a coordinate's velocity."""
    targets: int = 512
    """Points of a shape that the velocity is trained on at a step; others than the code's."""
    times: int = 4
    """Times of a shape, one in each equal part of the path."""
    group: int = 32
    """Points and noise are paired by optimal transport in groups of so many; 1: at random."""
    latent_draws: int = 8
    """Codes that are drawn from every posterior to train the latent flow on."""
    frozen_from: int | None = None
    """Step from which the codes stand still and only the latent flow is trained."""

    def __post_init__(self) -> None:
        for name in ("targets", "times", "group", "latent_draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.targets % self.times:
            raise ValueError(
                f"targets must be a multiple of times {self.times}; got {self.targets}"
            )
        if self.kl < 0:
            raise ValueError(f"kl must be at least 0; got {self.kl}")


@dataclass(frozen=True)
class PointFlowConfig:
    """Options of :class:`~shapegen.points.pointflow.PointFlow`; sizes are the paper's.

    :meth:`official` gives the authors' setting.
    """

    compat: Literal["none", "official"] = "none"
    """``official``: the norms of points pool their statistics over the axes, logged likelihoods
    have the authors' constant, the data's one spread is about their common mean, and truncated
    noise is drawn the authors' way."""
    objective: Literal["flow_matching", "likelihood"] = "flow_matching"
    """``flow_matching`` trains the velocities on straight paths, without a solve: on PartNet's
    chairs a shape takes a fortieth of the likelihood objective's time, and held-out likelihoods
    are far better after equal time. ``likelihood`` is the paper's evidence lower bound."""
    latent_dim: int = 128
    hidden: tuple[int, ...] = (512, 512, 512)
    """Widths of the point flow's vector field."""
    latent_hidden: tuple[int, ...] = (256, 256)
    """Widths of the latent flow's vector field."""
    blocks: int = 1
    """Continuous flows of the point flow."""
    latent_blocks: int = 1
    latent_flow: bool = True
    """A flow as the prior of codes; without it they are drawn from a Gaussian that is fitted to
    the codes of the training data."""
    deterministic: bool = False
    """Codes without noise: an autoencoder."""
    encoder: tuple[int, ...] = (128, 128, 256, 512)
    """Widths of the encoder of points."""
    heads: tuple[int, ...] = (256, 128)
    """Widths of the hidden layers from the encoder to a code."""
    activation: Activation = "tanh"
    """Of the vector fields."""
    batch_norm: bool = True
    """Moving batch norms around the continuous flows."""
    bn_lag: float = 0.0
    """Share of the batch in the statistics that a norm applies."""
    end_time: float = 0.5
    """Of the continuous flows, or its first value."""
    learn_end_time: bool = True
    solver: Solver = field(default_factory=Solver)
    """Of the likelihood's training and of sampling. Reported likelihoods are solved tightly."""
    divergence: DivergenceKind = "gaussian"
    """Of the point flow in training: exact, or estimated along one random direction."""
    latent_divergence: DivergenceKind = "exact"
    """Of the latent flow in training. Its exact trace costs a hundred products, but of codes."""
    weights: LikelihoodWeights = field(default_factory=LikelihoodWeights)
    matching: Matching = field(default_factory=Matching)
    num_points: int = 2048
    """Points of a shape that are drawn for a training step."""
    sample_points: int | None = None
    """Points of a sample; null: ``num_points``. Any number can be asked for."""
    normalise: Literal["set", "shape"] = "set"
    """Mean and spread of all training shapes together, or of each by itself: then samples are in
    units of a shape's own spread, and likelihoods are given its mean and spread."""
    spread: Literal["scalar", "axis"] = "scalar"
    """One standard deviation, or one an axis."""
    truncation: float | None = None
    """Largest coordinate of the points' noise in sampling."""
    latent_truncation: float | None = None
    """Largest coordinate of the latents' noise in sampling."""
    start_from: str = ""
    """A trained model of the same networks, whose weights a training begins with."""

    def __post_init__(self) -> None:
        for name in ("latent_dim", "blocks", "latent_blocks", "num_points"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("hidden", "latent_hidden", "encoder", "heads"):
            widths = getattr(self, name)
            if not widths or min(widths) < 1:
                raise ValueError(f"{name} must be widths of at least 1; got {list(widths)}")
        if self.sample_points is not None and self.sample_points < 1:
            raise ValueError(f"sample_points must be at least 1; got {self.sample_points}")
        for name in ("truncation", "latent_truncation"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise ValueError(f"{name} must be above 0, or null for none; got {bound}")
        if not 0 <= self.bn_lag < 1:
            raise ValueError(f"bn_lag must be from 0 to below 1; got {self.bn_lag}")
        if not self.end_time > 0:
            raise ValueError(f"end_time must be above 0; got {self.end_time}")
        if self.objective == "likelihood" and not self.solver.adaptive:
            raise ValueError(
                "solver.method must choose its steps where the likelihood is trained (dopri5, "
                "bosh3): fixed steps teach the flow to exploit their error; got "
                f"{self.solver.method}"
            )

    @classmethod
    def official(cls, **changes: Any) -> PointFlowConfig:
        """The authors' model and objective."""
        setting: dict[str, Any] = {
            "compat": "official",
            "objective": "likelihood",
            "latent_divergence": "gaussian",
        }
        return cls(**(setting | changes))
