"""STL, binary: triangles only, for printing and for programs that read nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shapegen.formats.atomic import replacing
from shapegen.scene import Scene

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def write_stl(scene: Scene, path: str | Path) -> None:
    """Write all boxes and meshes of a scene as one surface.

    Raises:
        ValueError: There are no triangles in the scene.
    """
    mesh = scene.mesh()
    if not len(mesh.faces):
        raise ValueError("STL holds triangles only; the scene has none")
    corners = mesh.vertices[mesh.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    rows = np.zeros(len(corners), _TRIANGLE)
    rows["normal"] = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-30)
    rows["corners"] = corners
    # The header must not begin with "solid", by which text files are recognised.
    header = b"shapegen, y up".ljust(80) + np.uint32(len(rows)).astype("<u4").tobytes()
    with replacing(path) as aside:
        aside.write_bytes(header + rows.tobytes())
