"""Points of parts: where they are drawn, how they move with a shape, and the boxes around them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.core import boxes as box_algebra
from shapegen.structures.box_points import rotation_matrix
from shapegen.structures.part_clouds import UnitClouds, with_points
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.principal_boxes import enclosing_boxes, principal_frames
from tests.hand_made import chair


@pytest.fixture
def tree(rng: torch.Generator) -> PartTree:
    return with_points([chair()], 200, rng=rng)[0]


def distances(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How far points are outside each box along its axes; negative inside."""
    local = np.einsum("bij,nbj->nbi", box_algebra.axes(boxes), points[:, None] - boxes[:, :3])
    outside: np.ndarray = (np.abs(local) - boxes[:, 3:6] / 2).max(2)
    return outside


def test_points_are_drawn_from_the_leaves_at_and_below_every_node(tree: PartTree) -> None:
    assert tree.part_points is not None
    assert tree.part_points.shape == (len(tree), 200, 3)
    below: list[list[int]] = [[] for _ in range(len(tree))]
    for node in range(len(tree)):
        above = node
        while tree.is_leaf[node] and above >= 0:
            below[above].append(node)
            above = int(tree.parent[above])
    for node, points in enumerate(tree.part_points):
        outside = distances(points.astype(float), tree.box[below[node]])
        assert np.abs(outside.min(1)).max() < 1e-6
        used = set(outside.argmin(1).tolist())
        assert used == set(range(len(below[node])))


def test_points_that_a_shape_carries_are_kept(tree: PartTree) -> None:
    assert tree.part_points is not None
    assert with_points([tree], 200)[0].part_points is tree.part_points
    (some,) = with_points([tree], 20, rng=torch.Generator().manual_seed(3))
    known = {tuple(point) for point in tree.part_points[4].tolist()}
    assert some.part_points is not None
    chosen = [tuple(point) for point in some.part_points[4].tolist()]
    assert len(set(chosen)) == 20
    assert set(chosen) <= known
    with pytest.raises(ValueError, match="has 200 points a part; the model needs 201"):
        with_points([tree], 201)


def test_a_part_without_a_surface_is_refused() -> None:
    tree = chair()
    box = tree.box.copy()
    box[1, 3:6] = 0
    with pytest.raises(ValueError, match=r"shape 'stump': .*no surface"):
        with_points([replace(tree, box=box, name="stump")], 5)


def test_points_move_with_their_shape(tree: PartTree) -> None:
    moved = tree.facing("+x").transformed(scale=2.0, translation=(1.0, 2.0, 3.0))
    assert moved.part_points is not None
    leaves = np.flatnonzero(tree.is_leaf)
    for node in leaves:
        outside = distances(moved.part_points[node].astype(float), moved.box[node : node + 1])
        assert np.abs(outside).max() < 1e-5
    back = moved.transformed(translation=(-1.0, -2.0, -3.0)).transformed(scale=0.5).facing("+z")
    np.testing.assert_allclose(back.part_points, tree.part_points, atol=1e-6)


def test_ply_files_hold_the_points_of_the_leaves(tree: PartTree, tmp_path: Path) -> None:
    tree.write(tmp_path / "a.ply")
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    count = 200 * int(tree.is_leaf.sum())
    assert f"element vertex {count}\n".encode() in header
    assert b"element face" not in header
    rows = np.frombuffer(body, np.uint8).reshape(count, -1)[:, :12].copy().view("<f4")
    assert tree.part_points is not None
    np.testing.assert_array_equal(rows, tree.part_points[tree.is_leaf].reshape(-1, 3))
    assert len(tree.to_scene().mesh().faces) == 12 * tree.is_leaf.sum()  # viewers show boxes
    PartTrees([tree, chair()]).write(tmp_path / "b.ply")
    assert b"element face" in (tmp_path / "b.ply").read_bytes()


def test_wrong_points_are_refused(tree: PartTree) -> None:
    assert tree.part_points is not None
    n = len(tree)
    for shape in ((n - 1, 5, 3), (n, 5, 2), (n, 0, 3), (n, 3)):
        with pytest.raises(ValueError, match=f"{n} nodes here; got") as caught:
            replace(tree, part_points=np.zeros(shape))
        assert str(shape) in str(caught.value)
    for value in (np.nan, np.inf):
        bad = tree.part_points.copy()
        bad[7, 3, 1] = value
        with pytest.raises(ValueError, match="finite; got NaN or infinity at node 7"):
            replace(tree, part_points=bad)


def test_unit_clouds_are_unit_and_come_back(rng: torch.Generator) -> None:
    points = torch.randn(4, 30, 3, generator=rng) * torch.tensor([1.0, 5, 0.1]) + 7
    unit = UnitClouds.of(points)
    torch.testing.assert_close(unit.points.mean(1), torch.zeros(4, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(unit.points.norm(dim=2).amax(1), torch.ones(4))
    back = unit.points * unit.scale[:, :, None] + unit.centre[:, None]
    torch.testing.assert_close(back, points)
    assert not UnitClouds.of(torch.ones(1, 5, 3)).points.any()


def tilted(size: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points that fill a turned box, corners included, and its axes as columns."""
    corners = torch.cartesian_prod(*[torch.tensor([-0.5, 0.5])] * 3)
    inside = torch.cat([corners, torch.rand(4000, 3, generator=rng) - 0.5]) * size
    turn = torch.nn.functional.normalize(torch.randn(1, 4, generator=rng), dim=1)
    rotation = rotation_matrix(turn)[0]
    return inside @ rotation.T + torch.tensor([1.0, -2.0, 0.5]), rotation


def test_boxes_of_points_are_those_they_fill(rng: torch.Generator) -> None:
    size = torch.tensor([3.0, 2.0, 0.5])
    points, rotation = tilted(size, rng)
    frames = principal_frames(points[None])
    torch.testing.assert_close(
        (frames.rotation[0] * rotation).sum(0).abs(), torch.ones(3), atol=2e-3, rtol=0
    )
    torch.testing.assert_close(frames.size[0], size, atol=0.1, rtol=0)
    assert torch.linalg.det(frames.rotation[0]) > 0
    box = enclosing_boxes(points[None]).double().numpy()
    assert distances(points.double().numpy(), box).max() < 1e-5
    np.testing.assert_allclose(box[0, :3], [1, -2, 0.5], atol=0.02)
    np.testing.assert_allclose(box[0, 3:6].prod(), size.prod(), rtol=0.1)


def test_a_square_rod_keeps_its_sides(rng: torch.Generator) -> None:
    points = (torch.rand(500, 3, generator=rng) - 0.5) * torch.tensor([0.1, 1.0, 0.1])
    (box,) = enclosing_boxes(points[None])
    assert box[6:].tolist() == [1, 0, 0, 0, 1, 0]
    assert (box[3:6] <= torch.tensor([0.1, 1.0, 0.1])).all()
