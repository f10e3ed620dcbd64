"""PointFlow: a flow of shape codes, and given a code a flow of points.

Reference: Yang, Huang, Hao, Liu, Belongie and Hariharan, *PointFlow: 3D Point Cloud Generation
with Continuous Normalizing Flows*, ICCV 2019, https://arxiv.org/abs/1906.12320.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.base import Autoencoder
from shapegen.config import expand
from shapegen.core import latent as latent_walks
from shapegen.core.batch_norm import measure_norms
from shapegen.core.cnf import integrating
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.mixture import GaussianMixture
from shapegen.core.noise import standard_normal, truncated_normal
from shapegen.core.objective import Objective
from shapegen.core.ode import TIGHT, Solver
from shapegen.model_files import read_model
from shapegen.points.normalisation import Normalisation, measure, resample
from shapegen.points.point_clouds import PointClouds
from shapegen.points.pointflow_config import LikelihoodWeights as LikelihoodWeights
from shapegen.points.pointflow_config import Matching as Matching
from shapegen.points.pointflow_config import PointFlowConfig as PointFlowConfig
from shapegen.points.pointflow_figures import likelihood_bound, likelihood_figures
from shapegen.points.pointflow_losses import Loss, bound_loss, matching_loss
from shapegen.points.pointflow_matching import fix_for_matching
from shapegen.points.pointflow_networks import CloudEncoder, build_flow
from shapegen.points.pointflow_solves import exact_log_prob, first_within, played
from shapegen.points.validity import checked_points

CHUNK_POINTS = 2**16
"""Points that are encoded or decoded at once."""
SKETCH, SKETCH_POINTS = Solver("midpoint", steps=2), 512
"""How a cloud is drawn that has to be there at once."""


class PointFlow(Autoencoder):
    """Latent variable model of clouds whose prior and likelihood are continuous flows.

    Everything inside is in normalised units: ``centre`` and ``scale`` are measured on the first
    data that an untrained model prepares, and stay with the weights.

    Args:
        config: Sizes, objective and options.
    """

    name: ClassVar[str] = "pointflow"
    config: PointFlowConfig
    centre: Tensor
    scale: Tensor
    measured: Tensor

    def __init__(self, config: PointFlowConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = CloudEncoder(
            config.latent_dim, config.encoder, config.heads, deterministic=config.deterministic
        )
        shared: dict[str, Any] = {
            "end_time": config.end_time,
            "learn_end_time": config.learn_end_time,
            "activation": config.activation,
            "solver": config.solver,
        }
        if config.batch_norm:
            shared["norm"] = {"lag": config.bn_lag, "compat": config.compat}
        self.point_flow = build_flow(
            3, config.hidden, context_dim=config.latent_dim, blocks=config.blocks, **shared
        )
        self.latent_flow = None
        self.mixture = None
        if config.latent_flow:
            self.latent_flow = build_flow(
                config.latent_dim, config.latent_hidden, blocks=config.latent_blocks, **shared
            )
        else:
            self.mixture = GaussianMixture(1, config.latent_dim)
        self.register_buffer("centre", torch.zeros(1, 1, 3))
        self.register_buffer("scale", torch.ones(1, 1, 3 if config.spread == "axis" else 1))
        self.register_buffer("measured", torch.zeros((), dtype=torch.bool))
        if config.objective == "flow_matching":
            fix_for_matching(self)

    @property
    def latent_dim(self) -> int:
        """Length of a shape's code."""
        return self.config.latent_dim

    @property
    def latent_part(self) -> nn.Module:
        """The latent flow, or what stands in its place."""
        return self.latent_flow if self.latent_flow is not None else nn.Identity()

    def initialise(self, *, resumed: bool) -> None:
        """Take over the weights of the model that the config names, if it names one.

        Raises:
            ValueError: There is no such model, or its networks are others.
        """
        if self.config.start_from and not resumed:
            found = read_model(expand(self.config.start_from), expect=self.name)
            try:
                self.load_state_dict(found.tensors)
            except RuntimeError:
                raise ValueError(f"{found.path} has other networks than the config says") from None
        self.config = replace(self.config, start_from="")

    # Data and training ---------------------------------------------------------------------

    def prepare(self, shapes: Any) -> Float[Tensor, "shapes points 3"]:
        """Normalised points; the first data that an untrained model sees give it its scale.

        Raises:
            TypeError: No clouds.
            ValueError: None, of different numbers of points, of fewer than 8, or without extent.
        """
        points = self._points(shapes)
        if self.config.normalise == "set" and not self.measured:
            self.set_normalisation(self._measured(points))
        return self.normalise(points)

    @property
    def normalisation(self) -> Normalisation:
        """From the data's units to the networks', on the CPU."""
        return Normalisation(self.centre.cpu(), self.scale.cpu())

    def set_normalisation(self, normalisation: Normalisation) -> None:
        """Fix mean and spread of the data."""
        self.centre.copy_(normalisation.mean)
        self.scale.copy_(normalisation.std)
        self.measured.fill_(True)

    def _points(self, shapes: Any) -> Tensor:
        points = PointClouds.of(shapes).points
        return torch.from_numpy(checked_points(points.numpy(), "the clouds"))

    def normalise(
        self, points: Float[Tensor, "batch points 3"]
    ) -> Float[Tensor, "batch points 3"]:
        """Points of the data in the networks' units."""
        return self._normalisation_of(points).apply(points)

    def _normalisation_of(self, points: Tensor) -> Normalisation:
        own = self.config.normalise == "shape"
        return self._measured(points) if own else self.normalisation

    def _measured(self, points: Tensor) -> Normalisation:
        like = self.config
        return measure(points, over=like.normalise, spread=like.spread, compat=like.compat)

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The config's objective (:mod:`shapegen.points.pointflow_losses`)."""

        def loss(batch: Tensor, step: int) -> Loss:
            if self.config.objective == "flow_matching":
                return matching_loss(self, batch, step, rng=rng)
            return bound_loss(self, resample(batch, self.config.num_points, rng=rng), rng=rng)

        return (Objective(self.config.objective, self, loss),)

    def calibrate(self, prepared: Tensor, *, rng: torch.Generator | None = None) -> None:
        """Measure the encoder's batch norms, and fit the prior of codes where no flow is one."""

        def show(indices: Tensor) -> object:
            points = resample(prepared[indices], self.config.num_points, rng=rng)
            return self.encoder(points.to(self.centre.device))

        measure_norms(self.encoder, len(prepared), show, rng=rng)
        if self.mixture is not None:
            self.mixture.fit(self._encode(prepared).mean, rng=rng)

    # Codes ---------------------------------------------------------------------------------

    def encode(self, shapes: Any) -> Float[Tensor, "shapes latent"]:
        """Codes of clouds: posterior means."""
        return self.posteriors(shapes).mean

    def posteriors(self, shapes: Any) -> DiagGaussian:
        """Posteriors of clouds."""
        return self._encode(self.normalise(self._points(shapes)))

    @torch.no_grad()
    def _encode(self, points: Tensor) -> DiagGaussian:
        parts = points.split(_chunk(points))
        found = [self.encoder(part.to(self.centre.device)) for part in parts]
        return DiagGaussian(
            torch.cat([q.mean for q in found]), torch.cat([q.logvar for q in found])
        )

    @torch.no_grad()
    def sample_latent(
        self, n: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n latent"]:
        """Draw codes from the prior."""
        if self.latent_flow is None:
            assert self.mixture is not None
            return self.mixture.sample(n, rng=rng)
        shape, bound = (n, self.latent_dim), self.config.latent_truncation
        return self.latent_flow.generate(self.base_noise(shape, bound, rng=rng))

    def base_noise(
        self, shape: Sequence[int], bound: float | None, *, rng: torch.Generator | None = None
    ) -> Tensor:
        """N(0, 1) entries with which sampling starts, none beyond ``bound`` where there is one."""
        if bound is None:
            return standard_normal(shape, like=self.centre, rng=rng)
        if self.config.compat == "official":
            return first_within(shape, bound, like=self.centre, rng=rng)
        return truncated_normal(shape, bound, like=self.centre, rng=rng)

    # Shapes --------------------------------------------------------------------------------

    def sample(
        self, n: int, *, num_points: int | None = None, rng: torch.Generator | None = None
    ) -> PointClouds:
        """Draw new clouds.

        Args:
            n: Number of clouds.
            num_points: Of each, any number; the config's by default.
            rng: Random stream.
        """
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        return self.decode(self.sample_latent(n, rng=rng), num_points=num_points, rng=rng)

    def decode(
        self,
        z: Float[Tensor, "n latent"],
        *,
        num_points: int | None = None,
        rng: torch.Generator | None = None,
    ) -> PointClouds:
        """Draw a cloud of every code, of ``num_points`` or as many points as the config says.

        Raises:
            ValueError: Codes of another shape or not finite, or no points.
        """
        z = self._codes(z)
        return self._flown(z, self._points_of_noise(len(z), num_points, rng))

    def sketch(
        self, z: Float[Tensor, "n latent"], *, rng: torch.Generator | None = None
    ) -> PointClouds:
        """Draw the first points of :meth:`decode` alone, by few steps of the flow.

        They are wrong by about a hundredth of the shape.
        """
        z = self._codes(z)
        noise = self._points_of_noise(len(z), None, rng)[:, :SKETCH_POINTS]
        with integrating(self.point_flow, solver=SKETCH):
            return self._flown(z, noise)

    def _points_of_noise(
        self, clouds: int, count: int | None, rng: torch.Generator | None
    ) -> Tensor:
        if count is None:
            count = self.config.sample_points or self.config.num_points
        if count < 1:
            raise ValueError(f"a cloud needs at least one point; got {count}")
        return self.base_noise((clouds, count, 3), self.config.truncation, rng=rng)

    def _codes(self, z: Tensor) -> Tensor:
        latent_walks.check_codes(z, self.latent_dim)
        return z.to(self.centre)

    @torch.no_grad()
    def _flown(self, z: Tensor, noise: Tensor) -> PointClouds:
        size = _chunk(noise)
        parts = zip(noise.split(size), z.split(size), strict=True)
        points = torch.cat([self.point_flow.generate(part, codes) for part, codes in parts])
        return PointClouds(points * self.scale + self.centre)

    @torch.no_grad()
    def interpolate(
        self,
        a: Any,
        b: Any,
        steps: int,
        *,
        num_points: int | None = None,
        rng: torch.Generator | None = None,
    ) -> PointClouds:
        """Clouds of ``steps`` codes from ``a`` to ``b``: the same noise, so that points move.

        The way is an arc in the space where codes are N(0, I), carried back by the latent flow.

        Args:
            a: One code ``(latent_dim,)`` or one cloud.
            b: The same.
            steps: At least 2.
            num_points: Points of a cloud; the config's by default.
            rng: Random stream.
        """
        ends = self._codes(torch.stack([self._as_latent(end) for end in (a, b)]))
        if self.latent_flow is None:
            codes = latent_walks.interpolate(ends[0], ends[1], steps)
        else:
            base, _ = self.latent_flow(ends)
            codes = self.latent_flow.generate(latent_walks.interpolate(base[0], base[1], steps))
            codes[0], codes[-1] = ends
        noise = self._points_of_noise(1, num_points, rng)
        return self._flown(codes, noise.expand(steps, -1, -1))

    @torch.no_grad()
    def trajectory(
        self,
        z: Float[Tensor, "latent"],
        steps: int,
        *,
        num_points: int | None = None,
        rng: torch.Generator | None = None,
    ) -> PointClouds:
        """Play the flow from noise to the shape of one code: ``steps`` clouds of the same points.

        A frame is what the points would be if the rest of the flow stood still.

        Raises:
            ValueError: Fewer than two steps, or not one code.
        """
        if steps < 2:
            raise ValueError(f"a trajectory needs at least 2 steps; got {steps}")
        code = self._codes(z[None] if z.ndim == 1 else z[:0])
        points = self._points_of_noise(1, num_points, rng)
        frames = played(self.point_flow, points, code, steps)
        return PointClouds(torch.cat(frames) * self.scale + self.centre)

    # Likelihood ----------------------------------------------------------------------------

    def log_prob_given(
        self,
        points: Any,
        latent: Float[Tensor, "batch latent"],
        *,
        solver: Solver = TIGHT,
    ) -> Float[Tensor, "batch points"]:
        """Exact log-density of points given their shape's code, in nats, in the data's units.

        Args:
            points: Clouds in the units of the data: a container or ``(batch, points, 3)``.
            latent: Codes, one a cloud.
            solver: Method and tolerances.

        Raises:
            ValueError: Bad clouds or codes.
        """
        nats = self.nats_given(points, latent, solver=solver)
        return -nats - self._normalisation_of(self._points(points)).log_volume.to(nats)

    @torch.no_grad()
    def nats_given(
        self, points: Any, latent: Float[Tensor, "batch latent"], *, solver: Solver = TIGHT
    ) -> Float[Tensor, "batch points"]:
        """Minus the exact log-density of every point in normalised units, in nats.

        N(0, I) has about 4.26 nats on data of unit spread.
        """
        x = self.normalise(self._points(points)).to(self.centre.device, torch.float64)
        codes = self._codes(latent)
        if len(codes) != len(x):
            raise ValueError(f"codes must be one a cloud ({len(x)}); got {len(codes)}")
        pairs = zip(x.split(_chunk(x)), codes.split(_chunk(x)), strict=True)
        found = [exact_log_prob(self.point_flow, a, b.double(), solver=solver) for a, b in pairs]
        return -torch.cat(found)

    def elbo(self, points: Any, *, rng: torch.Generator | None = None) -> Float[Tensor, "batch"]:
        """Evidence lower bound of every cloud in nats, in the data's units, from one code each."""
        return self.importance_bound(points, 1, rng=rng)

    def importance_bound(
        self, points: Any, draws: int, *, rng: torch.Generator | None = None
    ) -> Float[Tensor, "batch"]:
        """Lower bound of every cloud's log-likelihood from ``draws`` codes, in nats.

        Raises:
            ValueError: No draw, no posterior, or no flow as prior.
        """
        return likelihood_bound(self, points, draws, rng=rng)

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> dict[str, float]:
        """Likelihoods of held-out clouds: see :func:`likelihood_figures`."""
        return likelihood_figures(self, PointClouds.of(shapes), rng=rng)


def _chunk(points: Tensor) -> int:
    return max(1, CHUNK_POINTS // points.shape[1])
