"""Folders of pictures of any size, and how they become images of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import shapegen
from shapegen.config import DataConfig
from shapegen.images.files import holds_images, read_images
from shapegen.images.images import Images
from shapegen.images.lowering import bytes_of
from shapegen.images.pictures import Fit
from shapegen.points.point_clouds import PointClouds
from shapegen.train import load_data


def write(path: Path, pixels: Any, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(path)


def test_the_middle_square_is_cut_and_scaled(tmp_path: Path) -> None:
    # Bands of one grey, of 4 pixels each: the square in the middle has the inner two.
    wide = np.repeat(np.array([0, 80, 160, 240]), 4)[None].repeat(8, 0)
    write(tmp_path / "wide.png", wide)
    write(tmp_path / "tall.png", wide.T)
    found = bytes_of(read_images(tmp_path, Fit(2)))
    # The outer bands, 0 and 240, would move these by a third of what parts them.
    np.testing.assert_allclose(found[0, ..., 0], [[80, 80], [160, 160]], atol=12)
    np.testing.assert_allclose(found[1, ..., 0], [[80, 160], [80, 160]], atol=12)
    cut = bytes_of(read_images(tmp_path, Fit(crop=2)))
    np.testing.assert_array_equal(cut[1, ..., 0], [[80, 160], [80, 160]])
    assert read_images(tmp_path / "wide.png").pixels.shape == (1, 1, 8, 16)


def test_scaling_down_averages_what_a_pixel_covers(tmp_path: Path) -> None:
    board = 255 * (np.indices((64, 64)).sum(0) % 2)
    write(tmp_path / "board.png", board)
    found = read_images(tmp_path, Fit(8)).pixels
    # Not one of the two colours, as by a look at every eighth pixel.
    assert float(found.abs().max()) < 0.05


def test_what_is_transparent_is_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 4))
    pixels[0, 0] = [255, 0, 0, 255]
    pixels[0, 1] = [0, 0, 0, 128]
    write(tmp_path / "a.png", pixels)
    found = bytes_of(read_images(tmp_path / "a.png"))[0]
    np.testing.assert_array_equal(found[0, 0], [255, 0, 0])
    np.testing.assert_array_equal(found[0, 1], [127, 127, 127])
    np.testing.assert_array_equal(found[1], [[255] * 3] * 2)
    write(tmp_path / "grey.png", [[[0, 0], [100, 255]]])
    np.testing.assert_array_equal(
        bytes_of(read_images(tmp_path / "grey.png"))[0, ..., 0], [[255, 100]]
    )
    coded = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), "P")
    coded.putpalette([0, 0, 0, 0, 0, 255])
    coded.save(tmp_path / "p.png", transparency=0)
    np.testing.assert_array_equal(
        bytes_of(read_images(tmp_path / "p.png"))[0], [[[255] * 3, [0, 0, 255]]]
    )


def test_folders_of_the_usual_sets_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # One folder (carla, celebA, chairs); folders in it (cats, birds); grey among colour.
    for name, shape in {
        "celebA/000001.jpg": (218, 178, 3),
        "celebA/000002.jpg": (218, 178),
        "cats/CAT_00/a.png": (40, 50, 3),
        "cats/CAT_01/a.JPG": (60, 50, 3),
        "cats/CAT_01/b.jpeg": (50, 50, 3),
    }.items():
        write(tmp_path / name, rng.integers(0, 256, shape))
    (tmp_path / "cats/CAT_01/.hidden.png").write_bytes(b"no picture")
    (tmp_path / "cats/CAT_01/a.jpg.cat").write_text("9 175 160 239 162")
    faces = read_images(tmp_path / "celebA", Fit(64, crop=108))
    assert faces.pixels.shape == (2, 3, 64, 64)
    cats = read_images(tmp_path / "cats", Fit(16))
    assert cats.labels is not None
    assert cats.labels.tolist() == [0, 1, 1]
    assert cats.names == ("a", "a", "b")


def test_arrays_of_bytes_are_pictures_and_others_are_points(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    for name, array in {
        "hq/a.npy": np.moveaxis(pixels, 2, 0)[None],  # CelebA-HQ's way
        "hq/b.npy": np.moveaxis(pixels, 2, 0),
        "hq/c.npy": pixels,
        "grey/a.npy": pixels[..., 0],
        "grey/b.npy": pixels[None, None, ..., 0],
        "clouds/a.npy": np.random.default_rng(0).normal(size=(20, 3)),
        "wrong/a.npy": np.zeros((2, 3, 4, 5), np.uint8),
        "none/a.npy": np.zeros((0, 5, 3), np.uint8),
        "mixed/a.npy": pixels,
        "mixed/b.npy": pixels / 255,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / name, array)
    for name, wanted, count in (("hq", pixels, 3), ("grey", pixels[..., :1], 2)):
        found = shapegen.read(tmp_path / name)
        assert isinstance(found, Images)
        np.testing.assert_array_equal(bytes_of(found), np.stack([wanted] * count))
    assert read_images(tmp_path / "hq", Fit(4, crop=5)).pixels.shape == (3, 3, 4, 4)
    one = shapegen.read(tmp_path / "hq/a.npy")
    assert isinstance(one, Images)
    assert one.names == ("a",)
    assert isinstance(shapegen.read(tmp_path / "clouds"), PointClouds)
    (tmp_path / "clouds/a.npy").unlink()
    np.save(tmp_path / "clouds/bytes.npy", pixels.reshape(-1, 3))
    assert isinstance(shapegen.read(tmp_path / "clouds"), PointClouds)
    # Beside pictures arrays of bytes are their labels or masks.
    write(tmp_path / "labelled/a.png", pixels)
    np.save(tmp_path / "labelled/labels.npy", np.zeros(1, np.uint8))
    assert read_images(tmp_path / "labelled").names == ("a",)
    with pytest.raises(ValueError, match=r"a.npy: .*\(3, h, w\), .*; got \(2, 3, 4, 5\) uint8"):
        read_images(tmp_path / "wrong")
    with pytest.raises(ValueError, match=r"a.npy: .*; got \(0, 5, 3\) uint8"):
        read_images(tmp_path / "none", Fit(4))
    with pytest.raises(ValueError, match=r"b.npy: a picture as .npy is of bytes; convert it"):
        read_images(tmp_path / "mixed")
    whole = (tmp_path / "hq/b.npy").read_bytes()
    (tmp_path / "hq/b.npy").write_bytes(whole[:-7])
    with pytest.raises(ValueError, match=r"b.npy: not a NumPy array, damaged or cut off"):
        read_images(tmp_path / "hq")


def test_archives_and_configurations_take_a_size(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    levels = torch.randint(256, (6, 3, 8, 12), generator=rng)
    images = Images(levels / 127.5 - 1, torch.arange(6) % 2, list("abcdef"))
    images.write(tmp_path / "a.npz")
    found = read_images(tmp_path / "a.npz", Fit(4))
    middle = images.pixels[..., 2:10]
    assert found.pixels.shape == (6, 3, 4, 4)
    assert float((found.pixels.mean((2, 3)) - middle.mean((2, 3))).abs().max()) < 0.05
    assert found.names == images.names
    assert torch.equal(found.labels, images.labels)
    split = load_data(
        DataConfig(path=str(tmp_path / "a.npz"), image_size=4, image_crop=6, holdout=2)
    )
    assert isinstance(split.train, Images)
    assert split.train.pixels.shape == (4, 3, 4, 4)


def test_photographs_on_a_turntable_are_read(data_path: Path) -> None:
    path = data_path / "images/coil20_32.npz"
    whole = shapegen.read(path)
    assert isinstance(whole, Images)
    assert whole.pixels.shape == (1440, 1, 32, 32)
    split = load_data(DataConfig(path=str(path), image_size=16, holdout=0.1))
    assert isinstance(split.train, Images)
    assert split.train.pixels.shape == (1296, 1, 16, 16)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    write(tmp_path / "mixed/a.png", np.zeros((4, 4)))
    write(tmp_path / "mixed/b.png", np.zeros((4, 5)))
    write(tmp_path / "kinds/a.png", np.zeros((4, 4)))
    write(tmp_path / "kinds/b.bmp", np.zeros((4, 4)))
    write(tmp_path / "small/a.png", np.zeros((4, 4)))
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/a.png").write_text("not a picture")
    (tmp_path / "none").mkdir()
    (tmp_path / "none/readme.txt").write_text("nothing here")
    for name, fit, message in (
        ("mixed", Fit(), r"got 4 x 4 x 1 in .*a.png, 4 x 5 x 1 in .*; .* data.image_size brings"),
        ("kinds", Fit(4), r"b.bmp: pictures are read from .png, .jpg, .jpeg; convert it"),
        ("small", Fit(4, crop=6), r"a.png: a square of 6 pixels cannot be cut out of 4 x 4"),
        ("damaged", Fit(4), "a.png: the picture is damaged"),
        ("none", Fit(4), "holds no pictures"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            read_images(tmp_path / name, fit)
        assert "\n" not in str(error.value)
    assert not holds_images(tmp_path / "none")
    for options in ({"size": 0}, {"crop": 0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Fit(**options)
    with pytest.raises(ValueError, match="image_crop belongs to image_size"):
        DataConfig(path="a", image_crop=3)
    with pytest.raises(ValueError, match="image_size belongs to pictures of a `path`"):
        DataConfig(name="digits", count=3, image_size=3)
