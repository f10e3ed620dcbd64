"""Scenes: checks, bounds, the merged mesh."""

from __future__ import annotations

import numpy as np
import pytest

from shapegen.core import boxes as box_algebra
from shapegen.scene import Boxes, Image, Mesh, Node, Points, Scene

TILTED = [0.5, 1.0, -0.5, 1.0, 0.5, 0.25, 0.8, 0.6, 0.0, -0.6, 0.8, 0.0]
TRIANGLE = Mesh(np.eye(3), [[0, 1, 2]], vertex_colors=np.eye(3))


def test_the_merged_mesh_is_that_of_the_boxes_with_the_nodes_colours() -> None:
    scene = Scene(
        (
            Node("group"),
            Node("a", 0, Boxes([TILTED]), (1, 0, 0)),
            Node("cloud", 0, Points([[9, 9, 9]])),
            Node("b", 0, TRIANGLE),
        )
    )
    mesh = scene.mesh()
    vertices, faces = box_algebra.mesh([TILTED])
    np.testing.assert_array_equal(mesh.vertices, np.concatenate([vertices, np.eye(3)]))
    np.testing.assert_array_equal(mesh.faces, np.concatenate([faces, [[8, 9, 10]]]))
    assert mesh.face_colors is not None
    np.testing.assert_array_equal(mesh.face_colors[:12], [[1, 0, 0]] * 12)
    np.testing.assert_allclose(mesh.face_colors[12], 1 / 3)  # mean of the corners' colours
    np.testing.assert_array_equal(scene.bounds()[1], [9, 9, 9])
    assert scene.children == ((1, 2, 3), (), (), ())


def test_an_empty_scene_has_a_mesh_but_no_bounds() -> None:
    assert len(Scene().mesh().faces) == 0
    with pytest.raises(ValueError, match="no bounds"):
        Scene((Node("group"),)).bounds()


def test_extras_cannot_be_changed_afterwards() -> None:
    extras = {"label": "leg"}
    node = Node("leg", extras=extras)
    extras["label"] = "arm"
    assert node.extras["label"] == "leg"
    with pytest.raises(TypeError):
        node.extras["label"] = "arm"  # type: ignore[index]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Points([[0, 0]]), r"positions must be \(n, 3\); got \(1, 2\)"),
        (lambda: Points([[0, 0, np.nan]]), "positions must be finite"),
        (lambda: Points([[0, 0, 0]], [[0, 0, 2]]), r"colors must be \(1, 3\) in 0..1"),
        (lambda: Boxes([[1, 2, 3]]), r"boxes must be \(n, 12\)"),
        (lambda: Boxes([[np.inf] * 12]), "must be finite"),
        (lambda: Mesh(np.eye(3), [[0, 1, 3]]), "faces must name vertices 0..2; got 0..3"),
        (lambda: Image(np.zeros((4, 4, 3))), r"pixels must be .* got \(4, 4, 3\) float64"),
        (lambda: Image(np.zeros((4, 4), np.uint8)), "pixels must be"),
        (lambda: Node("a", color=(2, 0, 0)), "a colour is three numbers in 0..1"),
        (lambda: Scene((Node("a", 0),)), "the parent of node 0 must come before it"),
    ],
)
def test_nonsense_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
