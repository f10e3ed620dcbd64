"""How the pictures of a set were taken, as options."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from shapegen.fields.cameras import Lens, Viewpoints, orthographic, pinhole
from shapegen.fields.rays import Rays, image_rays, in_slab, in_sphere


@dataclass(frozen=True)
class CameraSetting:
    """Cameras around an object at the origin, z up; nothing is known of a single picture."""

    fov: float = 30.0
    """Field of view in degrees, from the left to the right border of an image."""
    radius: tuple[float, float] = (10.0, 10.0)
    """Distances of cameras from the origin, evenly distributed."""
    azimuth: tuple[float, float] = (0.0, 360.0)
    """Degrees from x towards y."""
    polar: tuple[float, float] = (0.0, 85.0)
    """Degrees from straight up: 90 is level."""
    near: float = 7.5
    """Depth at which a camera that is farthest away begins to see."""
    far: float = 12.5
    """Depth at which it sees no more."""
    sphere: float | None = None
    """Instead of ``near`` and ``far``: radius of a sphere that holds the object, whose inside
    alone is seen; rays have samples where they can need them."""
    parallel: bool = False
    """Orthographic images, of an extent of ``far - near``; ``fov`` counts for nothing."""

    def __post_init__(self) -> None:
        if not 0 < self.fov < 180:
            raise ValueError(f"fov must be above 0 and below 180 degrees; got {self.fov}")
        if not 0 <= self.near < self.far < math.inf:
            raise ValueError(f"near and far must be 0 <= near < far; got {self.near}, {self.far}")
        if self.radius[1] - self.radius[0] > self.near:
            raise ValueError(
                f"near {self.near} would be behind the nearest cameras (radius {self.radius})"
            )
        if self.sphere is not None and not self.sphere > 0:
            raise ValueError(f"sphere must be a radius above 0, or null; got {self.sphere}")
        self.viewpoints  # noqa: B018 - refuses wrong ranges

    @property
    def viewpoints(self) -> Viewpoints:
        """Where cameras are."""
        azimuth, polar = (
            (math.radians(low), math.radians(high)) for low, high in (self.azimuth, self.polar)
        )
        return Viewpoints(azimuth, polar, self.radius)

    def lens(self, size: int, *, corner: bool = False) -> Lens:
        """What the pixels of an image of ``size`` see; ``corner`` as for :func:`pinhole`."""
        if self.parallel:
            return orthographic(size, self.far - self.near, corner=corner)
        return pinhole(size, math.radians(self.fov), corner=corner)

    def rays(
        self, origins: Float[Tensor, "*shape 3"], directions: Float[Tensor, "*shape 3"]
    ) -> Rays:
        """Rays with the part of each in which something can be."""
        if self.sphere is not None:
            return in_sphere(origins, directions, self.sphere)
        low, high = self.radius
        farthest = high if low < high else None
        return in_slab(origins, directions, self.near, self.far, farthest=farthest)

    def image_rays(self, poses: Float[Tensor, "n 4 4"], lens: Lens) -> Rays:
        """Rays ``(n, size * size)`` of whole images, row by row."""
        origins, directions = image_rays(poses, lens)
        return self.rays(origins.flatten(1, 2), directions.flatten(1, 2))

    @property
    def depth_of_view(self) -> float:
        """How far a ray through the middle sees from its first to its last sample."""
        return self.far - self.near if self.sphere is None else 2 * self.sphere

    @property
    def reach(self) -> float:
        """Half the side of a cube about the origin that holds all that can be seen of it."""
        if self.sphere is not None:
            return self.sphere
        if self.parallel:
            return (self.far - self.near) * math.sqrt(3) / 2
        slope = math.sqrt(2) * math.tan(math.radians(self.fov) / 2)
        away = self.radius[1]
        return max(math.hypot(t - away, slope * t) for t in (self.near, self.far))
