r"""Cameras around an object: poses, lenses, and where pictures are taken from.

A pose is camera-to-world, ``(4, 4)``: the columns are the camera's right, up and backward axes and
its place. The object is at the origin and **z is up**, as in the original implementation of GRAF.
Angles are radians: the azimuth turns from x towards y, the polar angle is that from straight up.

Reference: Schwarz, Liao, Niemeyer and Geiger, *GRAF: Generative Radiance Fields for 3D-Aware Image
Synthesis*, 2020, section 3.2.1, https://arxiv.org/abs/2007.02442.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.core.noise import uniform

_SHORTEST = 1e-5
"""Length of an axis below which it has no direction: the camera looks along ``up``."""
_LEAST_ANGLE = math.radians(0.1)


@dataclass(frozen=True)
class Lens:
    """What a pixel of a square image sees.

    With pixels numbered from 0 at the upper left corner, the middle of a pixel lies
    ``(pixel - centre) / focal`` to the right of the axis and below it, at depth one; with parallel
    rays at every depth.
    """

    size: int
    """Height and width of the image in pixels."""
    focal: float
    """Pixels for one unit at depth one; of parallel rays, at every depth."""
    centre: float
    """The pixel on the axis, in both directions."""
    parallel: bool = False
    """Rays that do not meet: an orthographic image."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel; got {self.size}")
        if not 0 < self.focal < math.inf:
            raise ValueError(f"focal must be above 0 and finite; got {self.focal}")


def pinhole(size: int, fov: float, *, corner: bool = False) -> Lens:
    r"""A perspective image of a field of view.

    .. math:: f = \frac{\text{size}}{2 \tan(\text{fov} / 2)}

    Args:
        size: Of the image in pixels.
        fov: Angle between its left and right border, above 0 and below pi.
        corner: Put the axis through pixel ``size / 2``, half a pixel off the middle, as the
            original does.

    Raises:
        ValueError: A field of view of no image.
    """
    if not 0 < fov < math.pi:
        raise ValueError(f"fov must be above 0 and below pi radians; got {fov}")
    return Lens(size, size / 2 / math.tan(fov / 2), _centre(size, corner))


def orthographic(size: int, extent: float, *, corner: bool = False) -> Lens:
    """An image of parallel rays.

    Args:
        size: Of the image in pixels.
        extent: Length of the world from its left to its right border.
        corner: As for :func:`pinhole`.

    Raises:
        ValueError: An extent that is not above 0.
    """
    if not 0 < extent < math.inf:
        raise ValueError(f"extent must be above 0 and finite; got {extent}")
    return Lens(size, size / extent, _centre(size, corner), parallel=True)


def look_at(places: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4 4"]:
    """Poses of cameras that look at the origin, z up in the image.

    Straight above or below, where every direction could be up, y is.

    Args:
        places: Of the cameras, not at the origin.
    """
    back = places / places.norm(dim=-1, keepdim=True).clamp_min(_SHORTEST)
    across = torch.linalg.cross(_like(back, (0.0, 0.0, 1.0)), back)
    spare = torch.linalg.cross(_like(back, (0.0, 1.0, 0.0)), back)
    lost = across.norm(dim=-1, keepdim=True) < _SHORTEST
    right = torch.where(lost, spare, across)
    right = right / right.norm(dim=-1, keepdim=True)
    up = torch.linalg.cross(back, right)
    axes = torch.stack([right, up, back, places], -1)  # (*n, 3, 4)
    last = _like(axes[..., :1, :], (0.0, 0.0, 0.0, 1.0))
    return torch.cat([axes, last], -2)


def on_sphere(
    azimuth: Float[Tensor, "*n"], polar: Float[Tensor, "*n"], radius: Float[Tensor, "*n"]
) -> Float[Tensor, "*n 4 4"]:
    """Poses of cameras on spheres around the origin, which look at it.

    Args:
        azimuth: From x towards y.
        polar: From straight up, 0 to pi.
        radius: Of the sphere, above 0.
    """
    flat = polar.sin()
    directions = torch.stack([flat * azimuth.cos(), flat * azimuth.sin(), polar.cos()], -1)
    return look_at(radius[..., None] * directions)


@dataclass(frozen=True)
class Viewpoints:
    """Where pictures of a set are taken from: uniformly on a part of a sphere, or of a shell."""

    azimuth: tuple[float, float] = (0.0, 2 * math.pi)
    polar: tuple[float, float] = (0.0, math.pi / 2)
    radius: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if not self.azimuth[0] <= self.azimuth[1]:
            raise ValueError(f"azimuth must go from low to high; got {self.azimuth}")
        if not 0 <= self.polar[0] <= self.polar[1] <= math.pi:
            raise ValueError(f"polar must be in 0 to pi, from low to high; got {self.polar}")
        if not 0 < self.radius[0] <= self.radius[1] < math.inf:
            raise ValueError(f"radius must be above 0, from low to high; got {self.radius}")

    def draw(
        self, n: int, *, like: Tensor, rng: torch.Generator | None = None
    ) -> Float[Tensor, "n 4 4"]:
        """Draw poses: equal areas of the sphere are equally likely, and so are radii.

        Args:
            n: How many.
            like: Gives the device and the precision.
            rng: Random stream.
        """
        share = uniform((n, 3), like=like, rng=rng)
        azimuth = _between(self.azimuth, share[:, 0])
        heights = (math.cos(self.polar[0]), math.cos(self.polar[1]))
        polar = _between(heights, share[:, 1]).clamp(-1, 1).arccos()
        return on_sphere(azimuth, polar, _between(self.radius, share[:, 2]))

    def middle(self, *, like: Tensor) -> Float[Tensor, "4 4"]:
        """The pose amid all of them."""
        angles = [sum(each) / 2 for each in (self.azimuth, self.polar, self.radius)]
        return on_sphere(*like.new_tensor(angles).unbind())

    def turned(self, n: int, *, like: Tensor) -> Float[Tensor, "n 4 4"]:
        """Poses in equal steps around the object, as high as the middle, as far as the farthest.

        Args:
            n: How many.
            like: Gives the device and the precision.
        """
        return turned(n, self.azimuth, sum(self.polar) / 2, self.radius[1], like=like)

    def tilted(self, n: int, *, like: Tensor) -> Float[Tensor, "n 4 4"]:
        """Poses in equal steps from the top down, in the middle of the azimuths."""
        return tilted(n, self.polar, sum(self.azimuth) / 2, self.radius[1], like=like)


def turned(
    n: int, azimuths: tuple[float, float], polar: float, radius: float, *, like: Tensor
) -> Float[Tensor, "n 4 4"]:
    """Poses in equal steps of the azimuth, the last one step before the range's end."""
    polars = torch.full_like(_steps(azimuths, n, like), polar)
    return _orbit(_steps(azimuths, n, like), polars, radius)


def tilted(
    n: int, polars: tuple[float, float], azimuth: float, radius: float, *, like: Tensor
) -> Float[Tensor, "n 4 4"]:
    """Poses in equal steps of the polar angle, the last one step before the range's end."""
    azimuths = torch.full_like(_steps(polars, n, like), azimuth)
    return _orbit(azimuths, _steps(polars, n, like), radius)


def _orbit(azimuth: Tensor, polar: Tensor, radius: float) -> Tensor:
    # No angle is below a tenth of a degree, as in the original: right above, z is not up.
    azimuth, polar = azimuth.clamp_min(_LEAST_ANGLE), polar.clamp_min(_LEAST_ANGLE)
    return on_sphere(azimuth, polar, torch.full_like(polar, radius))


def _steps(ends: tuple[float, float], n: int, like: Tensor) -> Tensor:
    if n < 1:
        raise ValueError(f"at least one pose is needed; got {n}")
    return torch.linspace(*ends, n + 1, dtype=like.dtype, device=like.device)[:-1]


def _centre(size: int, corner: bool) -> float:
    return size / 2 if corner else (size - 1) / 2


def _between(ends: tuple[float, float], share: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * share


def _like(tensor: Tensor, row: tuple[float, ...]) -> Tensor:
    return tensor.new_tensor(row).expand_as(tensor)
