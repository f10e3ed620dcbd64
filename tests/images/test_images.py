"""Images: the container and its files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shapegen.formats.npz import write_arrays
from shapegen.formats.png import write_png
from shapegen.images.files import holds_images, read_images
from shapegen.images.images import Images, Picture
from shapegen.images.lowering import bytes_of


def some(n: int = 5, channels: int = 1, size: int = 6) -> Images:
    rng = torch.Generator().manual_seed(0)
    levels = torch.randint(256, (n, channels, size, size + 1), generator=rng)
    return Images(levels / 127.5 - 1, torch.arange(n) % 3)


def idx(values: np.ndarray) -> bytes:
    head = np.array([0x800 + values.ndim, *values.shape], ">u4")
    return head.tobytes() + values.astype(np.uint8).tobytes()


def test_choosing_keeps_labels_and_names() -> None:
    images = Images(some().pixels, some().labels, list("abcde"))
    assert [each.name for each in images[1:3]] == ["b", "c"]
    assert [each.label for each in images[[4, 0]]] == [1, 0]
    assert isinstance(images[2], Picture)
    again = Images.join([images[:2], images[2:]])
    assert torch.equal(again.pixels, images.pixels)
    assert again.names == images.names
    joined = Images.of(list(images))
    assert joined.labels is not None
    assert joined.labels.tolist() == [0, 1, 2, 0, 1]
    assert Images.join([images, Images(images.pixels)]).labels is None


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (torch.zeros(2, 2, 4, 4), None, r"with 1 or 3 channels; got \(2, 2, 4, 4\)"),
        (torch.zeros(4, 4), None, r"must be \(batch, channels, height, width\)"),
        (torch.full((1, 1, 2, 2), 1.5), None, r"in \[-1, 1\]; got 1.5 to 1.5"),
        (torch.full((1, 1, 2, 2), float("nan")), None, "must be finite"),
        (torch.zeros(2, 1, 4, 4), [1], r"one whole number an image \(2\)"),
        (torch.zeros(1, 1, 4, 4), [-1], "at least 0; got -1"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(pixels: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Images(pixels, labels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["a.npz", "folder"])
def test_files_give_every_level_back(channels: int, name: str, tmp_path: Path) -> None:
    images = some(channels=channels)
    images.write(tmp_path / name)
    assert holds_images(tmp_path / name)
    again = read_images(tmp_path / name)
    assert torch.equal(again.pixels, images.pixels)
    if name == "a.npz":
        assert again.labels is not None
        assert torch.equal(again.labels, some().labels)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_bring_their_labels(packed: bool, tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for name, array in (("x-images-idx3-ubyte", values), ("x-labels-idx1-ubyte", np.arange(2))):
        data = idx(array)
        path = tmp_path / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(data) if packed else data)
    images = read_images(
        tmp_path / ("x-images-idx3-ubyte.gz" if packed else "x-images-idx3-ubyte")
    )
    np.testing.assert_array_equal(bytes_of(images)[..., 0], values)
    assert images.labels is not None
    assert images.labels.tolist() == [0, 1]


def test_folders_of_folders_are_classes(tmp_path: Path) -> None:
    images = some(4)
    images[:3].write(tmp_path / "a" / "")
    images[3:].write(tmp_path / "b" / "")
    again = read_images(tmp_path)
    assert again.labels is not None
    assert again.labels.tolist() == [0, 0, 0, 1]


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    images = idx(np.zeros((2, 3, 3)))
    cases = {
        "cut-images-idx3-ubyte": (images[:-1], "2 x 3 x 3 bytes are declared; 17 are there"),
        "magic-images-idx3-ubyte": (b"\0" * 40, "begins with 0x00000803"),
        "empty-images-idx3-ubyte": (b"", "begins with 0x00000803"),
        "bad-images-idx3-ubyte.gz": (gzip.compress(images)[:-9], "gzip data is damaged"),
        "a.png": (b"\x89PNG\r\n\x1a\nno", "the picture is damaged"),
        "a.bmp": (b"", "images are read from"),
    }
    for name, (data, message) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message) as caught:
            read_images(tmp_path / name)
        assert "\n" not in str(caught.value)
    write_arrays(tmp_path / "a.npz", {"images": np.zeros((2, 3, 3))})
    with pytest.raises(ValueError, match="must be bytes"):
        read_images(tmp_path / "a.npz")
    folder = tmp_path / "mixed"
    write_png(np.zeros((4, 4, 1), np.uint8), folder / "a.png")
    write_png(np.zeros((4, 5, 1), np.uint8), folder / "b.png")
    with pytest.raises(ValueError, match=r"one size; got 4 x 4 x 1 in .*a.png, 4 x 5 x 1 in"):
        read_images(folder)
    (tmp_path / "l-images-idx3-ubyte").write_bytes(images)
    (tmp_path / "l-labels-idx1-ubyte").write_bytes(idx(np.zeros(3)))
    with pytest.raises(ValueError, match="3 labels of the 2 images"):
        read_images(tmp_path / "l-images-idx3-ubyte")
