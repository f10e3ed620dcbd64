"""Files of renders: archives with poses and maps, and the images alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.npz import array_shapes, read_arrays, write_arrays
from shapegen.images.files import read_images
from shapegen.images.lowering import bytes_of
from shapegen.images.renders import Renders

_MAPS = ("shapes", "alpha", "depth", "parts")
_OWN = ("poses", "fov", *_MAPS, "boxes", "box_shapes")


def holds_renders(path: str | Path) -> bool:
    """Whether a file is an archive of images with poses and a field of view."""
    path = Path(path)
    if not path.is_file() or path.suffix.lower() != ".npz":
        return False
    return {"images", "poses", "fov"} <= set(array_shapes(path))


def read_renders(path: str | Path) -> Renders:
    """Read an archive.

    Args:
        path: ``.npz`` with ``images`` as in :func:`shapegen.images.files.read_images`,
            ``poses (n, 4, 4)``, ``fov`` in degrees, and, if there, ``shapes (n,)``, ``alpha`` of
            bytes, ``depth`` and ``parts (n, h, w)``, and ``boxes (k, 12)`` of all shapes with
            the shape that each belongs to, ``box_shapes (k,)``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: An array is missing or does not fit the others.
    """
    images = read_images(path)
    arrays = read_arrays(path, names=_OWN)
    missing = [name for name in ("poses", "fov") if name not in arrays]
    if missing:
        raise ValueError(f"{path}: an archive of renders needs an array `{missing[0]}`")
    if arrays["fov"].size != 1:
        raise ValueError(f"{path}: `fov` must be one number; got {arrays['fov'].shape}")
    if "alpha" in arrays:
        arrays["alpha"] = arrays["alpha"].astype(np.float32) / 255
    maps: dict[str, Any] = {name: arrays[name] for name in _MAPS if name in arrays}
    if "boxes" in arrays and "box_shapes" in arrays:
        maps["boxes"] = _split(arrays["boxes"], arrays["box_shapes"])
    try:
        return Renders(images, arrays["poses"], float(arrays["fov"].item()), **maps)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def write_renders(renders: Renders, path: str | Path) -> None:
    """Write an archive that :func:`read_renders` reads, or the images alone.

    Args:
        renders: At least one.
        path: ``.npz``; ``.gif``, a frame an image; ``.png`` or a folder, as for images.

    Raises:
        ValueError: There are none, or the extension is none of these.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".npz", ".gif") or path.is_dir():
        renders.images.write(path)
        return
    if not len(renders):
        raise ValueError(f"nothing to write to {path}: at least one image is needed")
    if kind == ".gif":
        from shapegen.formats.gif import write_gif

        pixels = bytes_of(renders.images)
        write_gif(list(np.broadcast_to(pixels, (*pixels.shape[:3], 3))), path, hold=0.0)
        return
    arrays: dict[str, NDArray[Any]] = {
        "images": bytes_of(renders.images),
        "poses": renders.poses.numpy(),
        "fov": np.array(renders.fov),
        "shapes": renders.shapes.numpy(),
    }
    if renders.labels is not None:
        arrays["labels"] = renders.labels.numpy()
    if any(renders.names):
        arrays["ids"] = np.array(renders.names)
    if renders.alpha is not None:
        arrays["alpha"] = np.rint(255 * renders.alpha.numpy()).astype(np.uint8)
    if renders.depth is not None:
        arrays["depth"] = renders.depth.numpy()
    if renders.parts is not None:
        arrays["parts"] = renders.parts.numpy().astype(np.int16)
    if renders.boxes:
        arrays["boxes"] = np.concatenate(renders.boxes)
        counts = [len(each) for each in renders.boxes]
        arrays["box_shapes"] = np.repeat(np.arange(len(counts)), counts)
    write_arrays(path, arrays)


def _split(boxes: NDArray[Any], owners: NDArray[Any]) -> list[NDArray[Any]]:
    """The boxes of every shape."""
    count = int(owners.max()) + 1 if len(owners) else 0
    return [boxes[owners == number] for number in range(count)]
