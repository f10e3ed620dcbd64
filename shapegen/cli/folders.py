"""Folders of results: filled aside, then moved into place; numbered files and their manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shapegen
from shapegen.formats.atomic import replacing

MANIFEST = "manifest.json"


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside ``folder``; when the block succeeds, put its files there.

    When the block raises, ``folder`` is as it was. Files that an earlier manifest in it lists are
    replaced as a whole; files of others stay.

    Raises:
        ValueError: ``folder`` is a file.
        OSError: It cannot be made or written.
    """
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; the results need a folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield aside
        _move(aside, folder)
    except OSError as error:
        # The hidden name means nothing to the person who chose the folder.
        if error.filename is not None:
            error.filename = str(error.filename).replace(str(aside), str(folder))
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(aside: Path, folder: Path) -> None:
    if not folder.exists():
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o777 & ~mask)
        aside.replace(folder)
        return
    for name in _listed(folder):
        (folder / name).unlink(missing_ok=True)
    for path in sorted(aside.rglob("*")):
        target = folder / path.relative_to(aside)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)


def _listed(folder: Path) -> list[str]:
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
        names = [str(file["name"]) for file in files]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [name for name in names if Path(name).name == name]


def write_manifest(
    folder: Path, names: Sequence[str], seeds: Sequence[int | None], **facts: Any
) -> None:
    """Write ``manifest.json``: ``facts``, the version, and every file's name, seed and sha256."""
    files: list[Mapping[str, Any]] = [
        {
            "name": name,
            **({} if seed is None else {"seed": seed}),
            "sha256": digest(folder / name),
        }
        for name, seed in zip(names, seeds, strict=True)
    ]
    text = json.dumps({**facts, "shapegen": shapegen.__version__, "files": files}, indent=1)
    with replacing(folder / MANIFEST) as aside:
        aside.write_text(text + "\n")


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
