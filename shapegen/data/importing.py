"""People's own shapes: meshes (GLB, OBJ, ...) to part trees with boxes, labels and relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from shapegen.data.mesh_nodes import label_of, part_tree_of, unwrapped
from shapegen.data.mesh_scenes import MESH_EXTENSIONS, Up, is_mesh, read_mesh_nodes, turn_of
from shapegen.data.partnet_annotations import annotated_folders, read_annotation
from shapegen.formats.compressed import existing
from shapegen.structures.files import READ_EXTENSIONS, part_tree_files, read_part_trees
from shapegen.structures.glb_trees import is_own_glb, read_glb_trees
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.repair import RepairReport

__all__ = [
    "MESH_EXTENSIONS",
    "Imported",
    "Reject",
    "Up",
    "categorised",
    "import_file",
    "import_folder",
    "import_mesh",
    "label_of",
    "restricted",
]

_OTHER_PROGRAMS = frozenset(
    {
        *(".3ds", ".3mf", ".blend", ".c4d", ".dae", ".fbx", ".ma", ".max", ".mb", ".off", ".skp"),
        *(".step", ".stp", ".usd", ".usda", ".usdc", ".usdz", ".wrl", ".x3d"),
    }
)
"""Files of shapes that are not read, and must not be passed over in silence."""


@dataclass(frozen=True)
class Reject:
    """A file, or a shape of a file, that could not be taken."""

    source: str
    """Its place, relative to the folder."""
    reason: str
    """One line: which file, and why."""


@dataclass(frozen=True)
class Imported:
    """What came of a folder."""

    trees: PartTrees
    """Their names are ids: unique, made of the files' names."""
    sources: tuple[str, ...] = ()
    """The file of every shape, relative to the folder."""
    failures: tuple[Reject, ...] = ()
    repairs: RepairReport = field(default_factory=RepairReport)
    """Boxes that were mended, flat parts among them."""

    @property
    def rejects(self) -> tuple[str, ...]:
        """A line for every file that could not be taken: which, and why."""
        return tuple(failure.reason for failure in self.failures)


def import_folder(path: str | Path, *, up: Up = "y") -> Imported:
    """Import a folder: annotated shapes of PartNet's, or else meshes, or else part trees.

    Annotated shapes are folders with ``result_after_merging.json``. Meshes are looked for in
    subfolders too. A shape is called after its file, or as the file says. Files of other 3D
    programs are not read, and named as such.

    Args:
        path: The folder; a single file is taken as well.
        up: Up axis of the meshes.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: It holds no file of shapes.
    """
    turn_of(up)  # a wrong axis is refused once, not with every file
    path = existing(path)
    gathered = _Gathered(path)
    annotated = annotated_folders(path) if path.is_dir() else []
    meshes = _files(path, is_mesh)
    others = _files(path, lambda file: file.suffix.lower() in _OTHER_PROGRAMS)
    if annotated:
        for folder in annotated:
            gathered.add(folder, lambda file: [read_annotation(file, report=gathered.repairs)])
    elif meshes:
        for mesh in meshes:
            gathered.add(
                mesh, lambda file: _named(file, import_file(file, up=up, report=gathered.repairs))
            )
    else:
        for file in _part_tree_files(path, needed=not others):
            gathered.add_part_trees(file)
    for other in () if annotated else others:
        gathered.refuse(
            other, f"{other}: files of this kind are not read; export it as .glb or .obj"
        )
    return gathered.imported()


def _files(path: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """The wanted files at a path: itself, or those in the folder and its subfolders, by name."""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    return [file for file in files if wanted(file) and file.is_file()]


def _part_tree_files(path: Path, *, needed: bool) -> list[Path]:
    try:
        return part_tree_files(path)
    except ValueError:
        if not needed:
            return []
        accepted = ", ".join((*MESH_EXTENSIONS, *READ_EXTENSIONS))
        what = f"holds no file of shapes; accepted are {accepted}"
        if path.is_file():
            what = f"shapes are read from {accepted}; got {path.suffix or 'no extension'}"
        raise ValueError(f"{path}: {what}") from None


def restricted(found: Imported, ids: Set[str]) -> Imported:
    """Keep the shapes with the given ids, and what could not be taken."""
    kept = [number for number, tree in enumerate(found.trees) if tree.name in ids]
    return replace(
        found, trees=found.trees[kept], sources=tuple(found.sources[number] for number in kept)
    )


def categorised(found: Imported, category: str) -> Imported:
    """Give the roots of all shapes one label: files are called after what is in them, or not.

    Raises:
        ValueError: The label is not one word.
    """
    if category.split() != [category] or "/" in category:
        raise ValueError(f"a category is one word, without '/'; got {category!r}")
    trees = [
        replace(tree, label=tuple(_below(label, tree.label[0], category) for label in tree.label))
        for tree in found.trees
    ]
    return replace(found, trees=PartTrees(trees))


def _below(label: str, root: str, category: str) -> str:
    inside = label == root or label.startswith(f"{root}/")
    return f"{category}{label.removeprefix(root)}" if inside else label


class _Gathered:
    """The shapes of a folder, file by file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trees: list[PartTree] = []
        self.sources: list[str] = []
        self.failures: list[Reject] = []
        self.repairs = RepairReport()
        self.names: set[str] = set()

    def add(self, file: Path, reader: Callable[[Path], Iterable[PartTree]]) -> None:
        source = self._source(file)
        try:
            found = list(reader(file))
        except (ValueError, OSError) as error:
            self.refuse(file, str(error))
            return
        for tree in found:
            self._take(tree, source)

    def refuse(self, file: Path, reason: str) -> None:
        self.failures.append(Reject(self._source(file), " ".join(reason.split())))

    def add_part_trees(self, file: Path) -> None:
        rejects: list[str] = []
        self.add(file, lambda place: read_part_trees(place, report=self.repairs, rejects=rejects))
        for line in rejects:
            self.refuse(file, line)

    def imported(self) -> Imported:
        return Imported(
            PartTrees(self.trees), tuple(self.sources), tuple(self.failures), self.repairs
        )

    def _source(self, file: Path) -> str:
        place = file.name if file == self.root else file.relative_to(self.root).as_posix()
        return place.encode(errors="replace").decode()

    def _take(self, tree: PartTree, source: str) -> None:
        """Add a shape under an id: one line, and its own."""
        # Names of files need not be text.
        plain = " ".join(tree.name.encode(errors="replace").decode().split()) or "shape"
        folder = source.rpartition("/")[0]
        # Ids that readers make of places are paths, so that equal names in folders differ.
        base = f"{folder}/{plain}" if folder else plain
        name, number = base, 1
        while name in self.names:
            number += 1
            name = f"{base}-{number}"
        self.names.add(name)
        self.trees.append(tree if name == tree.name else replace(tree, name=name))
        self.sources.append(source)


def _named(file: Path, trees: PartTrees) -> list[PartTree]:
    """A file's only shape is called after it; of several, each as the file says."""
    if len(trees) == 1:
        return [replace(trees[0], name=file.stem)]
    return [replace(tree, name=f"{file.stem}/{tree.name}") for tree in trees]


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
    root = unwrapped(read_mesh_nodes(path, up=up), label_of(path.stem))
    counts = RepairReport() if report is None else report
    tree = part_tree_of(root, path.stem, report=counts, place=str(path))
    if report is None:
        counts.warn(path)
    return tree
