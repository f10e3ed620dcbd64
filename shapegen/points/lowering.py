"""Point clouds as scenes: a named node a cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shapegen.core.grid import grid_offsets
from shapegen.scene import Colour, Node, Points, Scene

if TYPE_CHECKING:
    from shapegen.points.point_clouds import PointClouds

COLOR: Colour = (0.36, 0.55, 0.72)


def clouds_scene(clouds: PointClouds, *, columns: int | None = None) -> Scene:
    """Lower clouds side by side, in rows from the back to the front.

    Args:
        clouds: At least one. One alone stays where it is; in a grid every shape stands on the
            ground y = 0.
        columns: Shapes in a row; default about 1.6 times as many as rows.

    Raises:
        ValueError: There are no clouds.
    """
    if not len(clouds):
        raise ValueError("a scene needs at least one point cloud; got none")
    points = clouds.points.double().numpy()
    if len(points) > 1:
        bounds = np.stack([points.min(1), points.max(1)], axis=1)
        points = points + grid_offsets(bounds, columns=columns)[:, None]
    return Scene(
        tuple(
            Node(
                name="cloud" if len(points) == 1 else f"cloud_{number}",
                primitive=Points(cloud),
                color=COLOR,
                extras={"name": name} if name else {},
            )
            for number, (cloud, name) in enumerate(zip(points, clouds.names, strict=True), start=1)
        )
    )
