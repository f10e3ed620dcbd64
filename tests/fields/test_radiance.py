"""The container of fields: pictures, poses and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shapegen.base import Shapes
from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.depth_colors import depth_colors, depth_share
from shapegen.fields.radiance import RadianceFields
from tests.fields.test_graf import graf


@pytest.fixture(scope="module")
def fields() -> RadianceFields:
    return graf(density="softplus").sample(3, rng=torch.Generator().manual_seed(0))


def test_a_batch_can_be_cut(fields: RadianceFields) -> None:
    assert isinstance(fields, Shapes)
    assert (len(fields), len(fields[1]), len(fields[1:]), len(fields[[2, 0]])) == (3, 1, 2, 2)
    assert [len(each) for each in fields] == [1, 1, 1]
    pixels = fields.render().pixels
    torch.testing.assert_close(fields[[2, 0]].render().pixels, pixels[[2, 0]])
    torch.testing.assert_close(fields[-1].render().pixels, pixels[2:])
    assert repr(fields) == "RadianceFields(3 of codes of 6)"


def test_pictures_are_from_the_poses_that_are_asked_for(fields: RadianceFields) -> None:
    views = fields.render(size=8)
    assert views.pixels.shape == (3, 3, 8, 8)
    assert views.opacity.shape == views.depth.shape == (3, 1, 8, 8)
    assert views.pixels.abs().max() <= 1
    assert 0 < views.opacity.mean() <= 1
    other = fields.poses.roll(1, 0)
    turned = fields.render(other, size=8).pixels
    assert (turned - views.pixels).abs().max() > 1e-3
    torch.testing.assert_close(fields[0].render(other, size=8).pixels[0], turned[0])
    one = fields.render(fields.poses[1], size=8).pixels
    torch.testing.assert_close(one[1], views.pixels[1])
    assert fields[0].turntable(5, size=8).pixels.shape == (5, 3, 8, 8)


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 4), (0, 4, 4)])
def test_other_poses_are_refused(fields: RadianceFields, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="poses must be"):
        fields.render(torch.zeros(shape))


def test_what_is_of_one_field_refuses_several(fields: RadianceFields) -> None:
    with pytest.raises(ValueError, match=r"a turntable is of one field; got 3: give fields\[i\]"):
        fields.turntable(4)
    with pytest.raises(ValueError, match="densities are of one field; got 3"):
        fields.densities()
    with pytest.raises(ValueError, match="poses must be one a field"):
        RadianceFields(
            fields.codes,
            fields.poses[:2],
            fields.network,
            fields.cameras,
            fields.size,
            fields.sampling,
        )


def test_quick_pictures_are_near(fields: RadianceFields) -> None:
    wanted = fields.render(size=8)
    found = fields.render(size=8, tolerance=0.05)
    assert 0 < (found.pixels - wanted.pixels).abs().max() <= 2 * 0.05
    assert (found.opacity - wanted.opacity).abs().max() <= 0.05


def test_nothing_is_dense_where_no_camera_looks() -> None:
    cameras = CameraSetting(sphere=0.8)
    field = graf(density="softplus", cameras=cameras).sample(1)
    points = torch.tensor([[0.79, 0.0, 0.0], [0.0, 0.81, 0.0], [0.6, 0.6, 0.6]])
    assert (field.densities()(points) > 0).tolist() == [True, False, False]
    # The surface is closed at the sphere.
    vertices = np.asarray(field.mesh(resolution=24, level=1e-3)[0].vertices)
    assert np.linalg.norm(vertices, axis=1).max() < 0.8 + 1.6 / 24
    slab = graf(density="softplus", cameras=CameraSetting()).sample(1)
    assert (slab.densities()(3 * points) > 0).all()


def test_densities_are_those_that_are_rendered(
    fields: RadianceFields, rng: torch.Generator
) -> None:
    points = torch.randn(9, 5, 3, generator=rng)
    found = fields[1].densities()(points)
    assert not found.requires_grad
    density, _ = fields.network.field(fields.codes[1])(points, points[:, 0])
    torch.testing.assert_close(found, density.relu(), rtol=0, atol=1e-5)


def test_files_hold_pictures(fields: RadianceFields, tmp_path: Path) -> None:
    pixels = fields.render().bytes
    fields.write(tmp_path / "all")
    names = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert names == ["0000.png", "0001.png", "0002.png"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "all" / "0001.png")), pixels[1])
    fields.write(tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as archive:
        assert np.array_equal(archive["images"], pixels)
        assert archive["depth"].shape == archive["opacity"].shape == (3, 16, 16)
        assert np.array_equal(archive["codes"], fields.codes.numpy())
    fields[0].write(tmp_path / "turn.gif")
    with Image.open(tmp_path / "turn.gif") as animation:
        assert (animation.size, animation.n_frames) == ((16, 16), 40)
    with pytest.raises(ValueError, match=r"\.png holds one field; got 3"):
        fields.write(tmp_path / "three.png")
    with pytest.raises(ValueError, match=r"fields are written as \.png, \.gif, \.npz"):
        fields.write(tmp_path / "one.xyz")


def test_a_scene_has_a_picture_a_field(fields: RadianceFields) -> None:
    scene = fields.to_scene()
    assert [node.name for node in scene.nodes] == ["field_1", "field_2", "field_3"]
    for image, pixels in zip(scene.images, fields.render().bytes, strict=True):
        assert np.array_equal(image.pixels, pixels)


def test_depths_have_colors_from_black_to_white() -> None:
    depth, opacity = np.array([[8.0, 5.0, 0.0]]), np.array([[1.0, 0.5, 0.0]])
    share = depth_share(depth, opacity, 8.0, 12.0)
    assert share.tolist() == [[0.0, 0.5, 1.0]]
    colors = depth_colors(share)
    assert colors[0, 0].tolist() == [0, 0, 0]
    assert colors[0, 2].tolist() == [255, 255, 255]
    # Half-way from magenta, at .413, to green, at .587.
    assert colors[0, 1].tolist() == [127, 127, 127]
    assert depth_colors(np.zeros((2, 2))).max() == 0
