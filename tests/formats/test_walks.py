"""Parts that go through the scenes of a walk, and the animated files that other programs read."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import shapegen
from shapegen.core import boxes as box_algebra
from shapegen.formats.glb import write_animated_glb
from shapegen.formats.walks import walk_of
from shapegen.scene import Boxes, Mesh, Node, Points, Scene


def row(
    centre: Sequence[float], size: Sequence[float], turn: Rotation | None = None
) -> list[float]:
    axes = (turn or Rotation.identity()).as_matrix().T
    return [*centre, *size, *axes[0], *axes[1]]


def part(name: str, instance: int, box: Sequence[float], parent: int = 1) -> Node:
    extras = {"label": f"chair/{name}", "instance": instance, "box": list(box)}
    return Node(name, parent, Boxes([box]), (0.2, 0.5, 0.7), extras)


@pytest.fixture
def scenes() -> list[Scene]:
    """A part that turns by 150 degrees, one that goes, one that comes with the goer's name."""
    frames = []
    for step in range(6):
        turn = Rotation.from_rotvec([0, np.deg2rad(30 * step), 0])
        long = row((0.1 * step, 1, 0), (2, 0.4, 1 + 0.1 * step), turn)
        whole = {"label": "chair", "instance": 0, "box": row((0, 0, 0), (3, 3, 3))}
        base = {"label": "chair/base", "instance": 1, "box": row((0, 0.5, 0), (3, 1, 3))}
        nodes = [Node("chair", extras=whole), Node("base", 0, extras=base), part("seat", 5, long)]
        if step < 3:
            nodes.append(part("leg", 7, row((1, 0, 0), (0.1, 1, 0.1))))
        else:
            nodes.append(part("leg", 8, row((0, 0, 1), (0.2, 2, 0.2))))
        frames.append(Scene(tuple(nodes)))
    return frames


def test_parts_are_joined_by_their_instance(scenes: list[Scene]) -> None:
    walk = walk_of(scenes)
    assert [t.node.name for t in walk.tracks] == ["chair", "base", "seat", "leg", "leg_2"]
    assert [t.node.parent for t in walk.tracks] == [-1, 0, 1, 1, 1]
    goes, comes = (track.present.tolist() for track in walk.tracks[3:])
    assert goes == [True, True, True, False, False, False]
    assert comes == [not here for here in goes]


def test_a_box_that_turns_keeps_its_axes(scenes: list[Scene]) -> None:
    seat = walk_of(scenes).tracks[2].boxes
    assert seat is not None
    # The same solid in every frame, and never a jump: axes turn by 30 degrees a step.
    for frame, scene in enumerate(scenes):
        (own,) = scene.nodes[2].primitive.boxes  # type: ignore[union-attr]
        corners, expected = (
            box_algebra.corners(seat[frame][None])[0],
            box_algebra.corners([own])[0],
        )
        assert np.linalg.norm(corners[:, None] - expected, axis=2).min(1).max() < 1e-12
    axes = box_algebra.axes(seat)
    cosines = np.einsum("fak,fak->fa", axes[1:], axes[:-1])
    assert cosines.min() == pytest.approx(np.cos(np.pi / 6))
    np.testing.assert_allclose(seat[:, 3], 2.0)
    # On their own the axes of every frame are those nearest to the scene's: there are jumps.
    alone = box_algebra.canonicalised(seat)
    assert np.ptp(alone[:, 3]) > 0.5


def test_an_absent_part_rests_where_it_was(scenes: list[Scene]) -> None:
    goes, comes = (track.boxes for track in walk_of(scenes).tracks[3:])
    assert goes is not None
    assert comes is not None
    np.testing.assert_array_equal(goes[3:, :3], [[1, 0, 0]] * 3)
    np.testing.assert_array_equal(comes[:3, :3], [[0, 0, 1]] * 3)


def test_without_instances_names_join_and_equal_names_stay_apart() -> None:
    two = [Scene((Node("a"), Node("a", 0, Boxes([row((x, 0, 0), (1, 1, 1))])))) for x in (0, 1)]
    twins = Scene((Node("b"), Node("b"), Node("b")))
    assert [track.present.all() for track in walk_of(two).tracks] == [True, True]
    assert [track.node.name for track in walk_of([twins]).tracks] == ["b", "b", "b"]
    with pytest.raises(ValueError, match="at least one scene"):
        walk_of([])


def parsed(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    (size,) = struct.unpack("<I", data[12:16])
    return json.loads(data[20 : 20 + size]), data[20 + size + 8 :]


def values(document: dict[str, Any], blob: bytes, number: int) -> np.ndarray:
    accessor = document["accessors"][number]
    view = document["bufferViews"][accessor["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
    start = view["byteOffset"]
    array = np.frombuffer(blob[start : start + view["byteLength"]], "<f4")
    return array.reshape(accessor["count"], width)


def at(document: dict[str, Any], blob: bytes, time: float) -> dict[str, np.ndarray]:
    """World matrices of all nodes at a time, by the rules of glTF's specification."""
    nodes = [dict(node) for node in document["nodes"]]
    animation = document["animations"][0]
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        times = values(document, blob, sampler["input"])[:, 0]
        keys = values(document, blob, sampler["output"]).astype(float)
        frame = int(np.clip(np.searchsorted(times, time, "right") - 1, 0, len(times) - 2))
        share = np.clip((time - times[frame]) / (times[frame + 1] - times[frame]), 0, 1)
        if sampler["interpolation"] == "STEP":
            share = np.floor(share + 1e-6)
        # Near enough to a slerp, and equal to it at the frames.
        found = (1 - share) * keys[frame] + share * keys[frame + 1]
        nodes[channel["target"]["node"]][channel["target"]["path"]] = found.tolist()
    world: dict[str, np.ndarray] = {}

    def visit(number: int, above: np.ndarray) -> None:
        node, matrix = nodes[number], np.eye(4)
        turn = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix()
        matrix[:3, :3] = turn * node.get("scale", [1, 1, 1])
        matrix[:3, 3] = node.get("translation", [0, 0, 0])
        world[node["name"]] = above @ matrix
        for child in node.get("children", []):
            visit(child, world[node["name"]])

    for root in document["scenes"][0]["nodes"]:
        visit(root, np.eye(4))
    return world


def test_an_animated_glb_has_every_frame(scenes: list[Scene], tmp_path: Path) -> None:
    write_animated_glb(scenes, tmp_path / "a.glb", fps=5)
    document, blob = parsed(tmp_path / "a.glb")
    unit = 0.5 * box_algebra.CORNER_SIGNS
    for frame, scene in enumerate(scenes):
        world = at(document, blob, frame / 5)
        names = ("seat", "leg" if frame < 3 else "leg_2")
        for node, name in zip(scene.nodes[2:], names, strict=True):
            found = unit @ world[name][:3, :3].T + world[name][:3, 3]
            expected = box_algebra.corners(node.primitive.boxes)[0]  # type: ignore[union-attr]
            far = np.linalg.norm(found[:, None] - expected, axis=2)
            assert far.min(0).max() < 1e-6
        gone = world["leg_2" if frame < 3 else "leg"]
        assert np.abs(gone[:3, :3]).max() < 1e-5
    # Before it is played the file shows the first frame.
    extras = {node["name"]: node["extras"] for node in document["nodes"]}
    assert [name for name, each in extras.items() if each.get("absent")] == ["leg_2"]
    shapes = shapegen.read(tmp_path / "a.glb")
    assert len(shapes) == 1
    np.testing.assert_allclose(
        shapes[0].boxes(), [scenes[0].nodes[n].extras["box"] for n in (2, 3)]
    )


def test_half_way_the_turning_part_is_between_its_frames(
    scenes: list[Scene], tmp_path: Path
) -> None:
    write_animated_glb(scenes, tmp_path / "a.glb", fps=5)
    world = at(*parsed(tmp_path / "a.glb"), 0.3)
    x = world["seat"][:3, 0] / np.linalg.norm(world["seat"][:3, 0])
    angle = np.rad2deg(np.arccos(abs(x @ [1, 0, 0])))
    assert angle == pytest.approx(45, abs=0.5)
    assert world["seat"][0, 3] == pytest.approx(0.15)


def test_clouds_and_meshes_are_shown_one_after_the_other(tmp_path: Path) -> None:
    still = Node("floor", primitive=Mesh(np.eye(3), [[0, 1, 2]]))
    frames = [
        Scene((still, Node("cloud", primitive=Points(np.eye(3) * (1 + step)))))
        for step in range(3)
    ]
    write_animated_glb(frames, tmp_path / "a.glb", fps=1)
    document, blob = parsed(tmp_path / "a.glb")
    names = [node["name"] for node in document["nodes"]]
    assert names == ["floor", "cloud", *(f"cloud_frame_{step}" for step in range(3))]
    for time, shown in ((0, 0), (0.9, 0), (1, 1), (2, 2)):
        world = at(document, blob, time)
        sizes = [world[f"cloud_frame_{step}"][0, 0] for step in range(3)]
        np.testing.assert_allclose(sizes, np.eye(3)[shown], atol=1e-5)
        assert world["floor"][0, 0] == 1


def test_what_cannot_be_played_is_refused(scenes: list[Scene], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="positive; got 0"):
        write_animated_glb(scenes, tmp_path / "a.glb", fps=0)
    with pytest.raises(ValueError, match="no bounds"):
        write_animated_glb([Scene((Node("a"),))], tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []
