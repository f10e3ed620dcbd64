"""Lists of shapes' ids, one a line: splits that stay as they are, and the shapes of a list.

StructureNet's data has them beside the shapes: ``chair_hier/train.txt`` and ``<id>.json``. Ours
are named after the file of the shapes: ``chairs.train.txt`` for ``chairs.jsonl.gz``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shapegen.formats.compressed import existing, read_bytes, write_bytes
from shapegen.structures.files import READ_EXTENSIONS, read_part_trees
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.repair import RepairReport

SPLITS = ("train", "val", "test")
"""Names of the parts of a split."""
_LIST = re.compile(rf"(?P<split>{'|'.join(SPLITS)})(?:_(?P<subset>.+))?\.txt")
_LIMIT = 2**26


@dataclass(frozen=True)
class SplitRule:
    """Where a shape belongs, by its id and a seed alone: other shapes change nothing.

    The SHA-256 of ``seed:id`` gives a number from 0 to 1; the lowest are the test set, the next
    the validation set. The shares are therefore met on average, not exactly.
    """

    val: float = 0.1
    """Share of the validation set."""
    test: float = 0.1
    """Share of the test set."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, share in (("val", self.val), ("test", self.test)):
            if not 0 <= share < 1:
                raise ValueError(f"{name} must be a share from 0, below 1; got {share}")
        if self.val + self.test >= 1:
            raise ValueError(
                f"val and test must leave some to train on; got {self.val} and {self.test}"
            )

    def split_of(self, identity: str) -> str:
        """``"train"``, ``"val"`` or ``"test"``."""
        digest = hashlib.sha256(f"{self.seed}:{identity}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        if place < self.test:
            return "test"
        return "val" if place < self.test + self.val else "train"


def split_ids(
    ids: Iterable[str], rule: SplitRule, given: Mapping[str, Iterable[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """The ids of every part of a split, in the order of ``ids``.

    Args:
        ids: Of all shapes.
        rule: Says where an id belongs.
        given: Lists that hold instead of the rule; an id on none of them is in no part.
    """
    parts: dict[str, list[str]] = {name: [] for name in SPLITS}
    place = {each: name for name, listed in (given or {}).items() for each in listed}
    for each in ids:
        name = place.get(each) if given else rule.split_of(each)
        if name is not None:
            parts[name].append(each)
    return {name: tuple(listed) for name, listed in parts.items()}


def read_ids(path: str | Path) -> tuple[str, ...]:
    """Read a list of ids, one a line; empty lines are skipped.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not text, holds no id, or one twice.
    """
    try:
        lines = read_bytes(path, limit=_LIMIT).decode().splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: a list of ids is UTF-8 text; this is not") from None
    first: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        each = line.strip()
        if each in first:
            raise ValueError(f"{path}: line {number}: id {each!r} is in line {first[each]} too")
        if each:
            first[each] = number
    if not first:
        raise ValueError(f"{path} lists no ids; at least one is needed, one a line")
    return tuple(first)


def write_ids(path: str | Path, ids: Iterable[str]) -> None:
    """Write a list of ids, one a line.

    Raises:
        ValueError: An id is empty or would not be read back.
    """
    ids = list(ids)
    for each in ids:
        if each.strip() != each or len(each.splitlines()) != 1:
            raise ValueError(f"an id is a line of text without spaces around it; got {each!r}")
    write_bytes(path, "".join(f"{each}\n" for each in ids).encode())


def read_listed(path: str | Path, *, report: RepairReport | None = None) -> PartTrees:
    """Read the shapes on a list, in its order.

    They are looked for as ``<id>.json`` beside the list (StructureNet's layout), and for a list
    ``NAME.train.txt`` in ``NAME.jsonl.gz``, another file of shapes of that name, or a folder NAME.

    Args:
        path: The list.
        report: Gets the counts of mended boxes; without it they are warned of.

    Raises:
        FileNotFoundError: There is no such list.
        ValueError: The list is empty, no file of its shapes is there, or a shape is missing.
    """
    path = existing(path)
    ids = read_ids(path)
    counts = RepairReport() if report is None else report
    files = {each: _own_file(path.parent, each) for each in ids}
    if any(files.values()):
        found = {
            each: read_part_trees(file, report=counts)[0] for each, file in files.items() if file
        }
    else:
        found = _named(shapes_of(path), counts)
    missing = [each for each in ids if each not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"{path} lists {missing[0]!r}{more}, which is not among the shapes")
    if report is None:
        counts.warn(path)
    return PartTrees([found[each] for each in ids])


def shapes_of(path: str | Path) -> Path:
    """The file or folder of shapes that a list is named after.

    Raises:
        ValueError: There is none beside it.
    """
    path = Path(path)
    stem = path.stem.rpartition(".")[0]
    if stem:
        for beside in (path.parent / f"{stem}{end}" for end in READ_EXTENSIONS):
            if beside.is_file():
                return beside
        if (path.parent / stem).is_dir():
            return path.parent / stem
    wanted = f"{stem}.jsonl.gz" if stem else "NAME.jsonl.gz for a list NAME.train.txt"
    raise ValueError(
        f"{path}: the shapes of the list are not there; "
        f"looked for <id>.json and {wanted} in {path.parent}"
    )


def given_splits(folder: Path, subset: str | None = None) -> dict[str, tuple[str, ...]]:
    """Read the split files of a folder: ``train.txt``, ``train_SUBSET.txt``, ...

    Args:
        folder: Such as ``chair_hier``.
        subset: Which of the splits, such as ``"no_other_less_than_10_parts"``; by default the
            plain one, or else the only one.

    Returns:
        The ids by part; empty where there are no such files.

    Raises:
        ValueError: There is no such subset, several could be meant, or an id is in two parts.
    """
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.glob("*.txt")):
        match = _LIST.fullmatch(file.name)
        if match:
            found.setdefault(match["subset"] or "", {})[match["split"]] = file
    if subset is None and not found:
        return {}
    if subset is None:
        subset = next(iter(found)) if len(found) == 1 else ""
    if subset not in found:
        named = ", ".join(repr(name) for name in found if name) or "none"
        raise ValueError(
            f"{folder}: the subset of the split must be one of {named}; got {subset!r}"
        )
    lists = {name: read_ids(file) for name, file in found[subset].items()}
    seen: dict[str, str] = {}
    for name, ids in lists.items():
        for each in ids:
            if each in seen:
                raise ValueError(f"{folder}: id {each!r} is in {seen[each]} and in {name}")
            seen[each] = name
    return lists


def _own_file(folder: Path, identity: str) -> Path | None:
    if Path(identity).name != identity:
        return None
    for extension in (".json", ".json.gz"):
        if (folder / f"{identity}{extension}").is_file():
            return folder / f"{identity}{extension}"
    return None


def _named(path: Path, report: RepairReport) -> dict[str, PartTree]:
    found: dict[str, PartTree] = {}
    for tree in read_part_trees(path, report=report):
        if tree.name in found:
            raise ValueError(f"{path}: two shapes are called {tree.name!r}; a list cannot tell")
        found[tree.name] = tree
    return found
