"""Files of pairs and of two sets: arrays in one archive, or pictures in the folders A and B."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.core.likelihoods import levels_of
from shapegen.formats.compressed import existing
from shapegen.formats.npz import array_shapes, read_arrays, write_arrays
from shapegen.images.files import from_bytes, read_images, write_images
from shapegen.images.images import Images
from shapegen.images.lowering import bytes_of
from shapegen.images.pairs import ImageDomains, ImagePairs

FOLDERS = ("A", "B")
ARRAYS = ("source", "target")


def holds_pairs(path: str | Path) -> bool:
    """Whether a file or folder is one that :func:`read_pairs` reads."""
    path = Path(path)
    if path.is_dir():
        return {each.name for each in path.iterdir() if each.is_dir()} == set(FOLDERS)
    return path.name.lower().endswith(".npz") and set(ARRAYS) <= array_shapes(path).keys()


def read_pairs(path: str | Path) -> ImagePairs | ImageDomains:
    """Read images of two kinds.

    Args:
        path: ``.npz`` with ``source`` and ``target``, bytes ``(n, h, w)`` or ``(n, h, w, 1 or
            3)``, and, if there, ``palette`` (bytes, a colour a label), ``labels`` and ``ids``; or
            a folder with pictures in its folders ``A`` and ``B``: pairs, if both have the same
            names, else two sets.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: No images in one of the two, damaged, or of mixed size.
    """
    path = existing(path)
    try:
        if not path.is_dir():
            return _archive(path)
        a, b = (read_images(path / name) for name in FOLDERS)
        # Whatever their endings: drawings are often .png, photographs .jpg.
        if len(set(a.names)) == len(a) and sorted(a.names) == sorted(b.names):
            return ImagePairs(_by_name(a), _by_name(b))
        return ImageDomains(a, b)
    except ValueError as error:
        said = str(error)
        raise ValueError(said if said.startswith(str(path)) else f"{path}: {said}") from None


def write_pairs(pairs: ImagePairs, path: str | Path) -> None:
    """Write pairs to ``.npz``, or as PNG into a folder's ``A`` and ``B``; see :func:`read_pairs`.

    Raises:
        ValueError: There are none, or another extension.
    """
    path = Path(path)
    if not len(pairs):
        raise ValueError(f"nothing to write to {path}: at least one pair is needed")
    if path.is_dir() or not path.suffix:
        for name, side in zip(FOLDERS, (pairs.source, pairs.target), strict=True):
            write_images(side, path / name)
        return
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path}: pairs are written as .npz or into a folder; got {path.suffix}")
    arrays: dict[str, NDArray[Any]] = {
        name: bytes_of(side)
        for name, side in zip(ARRAYS, (pairs.source, pairs.target), strict=True)
    }
    if pairs.palette is not None:
        arrays["palette"] = levels_of(pairs.palette).numpy().astype(np.uint8)
    if pairs.source.labels is not None:
        arrays["labels"] = pairs.source.labels.numpy()
    if any(pairs.source.names):
        arrays["ids"] = np.array(pairs.source.names)
    write_arrays(path, arrays)


def write_domains(domains: ImageDomains, path: str | Path) -> None:
    """Write two sets as PNG into a folder's ``A`` and ``B``.

    Raises:
        ValueError: One of them is empty, or the path has an extension.
    """
    path = Path(path)
    if path.suffix and not path.is_dir():
        raise ValueError(f"{path}: two sets are written into a folder; got {path.suffix}")
    for name, side in zip(FOLDERS, (domains.a, domains.b), strict=True):
        write_images(side, path / name)


def _archive(path: Path) -> ImagePairs:
    arrays = read_arrays(path, names=(*ARRAYS, "palette", "labels", "ids"))
    for name in (*ARRAYS, "palette"):
        if name in arrays and arrays[name].dtype != np.uint8:
            raise ValueError(f"`{name}` must be bytes; got {arrays[name].dtype}")
    for name in ARRAYS:
        if arrays[name].ndim not in (3, 4):
            raise ValueError(
                f"`{name}` must be (n, h, w) or (n, h, w, channels); got {arrays[name].shape}"
            )
    names = arrays["ids"].tolist() if "ids" in arrays else ()
    sides = [from_bytes(arrays[name], arrays.get("labels"), names) for name in ARRAYS]
    palette = arrays["palette"] / np.float32(127.5) - 1 if "palette" in arrays else None
    return ImagePairs(sides[0], sides[1], palette)


def _by_name(images: Images) -> Images:
    order = sorted(range(len(images)), key=lambda number: images.names[number])
    # Folders within A or B are no classes of the pairs.
    found = images[order]
    return Images(found.pixels, None, found.names)
