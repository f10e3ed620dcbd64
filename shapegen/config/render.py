"""How shapes are turned into images, as options."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RenderConfig:
    """Cameras around a shape at the origin, z up, each drawn evenly over the part of a sphere."""

    size: int = 32
    """Height and width of the images in pixels."""
    views: int = 1
    """Images of every shape."""
    fov: float = 30.0
    """Field of view in degrees, from the left to the right border of an image."""
    radius: tuple[float, float] = (4.0, 4.0)
    """Distances of the cameras from the origin."""
    azimuth: tuple[float, float] = (0.0, 360.0)
    """Degrees from x towards y; -90 is the front."""
    polar: tuple[float, float] = (50.0, 80.0)
    """Degrees from straight up: 90 is level."""
    normalise: bool = True
    """Move every shape so that the middle of its bounding box is the origin, and scale it so that
    the box's diagonal is 2: it is within the unit sphere."""
    shadows: bool = False
    """Let parts shade one another; takes about three times as long."""
    maps: bool = False
    """Keep alpha, depth and parts too."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel; got {self.size}")
        if self.views < 1:
            raise ValueError(f"views must be at least 1 a shape; got {self.views}")
        if not 0 < self.fov < 180:
            raise ValueError(f"fov must be above 0 and below 180 degrees; got {self.fov}")
        if not 0 < self.radius[0] <= self.radius[1]:
            raise ValueError(f"radius must be above 0, from low to high; got {self.radius}")
        if not self.azimuth[0] <= self.azimuth[1]:
            raise ValueError(f"azimuth must go from low to high; got {self.azimuth}")
        if not 0 <= self.polar[0] <= self.polar[1] <= 180:
            raise ValueError(f"polar must be in 0 to 180, from low to high; got {self.polar}")
