"""Batches of shapes as files: all in one, or one a shape in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

ANIMATION = "animation.glb"
"""All steps of a walk in one file, which stands beside those of the steps and is none of them."""


class Batch(Protocol):
    """Shapes that can be counted and cut."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> Any:
        """Some of them."""
        ...


def write_batch(
    shapes: Batch,
    path: str | Path,
    write: Callable[[Any, Path, str], None],
    *,
    kinds: Sequence[str],
    extension: str,
    what: str,
) -> None:
    """Write shapes to one file, or one by one into a folder.

    Args:
        shapes: At least one.
        path: A file, or a folder (no extension, or an existing one): it gets a file a shape,
            ``0000.npz``, ``0001.npz``, ...
        write: ``write(shapes, file, kind)`` writes one file.
        kinds: Extensions that it knows.
        extension: Kind of the files in a folder.
        what: One of the shapes in words.

    Raises:
        ValueError: There are no shapes, or the extension is none of ``kinds``.
    """
    path = Path(path)
    if not len(shapes):
        raise ValueError(f"nothing to write to {path}: at least one {what} is needed")
    folder = path.is_dir() or not path.suffix
    kind = f".{extension.removeprefix('.')}" if folder else path.suffix.lower()
    if kind not in kinds:
        raise ValueError(
            f"{path}: {what}s are written as {', '.join(kinds)} or into a folder; got {kind}"
        )
    if not folder:
        write(shapes, path, kind)
        return
    for number in range(len(shapes)):
        write(shapes[number : number + 1], path / f"{number:04d}{kind}", kind)
