"""Files in another unit, with another axis upwards; turntables; one solid to print."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image as pil

from shapegen.core import boxes as box_algebra
from shapegen.formats import read_mesh, write_scene
from shapegen.formats.axes import converted
from shapegen.formats.solid import solid
from shapegen.formats.turntables import write_turntable
from shapegen.scene import Boxes, Mesh, Node, Points, Scene, side_by_side

ROWS = np.array([[0.0, 1, 2, 1, 2, 3, 1, 0, 0, 0, 1, 0], [0.5, 1.5, 2, 1, 1, 1, 0, 0, 1, 0, 1, 0]])


@pytest.fixture
def scene() -> Scene:
    group = Node("chair", extras={"label": "chair", "box": [0.0] * 12})
    parts = [
        Node(f"part_{n}", 0, Boxes(row[None]), (0.2 + 0.6 * n, 0.2, 0.2), {"label": f"chair/{n}"})
        for n, row in enumerate(ROWS)
    ]
    return Scene((group, *parts))


@pytest.mark.parametrize("extension", [".obj", ".ply", ".stl"])
def test_z_up_is_a_quarter_turn_and_a_centimetre_a_hundredth(
    scene: Scene, extension: str, tmp_path: Path
) -> None:
    write_scene(scene, tmp_path / f"a{extension}", unit="cm", up="z")
    mesh = read_mesh(tmp_path / f"a{extension}")
    low, high = scene.bounds()
    # (x, y, z) comes to (x, -z, y): the front, which was +z, is -y.
    expected = 100 * np.array([[low[0], -high[2], low[1]], [high[0], -low[2], high[1]]])
    np.testing.assert_allclose([mesh.vertices.min(0), mesh.vertices.max(0)], expected, rtol=1e-5)
    volume = trimesh.Trimesh(mesh.vertices, mesh.faces).volume
    assert volume == pytest.approx(7e6, rel=1e-5)  # 6 + 1, and nothing turned inside out


def test_what_stands_in_old_coordinates_is_dropped(scene: Scene) -> None:
    turned = converted(scene, up="z")
    assert dict(turned.nodes[0].extras) == {"label": "chair"}
    assert dict(turned.nodes[1].extras) == {"label": "chair/0"}


@pytest.mark.parametrize(
    ("name", "frame", "message"),
    [
        ("a.glb", {"unit": "cm"}, r"for \.obj, \.ply, \.stl, \.usda; got \.glb, whose .* metres"),
        ("a.png", {"up": "z"}, r"for \.obj, \.ply, \.stl, \.usda; got \.png"),
        ("a.obj", {"unit": "inch"}, "unknown unit 'inch'; accepted: m, cm"),
        ("a.obj", {"up": "x"}, "unknown axis upwards 'x'; accepted: y, z"),
    ],
)
def test_frames_that_a_format_does_not_have(
    scene: Scene, name: str, frame: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        write_scene(scene, tmp_path / name, **frame)
    assert list(tmp_path.iterdir()) == []


def test_scenes_side_by_side_do_not_overlap(scene: Scene) -> None:
    cloud = Scene((Node("cloud", primitive=Points(5 * np.eye(3))),))
    flat = Scene((Node("flat", primitive=Mesh(np.eye(3), [[0, 1, 2]])),))
    together = side_by_side([scene, cloud, flat])
    assert [node.parent for node in together.nodes] == [-1, 0, 0, -1, -1]
    assert together.bounds()[0, 1] == pytest.approx(0)  # on the ground
    spans = [Scene((node,)).bounds() for node in together.nodes[3:]]
    assert spans[0][1, 0] < spans[1][0, 0] or spans[0][1, 2] < spans[1][0, 2]
    np.testing.assert_allclose(np.ptp(spans[0], axis=0), [5, 5, 5])
    assert side_by_side([scene]) is scene


def test_turntables_as_pictures_and_films(scene: Scene, tmp_path: Path) -> None:
    write_turntable(scene, tmp_path / "turn", size=33, frames=4)
    names = sorted(path.name for path in (tmp_path / "turn").iterdir())
    assert names == [f"{number:04d}.png" for number in range(4)]
    pictures = [np.asarray(pil.open(tmp_path / "turn" / name)).astype(int) for name in names]
    assert all(np.abs(a - b).max() > 50 for a, b in pairwise(pictures))
    write_turntable(scene, tmp_path / "a.gif", size=33, frames=4)
    with pil.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 4
    with pytest.raises(ValueError, match=r"\.gif, an \.mp4 or a folder of pictures; got 'a\.avi'"):
        write_turntable(scene, tmp_path / "a.avi")


def test_a_film_shows_the_turntable(scene: Scene, tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    write_turntable(scene, tmp_path / "a.mp4", size=65, frames=4, fps=10)
    write_turntable(scene, tmp_path / "b", size=65, frames=4)
    frames = ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    facts = next(frames)
    assert (facts["size"], facts["fps"]) == ((64, 64), 10)
    shown = [np.frombuffer(frame, np.uint8).reshape(64, 64, 3) for frame in frames]
    assert len(shown) == 4
    for number, picture in enumerate(shown):
        own = np.asarray(pil.open(tmp_path / "b" / f"{number:04d}.png"))[:64, :64].astype(int)
        assert np.abs(picture - own).mean() < 4  # compression loses a little


def test_a_solid_is_watertight_and_has_the_union_s_volume(scene: Scene) -> None:
    pytest.importorskip("manifold3d", reason="manifold3d is not installed")
    mesh = solid(scene).mesh()
    found = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert found.is_watertight
    assert found.is_winding_consistent
    # The second box lies a half in the first: 6 + 1 - 1/2.
    low, high = box_algebra.bounds(ROWS[:1])
    shared = np.minimum(high, [1.0, 2.0, 2.5]) - np.maximum(low, [0.0, 1.0, 1.5])
    assert found.volume == pytest.approx(7 - np.prod(shared))
    assert mesh.face_colors is not None
    assert {tuple(color) for color in mesh.face_colors.tolist()} == {
        (0.2, 0.2, 0.2),
        (0.8, 0.2, 0.2),
    }
    owner = mesh.vertices[mesh.faces].mean(1)[:, 0] > 0.5
    np.testing.assert_allclose(mesh.face_colors[owner, 0], 0.8)


def test_solids_of_nothing_or_of_open_surfaces_are_refused() -> None:
    pytest.importorskip("manifold3d", reason="manifold3d is not installed")
    with pytest.raises(ValueError, match="no boxes or meshes"):
        solid(Scene((Node("a", primitive=Points(np.eye(3))),)))
    with pytest.raises(ValueError, match="part 'a' is no closed surface"):
        solid(Scene((Node("a", primitive=Mesh(np.eye(3), [[0, 1, 2]])),)))
