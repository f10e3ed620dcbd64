"""Densities of the plane to try flows on: drawn from exactly, with exact log-densities.

>>> density = toy_density("eight-gaussians")
>>> density.sample(3, rng=torch.Generator().manual_seed(0)).shape
torch.Size([3, 2])
>>> round(density.entropy(), 2)
2.83
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.noise import standard_normal

NODES = 96
"""Of the quadrature along a curve."""
SIDE = 240
"""Cells of a grid's side, of the quadrature over the plane."""
_CHUNK = 2**14


class ToyDensity(ABC):
    """A density of two coordinates."""

    @property
    @abstractmethod
    def reach(self) -> float:
        """Half the side of a square around 0 outside of which there is next to nothing."""

    @abstractmethod
    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n 2"]:
        """Draw points in double precision."""

    @abstractmethod
    def log_prob(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        """Log-density in nats."""

    def entropy(self) -> float:
        """Mean of minus the log-density in nats, by quadrature: right to 1e-4 or better."""
        points, cell = grid(self.reach)
        log_prob = torch.cat([self.log_prob(part) for part in points.split(_CHUNK)])
        return float(torch.special.entr(log_prob.exp()).sum()) * cell


def grid(reach: float, side: int = SIDE) -> tuple[Float[Tensor, "cells 2"], float]:
    """Middles of the cells of a square around 0, and the area of one.

    Args:
        reach: Half the square's side.
        side: Cells along it.
    """
    middles = ((torch.arange(side, dtype=torch.float64) + 0.5) / side * 2 - 1) * reach
    return torch.cartesian_prod(middles, middles), (2 * reach / side) ** 2


@dataclass(frozen=True)
class Blobs(ToyDensity):
    """Gaussians of equal weight around a circle, their axes along the radius and across it.

    With a ``twist`` the plane is turned around 0 by an angle that grows with the radius, which
    leaves areas as they are: a pinwheel.
    """

    count: int = 8
    radius: float = 4 / math.sqrt(2)
    radial: float = 0.5 / math.sqrt(2)
    """Standard deviation along the radius."""
    tangential: float = 0.5 / math.sqrt(2)
    """Standard deviation across it."""
    twist: float = 0.0
    """Radians a unit of radius."""

    @property
    def reach(self) -> float:
        """The farthest that six standard deviations come."""
        return self.radius + 6 * max(self.radial, self.tangential)

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n 2"]:
        """Draw points."""
        arm = _whole(n, self.count, rng).double() * (2 * math.pi / self.count)
        x = standard_normal((n, 2), like=arm, rng=rng) * self._spread + self._mean
        return _turned(x, arm + self.twist * x.norm(dim=-1))

    def log_prob(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        """Log-density: the arms' mean."""
        x = x.double()
        back = -self.twist * x.norm(dim=-1)
        arms = torch.arange(self.count) * (2 * math.pi / self.count)
        u = torch.stack([_turned(x, back - arm) for arm in arms])
        normal = torch.distributions.Normal(self._mean, self._spread)
        return normal.log_prob(u).sum(-1).logsumexp(0) - math.log(self.count)

    @property
    def _mean(self) -> Tensor:
        return torch.tensor([self.radius, 0.0], dtype=torch.float64)

    @property
    def _spread(self) -> Tensor:
        return torch.tensor([self.radial, self.tangential], dtype=torch.float64)


@dataclass(frozen=True)
class Spots(ToyDensity):
    """Round Gaussians of equal weight: the modes that a generator must not lose."""

    centres: tuple[tuple[float, float], ...]
    spread: float
    """Standard deviation of a coordinate."""

    @property
    def reach(self) -> float:
        """The farthest coordinate and six standard deviations."""
        return float(self.places.abs().max()) + 6 * self.spread

    @property
    def places(self) -> Float[Tensor, "modes 2"]:
        """The centres."""
        return torch.tensor(self.centres, dtype=torch.float64)

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n 2"]:
        """Draw points."""
        places = self.places[_whole(n, len(self.centres), rng)]
        return places + self.spread * standard_normal((n, 2), like=places, rng=rng)

    def log_prob(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        """Log-density: the mean over the Gaussians."""
        squared = torch.cdist(x.double(), self.places).square() / self.spread**2
        normaliser = math.log(2 * math.pi * self.spread**2) + math.log(len(self.centres))
        return (-squared / 2).logsumexp(-1) - normaliser


@dataclass(frozen=True)
class Rings(ToyDensity):
    """Circles around 0 of equal weight, with normal noise of the radius."""

    radii: Sequence[float] = (1.0, 2.0, 3.0)
    noise: float = 0.1
    """Standard deviation of the radius."""

    @property
    def reach(self) -> float:
        """The largest radius and six standard deviations."""
        return max(self.radii) + 6 * self.noise

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n 2"]:
        """Draw points."""
        radii = torch.tensor(self.radii, dtype=torch.float64)[_whole(n, len(self.radii), rng)]
        radius = radii + self.noise * standard_normal((n,), like=radii, rng=rng)
        angle = 2 * math.pi * _uniform(n, rng)
        return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)

    def log_prob(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        """Log-density: that of the radius, spread over the circle's length."""
        radius = x.double().norm(dim=-1)
        normal = torch.distributions.Normal(
            torch.tensor(self.radii, dtype=torch.float64)[:, None], self.noise
        )
        # A drawn radius below 0 is one above it in the opposite direction.
        both = torch.cat([normal.log_prob(radius), normal.log_prob(-radius)])
        circle = (2 * math.pi * radius).log()
        return both.logsumexp(0) - math.log(len(self.radii)) - circle


@dataclass(frozen=True)
class Checkerboard(ToyDensity):
    """Uniform on the dark fields of a board."""

    fields: int = 4
    """Along a side; an even number."""
    side: float = 8.0

    @property
    def reach(self) -> float:
        """Half the side."""
        return self.side / 2

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n 2"]:
        """Draw points."""
        row = _whole(n, self.fields, rng)
        column = 2 * _whole(n, self.fields // 2, rng) + row % 2
        corner = torch.stack([row, column], -1)
        inside = torch.stack([_uniform(n, rng), _uniform(n, rng)], -1)
        return (corner + inside) * (self.side / self.fields) - self.reach

    def log_prob(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        """Log-density: one number inside, minus infinity outside."""
        field = ((x.double() + self.reach) * (self.fields / self.side)).floor()
        dark = (field.sum(-1) % 2 == 0) & (field >= 0).all(-1) & (field < self.fields).all(-1)
        inside = x.new_full((len(x),), -self.entropy(), dtype=torch.float64)
        return inside.masked_fill(~dark, -math.inf)

    def entropy(self) -> float:
        """Logarithm of the dark area, exactly."""
        return math.log(self.side**2 / 2)


class Curves(ToyDensity):
    """Curves of equal weight with normal noise around every point.

    Their integral is taken by Gauss and Legendre's quadrature, exact to rounding where the noise
    is wide beside the distance of the nodes.
    """

    noise: float
    """Standard deviation of a coordinate."""
    count: int
    """Number of curves."""

    @abstractmethod
    def curve(self, t: Float[Tensor, "n"], number: int) -> Float[Tensor, "n 2"]:
        """Points at ``t`` from 0 to 1, which is uniform, of one curve."""

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Float[Tensor, "n 2"]:
        """Draw points."""
        number, t = _whole(n, self.count, rng), _uniform(n, rng)
        points = torch.stack([self.curve(t, each) for each in range(self.count)])
        centres = points[number, torch.arange(n)]
        return centres + self.noise * standard_normal((n, 2), like=t, rng=rng)

    def log_prob(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n"]:
        """Log-density: the mean over the curves."""
        nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(NODES))
        t = (nodes + 1) / 2
        centres = torch.cat([self.curve(t, each) for each in range(self.count)])
        log_weights = (weights / (2 * self.count)).log().repeat(self.count)
        squared = torch.cdist(x.double(), centres).square() / self.noise**2
        normaliser = math.log(2 * math.pi * self.noise**2)
        return (log_weights - squared / 2).logsumexp(-1) - normaliser


@dataclass(frozen=True)
class TwoMoons(Curves):
    """Two half circles of radius 2 that reach into each other."""

    noise: float = 0.2
    count: int = 2

    @property
    def reach(self) -> float:
        """The farthest point and six standard deviations."""
        return 3 + 6 * self.noise

    def curve(self, t: Float[Tensor, "n"], number: int) -> Float[Tensor, "n 2"]:
        """An upper half circle on the left, a lower one on the right."""
        side = 1 - 2 * number
        x, y = 2 * torch.cos(math.pi * t) - side, 2 * torch.sin(math.pi * t) - 0.5
        return torch.stack([x, side * y], -1)


@dataclass(frozen=True)
class SwissRoll(Curves):
    """A spiral of one and a half turns."""

    noise: float = 0.2
    count: int = 1

    @property
    def reach(self) -> float:
        """The end of the spiral and six standard deviations."""
        return 4 + 6 * self.noise

    def curve(self, t: Float[Tensor, "n"], number: int) -> Float[Tensor, "n 2"]:
        """The radius grows with the angle, from 4/3 to 4."""
        angle = 1.5 * math.pi * (1 + 2 * t)
        radius = 4 * angle / (4.5 * math.pi)
        return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)


DENSITIES: dict[str, ToyDensity] = {
    "eight-gaussians": Blobs(),
    "pinwheel": Blobs(count=5, radius=2.0, radial=0.6, tangential=0.2, twist=0.7),
    "rings": Rings(),
    "checkerboard": Checkerboard(),
    "two-moons": TwoMoons(),
    "swiss-roll": SwissRoll(),
}

MODES: dict[str, Spots] = {
    "ring": Spots(
        tuple((2 * math.cos(k * math.pi / 4), 2 * math.sin(k * math.pi / 4)) for k in range(8)),
        0.02,
    ),
    "grid": Spots(
        tuple((float(x), float(y)) for x in range(-4, 5, 2) for y in range(-4, 5, 2)), 0.05
    ),
}
"""Eight modes on a circle of radius 2, and 25 on a lattice of side 8, far apart for their width:
for :func:`ToyDensity.entropy`'s quadrature too narrow.

References: Metz et al., *Unrolled Generative Adversarial Networks*, 2017 (ring); Lin et al.,
*PacGAN*, 2018, section 4.1 (both)."""


def toy_density(name: str) -> ToyDensity:
    """Look a density up.

    Raises:
        ValueError: There is none of that name.
    """
    if name not in DENSITIES:
        raise ValueError(f"unknown toy density `{name}`; accepted: {', '.join(DENSITIES)}")
    return DENSITIES[name]


def _turned(x: Tensor, angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]], -1)


def _whole(n: int, below: int, rng: torch.Generator | None) -> Tensor:
    return torch.randint(below, (n,), generator=rng)


def _uniform(n: int, rng: torch.Generator | None) -> Tensor:
    return torch.rand(n, generator=rng, dtype=torch.float64)
