"""Say of any file that the toolkit reads whether it is sound and, if not, what is wrong where."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shapegen.data.check_report import CheckReport
from shapegen.data.id_lists import read_ids
from shapegen.data.importing import MESH_EXTENSIONS, import_file
from shapegen.data.part_points import check_part_points, folders_beside, geometry_problems
from shapegen.formats.compressed import existing, read_bytes
from shapegen.formats.npz import array_shapes, read_arrays
from shapegen.graphs.files import holds_graphs, read_graphs
from shapegen.images.files import holds_images, read_images
from shapegen.images.pair_files import holds_pairs, read_pairs
from shapegen.images.pairs import ImagePairs
from shapegen.points.files import OWN_EXTENSIONS, holds_points, read_point_clouds
from shapegen.structures.files import (
    JSON_EXTENSIONS,
    NOT_SHAPES,
    REPORT,
    extension_of,
    read_part_trees,
)
from shapegen.structures.flat_npz import is_flat
from shapegen.structures.grass_arrays import MAT_FILES
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.repair import OUT_OF_RANGE, RepairReport
from shapegen.structures.vocabulary import INNER, LEAF, Vocabulary, read_vocabulary

if TYPE_CHECKING:
    from torch import Tensor

MAX_PROBLEMS = 20
"""Most problems that a report lists; the others are counted."""

_MAX_CONFIG = 2**20
_MAX_TEXT = 2**26
_MAX_ALIASES = 100


def check(path: str | Path, *, vocabulary: Vocabulary | None = None) -> CheckReport:
    """Read a file or folder whole and report; nothing is raised, whatever it holds.

    Args:
        path: Part trees (StructureNet JSON, ``.npz``, GRASS ``.mat``), point clouds (``.npz``,
            ``.npy``, ``.xyz``, ``.ply``, ...), graphs, other arrays (``.npz``), a mesh, a
            checkpoint (``.safetensors``), a configuration (``.yaml``), a table of labels
            (``.txt``), or a folder of such files. ``NAME_hier`` is held against ``NAME_geo``
            beside it, and the other way round.
        vocabulary: Labels that part trees may have.
    """
    found = _Findings(str(path), vocabulary)
    try:
        with warnings.catch_warnings():
            # What readers warn of stands in the report.
            warnings.simplefilter("ignore")
            _check_path(existing(path), found)
    except (ValueError, OSError) as error:
        found.problems.append(_one_line(error))
    # Damaged bytes make third-party readers raise anything; a report is due all the same.
    except Exception as error:
        found.problems.append(
            f"{path}: cannot be read ({type(error).__name__}: {_one_line(error)})"
        )
    return found.report()


@dataclass
class _Findings:
    path: str
    vocabulary: Vocabulary | None
    kind: str = "unknown"
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def report(self) -> CheckReport:
        problems = [" ".join(line.split()) for line in self.problems]
        if len(problems) > MAX_PROBLEMS:
            more = len(problems) - MAX_PROBLEMS
            problems = [*problems[:MAX_PROBLEMS], f"and {more} more problems"]
        return CheckReport(
            self.path, self.kind, dict(self.counts), tuple(problems), tuple(self.notes)
        )


def _check_path(path: Path, found: _Findings) -> None:
    if path.is_dir():
        _check_folder(path, found)
        return
    checker: Callable[[Path, _Findings], Any] | None
    if holds_graphs(path):
        checker = _check_graphs
    elif holds_pairs(path):
        checker = _check_pairs
    else:
        checker = _check_images if holds_images(path) else _CHECKERS.get(extension_of(path))
    if checker is None:
        accepted = ", ".join(_CHECKERS)
        raise ValueError(
            f"{path}: files of this kind are not read; accepted are {accepted} and folders"
        )
    checker(path, found)


def _check_folder(path: Path, found: _Findings) -> None:
    found.kind = "folder"
    if holds_pairs(path):
        _check_pairs(path, found)
        return
    if any((path / name).exists() for name in MAT_FILES.values()):
        _check_part_trees(path, found)
        return
    files = sorted(p for p in path.iterdir() if p.is_file() and extension_of(p) in _CHECKERS)
    if not files and holds_images(path):
        _check_images(path, found)
        return
    if not files:
        raise ValueError(f"{path} holds no file of a kind that is read")
    kinds: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    for file in files:
        report = check(file, vocabulary=found.vocabulary)
        kinds[report.kind] += 1
        if "points" in report.counts:
            sizes[report.counts["points"] // report.counts["shapes"]] += 1
        found.counts.update(report.counts)
        found.problems += report.problems
        found.notes += report.notes
    found.kind = f"folder of {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}"
    found.counts["files"] = len(files)
    if len(sizes) > 1:
        listed = ", ".join(f"{size} in {count} files" for size, count in sorted(sizes.items()))
        found.problems.append(f"{path}: clouds of one set need equally many points; got {listed}")
    beside = folders_beside(path.resolve())
    if beside is not None:
        _check_geometry(*beside, found)


def _check_geometry(hierarchies: Path, geometry: Path, found: _Findings) -> None:
    """Hold point clouds of parts against the hierarchies that they belong to."""
    trees = read_part_trees(hierarchies, report=RepairReport(), rejects=[])
    problems, missing = geometry_problems(geometry, trees)
    found.problems += [line for line in problems if line not in found.problems]
    found.counts["shapes with points"] = len(trees) - missing
    if missing:
        found.notes.append(f"{missing} shapes of {hierarchies} have no points in {geometry}")


def _check_json(path: Path, found: _Findings) -> None:
    if path.name in NOT_SHAPES:
        _check_manifest(path, found)
    elif path.name.endswith(REPORT):
        _check_report(path, found)
    else:
        _check_part_trees(path, found)


def _check_part_trees(path: Path, found: _Findings) -> None:
    found.kind = "part trees"
    repairs = RepairReport()
    rejects: list[str] = []
    trees = read_part_trees(path, report=repairs, rejects=rejects)
    found.problems += rejects
    _describe(trees, found)
    if rejects:
        found.counts["unreadable shapes"] = len(rejects)
    if repairs.mended or repairs.counts[OUT_OF_RANGE]:
        found.notes.append(f"{path}: {repairs.summary}")
    copies = len(trees) - len({_content(tree) for tree in trees})
    if copies:
        found.notes.append(f"{path}: {copies} shapes have the boxes of another one")
    for tree in trees if found.vocabulary is not None else ():
        try:
            found.vocabulary.indices(tree)  # type: ignore[union-attr]
        except ValueError as error:
            found.problems.append(f"{path}: {error}")


def _describe(trees: PartTrees, found: _Findings) -> None:
    found.counts.update(
        shapes=len(trees),
        nodes=sum(map(len, trees)),
        relations=sum(len(tree.edges) for tree in trees),
    )


def _content(tree: PartTree) -> bytes:
    return hashlib.sha256(tree.box.tobytes()).digest()


def _check_manifest(path: Path, found: _Findings) -> None:
    found.kind = "manifest"
    try:
        files = json.loads(read_bytes(path, limit=2**26))["files"]
        listed = [(str(file["name"]), str(file["sha256"])) for file in files]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: not a manifest ({_one_line(error)})") from None
    found.counts["files listed"] = len(listed)
    for name, digest in listed:
        file = path.parent / name
        if Path(name).name != name or not file.is_file():
            found.problems.append(f"{path}: lists {name!r}, which is not there")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            found.problems.append(f"{file}: not the file that the manifest lists (sha256 differs)")


def _check_report(path: Path, found: _Findings) -> None:
    found.kind = "report of an import"
    try:
        value = json.loads(read_bytes(path, limit=2**26))
        found.counts.update(shapes=len(value["shapes"]), rejects=len(value["rejects"]))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: not a report of an import ({_one_line(error)})") from None


def _check_npz(path: Path, found: _Findings) -> None:
    names = array_shapes(path)
    if is_flat(names) or {"boxes", "ops", "syms"} & set(names):
        _check_part_trees(path, found)
        return
    if "parts" in names:
        found.kind = "point clouds of parts"
        found.counts["nodes"] = check_part_points(path)
    elif "points" in names:
        _check_clouds(path, found)
    else:
        _check_arrays(path, found)


def _check_arrays(path: Path, found: _Findings) -> None:
    found.kind = "arrays"
    arrays = read_arrays(path)
    found.counts["arrays"] = len(arrays)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
            found.problems.append(f"{path}: {name}{list(place)} is not finite")


def _check_clouds(path: Path, found: _Findings) -> None:
    found.kind = "point clouds"
    clouds = read_point_clouds(path)
    found.counts.update(shapes=len(clouds), points=len(clouds) * clouds.points.shape[1])
    copies = len(clouds) - len({cloud.points.numpy().tobytes() for cloud in clouds})
    if copies:
        found.notes.append(f"{path}: {copies} shapes have the points of another one")


def _check_graphs(path: Path, found: _Findings) -> None:
    found.kind = "graphs"
    graphs = read_graphs(path)
    found.counts.update(graphs=len(graphs), nodes=sum(graphs.sizes))


def _check_images(path: Path, found: _Findings) -> None:
    found.kind = "images"
    images = read_images(path)
    found.counts.update(shapes=len(images))
    copies = len(images) - len({each.pixels.numpy().tobytes() for each in images})
    if copies:
        found.notes.append(f"{path}: {copies} images have the pixels of another one")


def _check_pairs(path: Path, found: _Findings) -> None:
    pairs = read_pairs(path)
    found.kind = "pairs of images" if isinstance(pairs, ImagePairs) else "two sets of images"
    found.counts.update(shapes=len(pairs))
    if isinstance(pairs, ImagePairs) and pairs.palette is not None:
        pairs.masks()


def _check_mesh(path: Path, found: _Findings) -> None:
    if path.suffix.lower() in (".ply", ".glb") and path.stat().st_size and holds_points(path):
        _check_clouds(path, found)
        return
    found.kind = "mesh"
    repairs = RepairReport()
    trees = import_file(path, report=repairs)
    _describe(trees, found)
    if repairs.mended:
        found.notes.append(f"{path}: {repairs.summary}")


def _check_text(path: Path, found: _Findings) -> None:
    """Tell clouds, tables of labels (which say leaf or subcomponents) and lists of ids apart."""
    if holds_points(path):
        _check_clouds(path, found)
        return
    lines = [line.split() for line in read_bytes(path, limit=_MAX_TEXT).splitlines()]
    ends = {words[-1] for words in lines if len(words) > 1}
    if not ends.isdisjoint({LEAF.encode(), INNER.encode()}) or _numbered(lines):
        _check_table(path, found)
    else:
        found.kind = "list of ids"
        found.counts["ids"] = len(read_ids(path))


def _numbered(lines: list[list[bytes]]) -> bool:
    return any(len(words) > 1 and words[0] == b"1" for words in lines[:1])


def _check_table(path: Path, found: _Findings) -> None:
    found.kind = "table of labels"
    words = read_vocabulary(path)
    found.counts.update(labels=len(words), leaves=len(words.leaves))


def _check_config(path: Path, found: _Findings) -> None:
    from shapegen.config import load_run

    found.kind = "configuration"
    _refuse_bombs(path)
    load_run(path)


def _refuse_bombs(path: Path) -> None:
    """Refuse YAML whose aliases could unfold to any size."""
    import yaml

    text = read_bytes(path, limit=_MAX_CONFIG).decode("utf-8", errors="replace")
    try:
        aliases = sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text))
    except (yaml.YAMLError, RecursionError):
        return  # the loader says it with the place
    if aliases > _MAX_ALIASES:
        raise ValueError(f"{path}: {aliases} aliases; at most {_MAX_ALIASES} are read")


def _check_checkpoint(path: Path, found: _Findings) -> None:
    from shapegen import checkpoint

    found.kind = "checkpoint"
    if _is_foreign(path):
        _check_tensors(path, found)
        return
    model = checkpoint.load(path)
    found.kind = f"checkpoint of {model.name}"
    values = model.state_dict()
    found.counts.update(tensors=len(values), numbers=sum(v.numel() for v in values.values()))
    _check_finite(path, values, found)


def _is_foreign(path: Path) -> bool:
    """Whether another program wrote a sound safetensors file."""
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return "shapegen" not in (file.metadata() or {})
    except safetensors.SafetensorError:
        return False  # checkpoint.load says what is wrong


def _check_tensors(path: Path, found: _Findings) -> None:
    from safetensors.torch import load_file

    found.kind = "tensors"
    values = load_file(path)
    found.counts.update(tensors=len(values), numbers=sum(v.numel() for v in values.values()))
    found.notes.append(f"{path}: not written by shapegen; see `shapegen convert`")
    _check_finite(path, values, found)


def _check_finite(path: Path, values: Mapping[str, Tensor], found: _Findings) -> None:
    for name, value in values.items():
        if value.is_floating_point() and not value.isfinite().all():
            found.problems.append(f"{path}: {name} holds NaN or infinity")


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


_CHECKERS: dict[str, Callable[[Path, _Findings], Any]] = {
    **dict.fromkeys(JSON_EXTENSIONS, _check_json),
    **dict.fromkeys(OWN_EXTENSIONS, _check_clouds),
    ".npz": _check_npz,
    ".mat": _check_part_trees,
    **dict.fromkeys(MESH_EXTENSIONS, _check_mesh),
    ".safetensors": _check_checkpoint,
    ".yaml": _check_config,
    ".yml": _check_config,
    ".txt": _check_text,
}
