"""A pinhole camera that frames what it is given."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]

NEAR = 1e-3
"""Least depth, as a share of the distance to the target; what is nearer is not drawn."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A pose and how far an image reaches.

    Image coordinates: x to the right, y down, the shorter side of the image from -1 to 1.
    """

    eye: Float
    """``(3,)`` in the scene."""
    axes: Float
    """``(3, 3)``: right, up and forward, a unit vector a row."""
    zoom: float
    """Image coordinate of a point one to the right at depth one."""
    centre: tuple[float, float] = (0.0, 0.0)
    """Image coordinates (before this shift) that come to the middle of the image."""

    @classmethod
    def of_pose(cls, pose: ArrayLike, fov: float) -> Camera:
        """The camera of a camera-to-world pose.

        Args:
            pose: ``(4, 4)``: columns right, up, backward, eye, as :attr:`pose` gives it.
            fov: Field of view in radians along the shorter side, above 0 and below pi.

        Raises:
            ValueError: No rigid motion, or a field of view of no image.
        """
        matrix = np.asarray(pose, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError(f"a pose must be (4, 4), of finite numbers; got {matrix.shape}")
        axes = matrix[:3, :3].T * [[1.0], [1.0], [-1.0]]
        # Loose enough for poses of single precision.
        if not np.allclose(axes @ axes.T, np.eye(3), atol=1e-4) or np.linalg.det(axes) > 0:
            raise ValueError("a pose's first three columns must be orthonormal and right-handed")
        if not 0 < fov < np.pi:
            raise ValueError(f"fov must be above 0 and below pi radians; got {fov}")
        return cls(eye=matrix[:3, 3], axes=axes, zoom=1.0 / float(np.tan(0.5 * fov)))

    @property
    def pose(self) -> Float:
        """Camera-to-world ``(4, 4)``: columns right, up, backward, eye."""
        pose = np.eye(4)
        pose[:3, :3] = (self.axes * [[1.0], [1.0], [-1.0]]).T
        pose[:3, 3] = self.eye
        return pose

    def project(self, points: ArrayLike) -> Float:
        """Map points ``(..., 3)`` to ``(..., 3)``: image x, image y, depth along forward."""
        local = (np.asarray(points, dtype=np.float64) - self.eye) @ self.axes.T
        depth = local[..., 2]
        scale = self.zoom / np.maximum(depth, 1e-12)
        x = local[..., 0] * scale - self.centre[0]
        y = -local[..., 1] * scale - self.centre[1]
        return np.stack([x, y, depth], axis=-1)

    def rays(self, points: ArrayLike) -> Float:
        """Directions ``(..., 3)`` with depth one through image points ``(..., 2)``."""
        points = np.asarray(points, dtype=np.float64)
        x = (points[..., 0] + self.centre[0]) / self.zoom
        y = -(points[..., 1] + self.centre[1]) / self.zoom
        return np.stack([x, y, np.ones_like(x)], axis=-1) @ self.axes


def framing(
    points: ArrayLike,
    *,
    azimuth: float = 0.6,
    elevation: float = 0.36,
    distance: float = 2.6,
    margin: float = 0.1,
    aspect: float = 1.0,
) -> Camera:
    """Look at points from a direction so that they fill the image.

    Args:
        points: ``(n, 3)``, at least one.
        azimuth: Radians from the front (+z) towards +x.
        elevation: Radians above the horizon.
        distance: From the middle of the points, in lengths of their bounding box's diagonal: the
            strength of the perspective. What is seen is the same at any distance.
        margin: Share of the image left free on every side.
        aspect: Width of the image by its height.

    Raises:
        ValueError: There are no points.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if not len(points):
        raise ValueError("a camera needs points to look at; got none")
    low, high = points.min(0), points.max(0)
    target = 0.5 * (low + high)
    away = distance * max(float(np.linalg.norm(high - low)), 1e-6)
    flat = np.cos(elevation)
    back = np.array([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)])
    right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
    axes = np.stack([right, np.cross(back, right), -back])
    camera = Camera(eye=target + away * back, axes=axes, zoom=1.0)
    seen = camera.project(points)[:, :2]
    half = 0.5 * (seen.max(0) - seen.min(0))
    reach = np.array([max(aspect, 1.0), max(1.0 / aspect, 1.0)]) * (1.0 - 2.0 * margin)
    # A floor, so that a single point is not enlarged without end.
    zoom = float((reach / np.maximum(half, 0.01 / distance)).min())
    middle = zoom * 0.5 * (seen.max(0) + seen.min(0))
    return replace(camera, zoom=zoom, centre=(float(middle[0]), float(middle[1])))
