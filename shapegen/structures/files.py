"""Files of part trees: which reader and writer belongs to which extension."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from shapegen.formats.compressed import existing
from shapegen.formats.folders import ANIMATION
from shapegen.formats.npz import array_shapes
from shapegen.structures.flat_npz import is_flat, read_flat, write_flat
from shapegen.structures.grass_arrays import MAT_FILES
from shapegen.structures.grass_files import Frame, read_grass, write_grass
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.partnet_json import read_partnet
from shapegen.structures.partnet_writing import write_partnet
from shapegen.structures.repair import RepairMode, RepairReport

JSON_EXTENSIONS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
READ_EXTENSIONS = (*JSON_EXTENSIONS, ".npz", ".mat")
SCENE_EXTENSIONS = (".glb", ".obj", ".ply", ".stl", ".usda", ".png")
WRITE_EXTENSIONS = (*READ_EXTENSIONS, *SCENE_EXTENSIONS)

NOT_SHAPES = ("manifest.json", ANIMATION)
"""Files in a folder of samples that describe the others."""
REPORT = ".report.json"
"""End of the name of a report of an import, beside the shapes."""


def read_part_trees(
    path: str | Path,
    *,
    repair: RepairMode = "fix",
    frame: Frame = "toolkit",
    renumber: bool = False,
    report: RepairReport | None = None,
    rejects: list[str] | None = None,
) -> PartTrees:
    """Read part trees from any file that holds them.

    Args:
        path: StructureNet JSON (``.json``, ``.jsonl``, plain or ``.gz``), an ``.npz`` of ours or
            of GRASS arrays, GRASS ``.mat``, or a folder: of the three ``.mat`` files, of
            ``.json`` files one a shape, or else of the other files, all in the order of names.
        repair: What to do with bad boxes (:mod:`shapegen.structures.repair`).
        frame: For GRASS data: ``"toolkit"`` turns shapes to front +z, ``"file"`` does not.
        renumber: For JSON: ignore the nodes' ids.
        report: Gets the counts of bad boxes; without it they are warned of, once a file.
        rejects: Gets a line for every shape that cannot be read, and reading goes on; without it
            the first such shape raises.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: The extension is none of these, or the content is malformed.
    """
    path = existing(path)
    counts = RepairReport() if report is None else report
    trees: list[PartTree] = []
    for file in part_tree_files(path):
        extension = extension_of(file)
        if extension in JSON_EXTENSIONS:
            trees += read_partnet(
                file, repair=repair, renumber=renumber, report=counts, rejects=rejects
            )
        elif extension == ".npz" and is_flat(array_shapes(file)):
            trees += read_flat(file, repair=repair, report=counts, rejects=rejects)
        else:
            trees += read_grass(file, frame=frame, repair=repair, report=counts, rejects=rejects)
    if report is None:
        counts.warn(path)
    return PartTrees(trees)


def part_tree_files(path: str | Path) -> list[Path]:
    """The files that :func:`read_part_trees` reads for ``path``.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: The extension is not accepted, or a folder holds no such file.
    """
    path = existing(path)
    if not path.is_dir():
        if extension_of(path) not in READ_EXTENSIONS:
            raise ValueError(
                f"{path}: part trees are read from {', '.join(READ_EXTENSIONS)} or a folder of "
                f"them; got {path.suffix or 'no extension'}"
            )
        return [path]
    if any((path / name).exists() for name in MAT_FILES.values()):
        return [path]
    files = sorted(p for p in path.iterdir() if p.is_file() and is_shapes_name(p.name))
    # A folder of samples holds the same shapes again as samples.jsonl: one kind only is read.
    for group in ((".json", ".json.gz"), (".jsonl", ".jsonl.gz"), (".npz",), (".mat",)):
        chosen = [file for file in files if extension_of(file) in group]
        if chosen:
            return chosen
    raise ValueError(
        f"{path} holds no file of part trees; accepted are {', '.join(READ_EXTENSIONS)}"
    )


def write_part_trees(
    trees: Sequence[PartTree], path: str | Path, *, extension: str = ".json"
) -> None:
    """Write part trees; the extension says the format.

    ``.npz`` keeps everything; ``.json`` and ``.jsonl`` (``.gz``) all but merge trees and points of
    parts; ``.mat`` the merge trees alone, in GRASS's layout; ``.glb``, ``.obj``, ``.ply``,
    ``.stl`` and ``.png`` are for graphics programs. In ``.ply`` leaves that have points are these,
    not their boxes.

    Args:
        trees: At least one.
        path: A file, or a folder (no known extension, or an existing one): it gets a file a
            shape, ``0000.json``, ``0001.json``, ...
        extension: Kind of the files in a folder.

    Raises:
        ValueError: There are no trees, or the extension is none of these.
    """
    path = Path(path)
    if not len(trees):
        raise ValueError(f"nothing to write to {path}: at least one shape is needed")
    kind = extension_of(path)
    if path.is_dir() or not path.suffix:
        extension = f".{extension.removeprefix('.')}"
        if extension not in WRITE_EXTENSIONS:
            raise _unknown(path, extension)
        for number, tree in enumerate(trees):
            _write_file([tree], path / f"{number:04d}{extension}", extension)
        return
    if kind not in WRITE_EXTENSIONS:
        raise _unknown(path, path.suffix)
    _write_file(trees, path, kind)


def is_shapes_name(name: str) -> bool:
    """Whether a file in a folder of shapes is not one that describes the others."""
    return name not in NOT_SHAPES and not name.endswith(REPORT)


def extension_of(path: str | Path) -> str:
    """Lower-case extension with a following ``.gz``: ``".jsonl.gz"``."""
    name = Path(path).name.lower()
    plain = name.removesuffix(".gz")
    return Path(plain).suffix + name[len(plain) :]


def _write_file(trees: Iterable[PartTree], path: Path, extension: str) -> None:
    if extension in JSON_EXTENSIONS:
        write_partnet(trees, path)
    elif extension == ".npz":
        write_flat(trees, path)
    elif extension == ".mat":
        write_grass(trees, path)
    else:
        from shapegen.formats import write_scene
        from shapegen.structures.lowering import part_trees_scene

        write_scene(part_trees_scene(trees, points=extension == ".ply"), path)


def _unknown(path: Path, extension: str) -> ValueError:
    return ValueError(
        f"{path}: part trees are written as {', '.join(WRITE_EXTENSIONS)} or into a folder; "
        f"got {extension}"
    )
