"""Files of images: MNIST's idx, arrays, and pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.formats.compressed import existing, read_bytes
from shapegen.formats.folders import write_batch
from shapegen.formats.npz import array_shapes, read_arrays, write_arrays
from shapegen.images.images import Images
from shapegen.images.pictures import (
    PICTURES,
    Fit,
    fitted,
    holds_picture,
    picture_files,
    read_picture,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

WRITE_EXTENSIONS = (".npz", ".png")
READ_EXTENSIONS = (".npz", ".gz", "idx3-ubyte", *PICTURES, ".npy of bytes")
LABELS = ("labels", "label", "object")
"""Arrays of an archive that number the classes."""
_IMAGES_MAGIC, _LABELS_MAGIC = 0x803, 0x801


def holds_images(path: str | Path) -> bool:
    """Whether a file or folder is one that :func:`read_images` reads."""
    path = Path(path)
    if path.is_dir():
        return bool(picture_files(path))
    name = path.name.lower()
    if name.endswith(".npz"):
        return "images" in array_shapes(path)
    return holds_picture(path) or _is_idx(name)


def read_images(path: str | Path, fit: Fit | None = None) -> Images:
    """Read images of one size, with the labels that belong to them.

    Args:
        path: MNIST's ``...images-idx3-ubyte`` (plain or ``.gz``; labels from
            ``...labels-idx1-ubyte`` beside it, if there); ``.npz`` with ``images`` of bytes
            ``(n, h, w)`` or ``(n, h, w, 1 or 3)`` and, if there, ``labels``, ``label`` or
            ``object``; a picture (:func:`~shapegen.images.pictures.read_picture`); or a folder of
            pictures, or of folders of pictures, one a class.
            What is transparent in a picture is on white.
        fit: Bring all to one size, pictures of any size too; default: they have one.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: No images, damaged or cut off, of mixed size, or labels that do not fit.
    """
    path, fit = existing(path), fit or Fit()
    if path.is_dir():
        return _folder(path, fit)
    name = path.name.lower()
    if name.endswith(".npz"):
        return fitted_images(_archive(path), fit)
    if _is_idx(name):
        return fitted_images(_idx(path), fit)
    if holds_picture(path):
        return from_bytes(read_picture(path, fit)[None], names=[path.stem])
    raise ValueError(
        f"{path}: images are read from {', '.join(READ_EXTENSIONS)} and folders of pictures"
    )


def from_bytes(pixels: NDArray[np.uint8], labels: Any = None, names: Sequence[str] = ()) -> Images:
    """Images of bytes ``(n, h, w)`` or ``(n, h, w, 1 or 3)``."""
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    found = torch.from_numpy(np.moveaxis(pixels, -1, 1).astype(np.float32))
    return Images(found / 127.5 - 1, labels, names)


def fitted_images(images: Images, fit: Fit) -> Images:
    """Images cut and scaled as pictures are.

    Raises:
        ValueError: They are smaller than the square to be cut.
    """
    if fit == Fit() or not len(images):
        return images
    from PIL import Image

    from shapegen.images.lowering import bytes_of

    pixels = bytes_of(images)
    grey = pixels.shape[3] == 1
    pictures = [Image.fromarray(each[..., 0] if grey else each) for each in pixels]
    scaled = np.stack([np.asarray(fitted(picture, fit)) for picture in pictures])
    return from_bytes(scaled, images.labels, images.names)


def write_images(images: Images, path: str | Path, *, extension: str = ".png") -> None:
    """Write images; the extension says the format.

    ``.npz`` holds ``images (n, h, w, channels)`` of bytes, and ``labels`` and ``ids`` where there
    are; ``.png`` one picture.

    Args:
        images: At least one.
        path: A file, or a folder (no extension, or an existing one): it gets a file an image,
            ``0000.png``, ``0001.png``, ...
        extension: Kind of the files in a folder.

    Raises:
        ValueError: There are no images, the extension is none of these, or it holds one image and
            there are several.
    """
    write_batch(
        images, path, _write_file, kinds=WRITE_EXTENSIONS, extension=extension, what="image"
    )


def _write_file(images: Images, path: Path, kind: str) -> None:
    from shapegen.images.lowering import bytes_of

    if kind == ".png":
        if len(images) != 1:
            raise ValueError(
                f"{path}: .png holds one image; got {len(images)}: write into a folder, or .npz"
            )
        from shapegen.formats.png import write_png

        write_png(bytes_of(images)[0], path)
        return
    arrays: dict[str, NDArray[Any]] = {"images": bytes_of(images)}
    if images.labels is not None:
        arrays["labels"] = images.labels.numpy()
    if any(images.names):
        arrays["ids"] = np.array(images.names)
    write_arrays(path, arrays)


def _is_idx(name: str) -> bool:
    return name.removesuffix(".gz").endswith(("idx3-ubyte", ".idx"))


def _idx(path: Path) -> Images:
    pixels = _idx_array(path, _IMAGES_MAGIC, 3)
    beside = path.with_name(
        path.name.replace("images", "labels").replace("idx3", "idx1").replace("IDX3", "IDX1")
    )
    if beside == path or not beside.exists():
        return from_bytes(pixels)
    labels = _idx_array(beside, _LABELS_MAGIC, 1)
    if len(labels) != len(pixels):
        raise ValueError(
            f"{beside} has {len(labels)} labels of the {len(pixels)} images in {path}"
        )
    return from_bytes(pixels, labels.astype(np.int64))


def _idx_array(path: Path, magic: int, axes: int) -> NDArray[np.uint8]:
    data = read_bytes(path)
    head = 4 * (1 + axes)
    words = np.frombuffer(data[:head], ">u4") if len(data) >= head else np.zeros(1, ">u4")
    if int(words[0]) != magic:
        raise ValueError(f"{path}: an idx file of bytes begins with {magic:#010x}; this does not")
    shape = tuple(int(word) for word in words[1:])
    if len(data) - head != math.prod(shape):
        raise ValueError(
            f"{path}: {' x '.join(map(str, shape))} bytes are declared; "
            f"{len(data) - head} are there: it is cut off or damaged"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _archive(path: Path) -> Images:
    arrays = read_arrays(path, names=("images", "ids", *LABELS))
    if "images" not in arrays:
        raise ValueError(f"{path}: an archive of images needs an array `images`")
    pixels = arrays["images"]
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise ValueError(
            f"{path}: `images` must be bytes (n, h, w) or (n, h, w, channels); "
            f"got {pixels.shape} {pixels.dtype}"
        )
    labels = next((arrays[name] for name in LABELS if name in arrays), None)
    if labels is not None:
        if labels.shape != (len(pixels),):
            raise ValueError(f"{path}: labels must be one an image ({len(pixels)})")
        # Numbers of the classes in order: some sets count from 1.
        labels = np.unique(labels, return_inverse=True)[1]
    names = arrays["ids"].tolist() if "ids" in arrays else ()
    try:
        return from_bytes(pixels, labels, names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _folder(folder: Path, fit: Fit) -> Images:
    files = picture_files(folder)
    if not files:
        accepted = ", ".join((*PICTURES, ".npy of bytes"))
        raise ValueError(f"{folder} holds no pictures; accepted are {accepted}")
    pictures = [read_picture(file, fit) for file in files]
    if {picture.shape[2] for picture in pictures} == {1, 3}:
        # Photographs in grey among those in colour.
        pictures = [np.broadcast_to(each, (*each.shape[:2], 3)) for each in pictures]
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            first, other = (" x ".join(map(str, each.shape)) for each in (pictures[0], picture))
            raise ValueError(
                f"images of one set must have one size; got {first} in {files[0]}, "
                f"{other} in {file}; in a configuration data.image_size brings all to one"
            )
    classes = sorted({file.parent for file in files})
    labels = [classes.index(file.parent) for file in files] if classes != [folder] else None
    return from_bytes(np.stack(pictures), labels, [file.stem for file in files])
