"""Images of shapes with poses: the container, its files, and how shapes become it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.base import Shapes
from shapegen.config.render import RenderConfig
from shapegen.core import boxes as box_algebra
from shapegen.data.catalog import make
from shapegen.data.rendering import draw_poses, read_surfaces, render_shapes, turned_poses
from shapegen.fields.meshes import Meshes
from shapegen.formats.npz import read_arrays, write_arrays
from shapegen.images.images import Images, Picture
from shapegen.images.renders import MAPS, Renders
from shapegen.scene import Mesh, Scene, moved
from shapegen.structures.part_tree import PartTrees

CONFIG = RenderConfig(size=16, views=2, maps=True)


@pytest.fixture(scope="module")
def trees() -> PartTrees:
    found = make("furniture", count=5)
    assert isinstance(found, PartTrees)
    return found


@pytest.fixture(scope="module")
def renders(trees: PartTrees) -> Renders:
    return render_shapes(trees, CONFIG)


def equal(a: Renders, b: Renders) -> None:
    assert torch.equal(a.pixels, b.pixels)
    assert torch.equal(a.poses, b.poses)
    assert torch.equal(a.shapes, b.shapes)
    assert a.fov == b.fov
    assert a.names == b.names
    for name in MAPS:
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, atol=1 / 255 / 2, rtol=0)
    assert (a.boxes is None) == (b.boxes is None)
    for rows, others in zip(a.boxes or (), b.boxes or (), strict=True):
        np.testing.assert_array_equal(rows, others)


def test_shapes_are_seen_from_their_poses(trees: PartTrees, renders: Renders) -> None:
    assert isinstance(renders, Shapes)
    assert repr(renders) == "Renders(10 of 3 x 16 x 16, of 5 shapes)"
    assert renders.shapes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert renders.names == tuple(tree.name for tree in trees for _ in range(2))
    assert renders.labels is not None
    assert renders.labels.tolist() == renders.shapes.tolist()
    place = renders.poses[:, :3, 3].double()
    torch.testing.assert_close(place.norm(dim=1), torch.full((10,), 4.0).double())
    polar = (place[:, 2] / 4).arccos().rad2deg()
    assert 50 <= float(polar.min()) < float(polar.max()) <= 80
    alone = render_shapes(trees[[3]], CONFIG, numbers=[3])
    equal(alone, renders.of_shapes([3]))
    equal(render_shapes(trees, CONFIG, poses=renders.poses.reshape(5, 2, 4, 4).double()), renders)


def test_parts_and_depth_go_with_the_silhouette(trees: PartTrees, renders: Renders) -> None:
    assert renders.parts is not None
    assert renders.depth is not None
    assert renders.alpha is not None
    seen = renders.parts >= 0
    assert torch.equal(seen, renders.depth.isfinite())
    assert (renders.alpha[seen] > 0).all()
    for number, parts in zip(renders.shapes.tolist(), renders.parts, strict=True):
        numbers = parts[parts >= 0].unique().tolist()
        assert len(numbers) > 1
        assert trees[number].is_leaf[numbers].all()
    # Within the unit sphere at distance 4.
    assert 3 <= float(renders.depth[seen].min()) < float(renders.depth[seen].max()) <= 5


def test_what_is_seen_lies_on_the_boxes(renders: Renders) -> None:
    assert renders.depth is not None
    assert renders.boxes is not None
    line = ((torch.arange(16) + 0.5) / 8 - 1) * math.tan(math.radians(CONFIG.fov) / 2)
    y, x = torch.meshgrid(line, line, indexing="ij")
    rays = torch.stack([x, -y, -torch.ones_like(x)], -1)
    for number, pose, depth in zip(
        renders.shapes.tolist(), renders.poses, renders.depth, strict=True
    ):
        seen = depth.isfinite()
        points = pose[:3, 3] + (depth[seen][:, None] * rays[seen]) @ pose[:3, :3].T
        boxes = renders.boxes[number]
        local = np.einsum(
            "bij,pbj->pbi", box_algebra.axes(boxes), points.numpy()[:, None] - boxes[:, :3]
        )
        # How far a point is outside of the box that it is nearest to.
        away = (np.abs(local) - boxes[:, 3:6] / 2).max(2).min(1)
        assert len(away) > 10
        np.testing.assert_allclose(away, 0, atol=1e-4)


def test_boxes_are_where_the_shape_is_put(trees: PartTrees, renders: Renders) -> None:
    scene = trees[2].to_scene()
    away = Scene([moved(each, scale=3.0, offset=(5.0, 1.0, 2.0)) for each in scene.nodes])
    found = render_shapes([away], CONFIG)
    assert found.boxes is not None
    assert renders.boxes is not None
    np.testing.assert_allclose(found.boxes[0], renders.boxes[2], atol=1e-9)
    box = Meshes([Mesh(scene.mesh().vertices, scene.mesh().faces)])
    assert render_shapes(box, CONFIG).boxes is None


def test_poses_of_a_shape_depend_on_its_number_alone() -> None:
    all_of_them = draw_poses(CONFIG, range(4), seed=2)
    torch.testing.assert_close(draw_poses(CONFIG, [2, 1], seed=2), all_of_them[[2, 1]])
    assert not torch.equal(draw_poses(CONFIG, range(4), seed=3), all_of_them)
    assert len(all_of_them.flatten(0, 1).unique(dim=0)) == 8


def test_turned_poses_go_around() -> None:
    place = turned_poses(RenderConfig(views=8, polar=(60, 80)))[:, :3, 3]
    angle = torch.atan2(place[:, 1], place[:, 0])
    steps = (angle - angle.roll(1)) % (2 * math.pi)
    # The first is a tenth of a degree off, where cameras keep clear of 0.
    torch.testing.assert_close(steps, torch.full_like(steps, math.pi / 4), atol=0.002, rtol=0)
    torch.testing.assert_close(
        place[:, 2], torch.full_like(angle, 4 * math.cos(70 / 180 * math.pi))
    )


def test_choosing_numbers_shapes_anew(renders: Renders) -> None:
    picture = renders[3]
    assert isinstance(picture, Picture)
    some = renders[[9, 2, 3]]
    assert some.shapes.tolist() == [1, 0, 0]
    assert torch.equal(some.poses, renders.poses[[9, 2, 3]])
    assert len(renders[:0]) == renders[:0].num_shapes == 0
    equal(Renders.join([renders[:4], renders[4:]]), renders)
    bare = Renders(renders.images, renders.poses, 30)
    assert bare.num_shapes == 10
    assert Renders.join([renders, bare]).alpha is None
    assert Renders.join([renders, bare]).boxes is None
    assert renders.boxes is not None
    assert some.boxes is not None
    np.testing.assert_array_equal(some.boxes[1], renders.boxes[4])
    assert Images.of(renders) is renders.images


def test_files_give_everything_back(renders: Renders, tmp_path: Path) -> None:
    renders.write(tmp_path / "a.npz")
    again = shapegen.read(tmp_path / "a.npz")
    assert isinstance(again, Renders)
    equal(again, renders)
    renders.write(tmp_path / "folder")
    assert torch.equal(shapegen.read(tmp_path / "folder").pixels, renders.pixels)
    renders.write(tmp_path / "a.gif")
    from PIL import Image

    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 10


def test_damaged_archives_are_refused_in_one_line(renders: Renders, tmp_path: Path) -> None:
    renders.write(tmp_path / "a.npz")
    arrays = read_arrays(tmp_path / "a.npz")
    changes: dict[str, dict[str, Any]] = {
        r"poses must be \(10, 4, 4\)": {"poses": np.zeros((9, 4, 4))},
        "`fov` must be one number": {"fov": np.zeros(2)},
        "fov must be above 0": {"fov": np.array(0.0)},
        "without gaps": {"shapes": np.full(10, 3)},
        "poses must be finite": {"poses": np.full((10, 4, 4), np.nan)},
        "depth must be above 0": {"depth": np.zeros((10, 16, 16))},
        r"alpha must be \(10, 16, 16\)": {"alpha": np.zeros((10, 8, 8))},
        r"an array a shape \(5\); got 1": {"box_shapes": 0 * arrays["box_shapes"]},
        "square; got 16 x 8": {"images": arrays["images"][:, :, :8]},
    }
    for message, change in changes.items():
        write_arrays(tmp_path / "b.npz", {**arrays, **change})
        with pytest.raises(ValueError, match=message) as error:
            shapegen.read(tmp_path / "b.npz")
        assert str(error.value).startswith(str(tmp_path / "b.npz"))
        assert "\n" not in str(error.value)


def test_mesh_files_keep_their_triangles(tmp_path: Path) -> None:
    import trimesh

    for name, radius in (("small", 0.5), ("large", 3.0)):
        trimesh.creation.icosphere(radius=radius).export(tmp_path / f"{name}.ply")
    found = read_surfaces(tmp_path)
    assert isinstance(found, Meshes)
    assert found.names == ("large", "small")
    assert [len(mesh.faces) for mesh in found] == [1280, 1280]
    seen = render_shapes(found, CONFIG)
    # Both are scaled to the same size; a ball's bounding box is wider than the ball.
    areas = seen.alpha.sum((1, 2)).reshape(2, 2).mean(1)
    torch.testing.assert_close(areas[0], areas[1], rtol=0.02, atol=0)
    assert seen.names == ("large", "large", "small", "small")
    turned = read_surfaces(tmp_path / "small.ply", up="z")
    np.testing.assert_allclose(turned.meshes[0].vertices.min(0), [-0.5] * 3, atol=0.01)


def test_real_part_trees_and_chairs_of_grass_are_rendered(data_path: Path) -> None:
    trees = shapegen.read(data_path / "partnet_boxes/chair_val.jsonl.gz")[:3]
    chairs = shapegen.read(data_path / "grass/mat_sample")[:3]
    for shapes in (trees, chairs):
        found = render_shapes(shapes, CONFIG)
        covered = found.alpha.mean((1, 2))
        assert 0.05 < float(covered.min()) < float(covered.max()) < 0.6


def test_mistakes_are_one_line(trees: PartTrees, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one shape"):
        render_shapes([], CONFIG)
    with pytest.raises(ValueError, match=r"poses must be \(views, 4, 4\) or \(5, views, 4, 4\)"):
        render_shapes(trees, CONFIG, poses=np.zeros((2, 3, 4)))
    near = RenderConfig(radius=(0.1, 0.1))
    with pytest.raises(ValueError, match=r"shape 0 \(chair-0-0\): a camera must have"):
        render_shapes(trees, near)
    make("furniture-points", count=2).write(tmp_path / "p.npz")
    with pytest.raises(ValueError, match="holds PointClouds; what is rendered has boxes"):
        read_surfaces(tmp_path / "p.npz")
    for options in (
        {"size": 0},
        {"views": 0},
        {"fov": 180.0},
        {"radius": (2.0, 1.0)},
        {"azimuth": (2.0, 1.0)},
        {"polar": (-1.0, 1.0)},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            RenderConfig(**options)
