"""People's own shapes: meshes (GLB, OBJ, ...) to part trees with boxes, labels and relations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from shapegen.data.mesh_nodes import label_of, part_tree_of, unwrapped
from shapegen.data.mesh_scenes import MESH_EXTENSIONS, Up, is_mesh, read_mesh_nodes, turn_of
from shapegen.formats.compressed import existing
from shapegen.structures.files import read_part_trees
from shapegen.structures.glb_trees import is_own_glb, read_glb_trees
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.repair import RepairReport

__all__ = [
    "MESH_EXTENSIONS",
    "Imported",
    "Up",
    "import_file",
    "import_folder",
    "import_mesh",
    "label_of",
]


@dataclass(frozen=True)
class Imported:
    """What came of a folder."""

    trees: PartTrees
    rejects: tuple[str, ...] = ()
    """A line for every file that could not be taken: which, and why."""
    repairs: RepairReport = field(default_factory=RepairReport)
    """Boxes that were mended, flat parts among them."""


def import_folder(path: str | Path, *, up: Up = "y") -> Imported:
    """Import every mesh file in a folder and its subfolders, or else its files of part trees.

    Args:
        path: The folder; a single file is taken as well.
        up: Up axis of the meshes.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: It holds no file of shapes.
    """
    turn_of(up)  # a wrong axis is refused once, not with every file
    path = existing(path)
    trees: list[PartTree] = []
    rejects: list[str] = []
    repairs = RepairReport()
    files = sorted(p for p in path.rglob("*") if is_mesh(p)) if path.is_dir() else [path]
    if not any(map(is_mesh, files)):
        read = read_part_trees(path, report=repairs, rejects=rejects)
        return Imported(read, tuple(rejects), repairs)
    for file in files:
        name = file.relative_to(path).with_suffix("").as_posix() if file != path else file.stem
        try:
            found = import_file(file, up=up, report=repairs)
        except (ValueError, OSError) as error:
            rejects.append(str(error))
            continue
        trees += [replace(tree, name=name) for tree in found] if len(found) == 1 else found
    return Imported(PartTrees(trees), tuple(rejects), repairs)


def import_file(
    path: str | Path, *, up: Up = "y", report: RepairReport | None = None
) -> PartTrees:
    """Read a mesh file: the part trees in a ``.glb`` of ours, else one tree of boxes.

    Args:
        path: As in :func:`import_mesh`; so are the others.
        up: Up axis of the file.
        report: Gets the counts of mended boxes; without it they are warned of.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged or holds no triangles.
    """
    if Path(path).suffix.lower() == ".glb" and is_own_glb(path):
        return read_glb_trees(path, report=report)
    return PartTrees([import_mesh(path, up=up, report=report)])


def import_mesh(path: str | Path, *, up: Up = "y", report: RepairReport | None = None) -> PartTree:
    """Turn a mesh file into a part tree.

    Every node with triangles becomes a leaf with the smallest oriented box around them (upright
    where that is hardly larger); a node above others gets the axis-aligned box of its leaves.
    Names become labels without their numbers (``Leg.001``: ``leg``). A file without a hierarchy
    is cut into its connected pieces. Relations are detected.

    Args:
        path: ``.glb``, ``.gltf``, ``.obj``, ``.ply`` or ``.stl``.
        up: Up axis of the file.
        report: Gets the counts of mended boxes; without it they are warned of.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, holds no triangles, or has more than 1000 parts.
    """
    path = Path(path)
    root = unwrapped(read_mesh_nodes(path, up=up))
    root = replace(root, label=root.label or label_of(path.stem))
    counts = RepairReport() if report is None else report
    tree = part_tree_of(root, path.stem, report=counts, place=str(path))
    if report is None:
        counts.warn(path)
    return tree
