"""What an import leaves: the shapes, the table of their labels, lists of ids, a report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shapegen import __version__
from shapegen.core import boxes as box_algebra
from shapegen.data.id_lists import SplitRule, split_ids, write_ids
from shapegen.data.importing import Imported, Reject
from shapegen.formats.compressed import write_bytes
from shapegen.structures.files import REPORT
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.partnet_json import stem_of
from shapegen.structures.vocabulary import Vocabulary, vocabulary_of

LABELS = ".labels.txt"
"""End of the name of the table of labels, beside the shapes."""


@dataclass(frozen=True)
class ImportReport:
    """What was imported, what was not and why, and where it lies."""

    source: str
    shapes: str
    """File of the shapes."""
    labels: str | None
    """File of the table of labels; None where labels make no table."""
    report: str
    """File of this report."""
    lists: dict[str, str]
    """File of the ids of every part of the split; an empty part has none."""
    splits: dict[str, tuple[str, ...]]
    """The ids themselves."""
    rule: str
    """How the shapes were split."""
    counts: dict[str, int]
    """Shapes, nodes, parts, labels, relations by kind, mended boxes, copies."""
    rejects: tuple[Reject, ...]
    imported: tuple[dict[str, Any], ...]
    """Of every shape: id, source, nodes, parts, depth, relations, split."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The report as lines of text."""
        kinds = ", ".join(f"{n} {what}" for what, n in self.counts.items() if what != "shapes")
        lines = [f"{self.counts['shapes']} shapes in {self.shapes}: {kinds}"]
        named = [f"{name} {len(ids)}" for name, ids in self.splits.items()]
        lines.append(f"split {', '.join(named)} ({self.rule}): {', '.join(self.lists.values())}")
        if self.labels is not None:
            lines.append(f"labels in {self.labels}")
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"{len(self.rejects)} left out; report in {self.report}")
        return "\n".join(lines)


def write_import(
    found: Imported,
    source: str | Path,
    out: str | Path,
    *,
    rule: SplitRule | None = None,
    given: Mapping[str, tuple[str, ...]] | None = None,
    vocabulary: Vocabulary | None = None,
    diagonal: float | None = None,
) -> ImportReport:
    """Write the shapes of an import and, beside them, labels, lists of ids and a report.

    For ``out`` = ``chairs.jsonl.gz`` these are ``chairs.labels.txt`` (as StructureNet's
    ``part_semantics``), ``chairs.train.txt``, ``chairs.val.txt``, ``chairs.test.txt`` (lists that
    :func:`shapegen.data.files.read` takes for the shapes on them) and ``chairs.report.json``.

    Args:
        found: What was imported.
        source: The folder, for the report.
        out: File of the shapes.
        rule: How to split; default :class:`~shapegen.data.id_lists.SplitRule`.
        given: Lists that hold instead of the rule.
        vocabulary: The labels that are allowed: shapes with others are left out.
        diagonal: Put every shape's middle at the origin and scale its diagonal to this.

    Raises:
        ValueError: No shape is left.
    """
    out = Path(out)
    rule = SplitRule() if rule is None else rule
    trees, sources, rejects = _allowed(found, vocabulary)
    if not trees:
        more = f" (and {len(rejects) - 1} more)" if len(rejects) > 1 else ""
        raise ValueError(f"{rejects[0].reason}{more}" if rejects else f"{source} is empty")
    if diagonal is not None:
        if not 0 < diagonal < float("inf"):
            raise ValueError(f"the diagonal must be positive and finite; got {diagonal}")
        trees = [tree.normalised().transformed(scale=diagonal) for tree in trees]
    beside = out.parent / stem_of(out)
    splits = split_ids([tree.name for tree in trees], rule, given)
    lists = {name: f"{beside}.{name}.txt" for name, ids in splits.items() if ids}
    table, notes = _table(trees, vocabulary)
    counts = _counts(trees, found)
    if table is not None:
        counts["labels"] = len(table)
    if given:
        notes += _differences(given, splits, len(trees))
    report = ImportReport(
        source=str(source),
        shapes=str(out),
        labels=None if table is None else f"{beside}{LABELS}",
        report=f"{beside}{REPORT}",
        lists=lists,
        splits=splits,
        rule="as its folder says" if given else f"by SHA-256 of the id, seed {rule.seed}",
        counts=counts,
        rejects=tuple(rejects),
        imported=tuple(_facts(trees, sources, splits)),
        notes=tuple(notes),
    )
    PartTrees(trees).write(out)
    if table is not None:
        table.write(f"{beside}{LABELS}")
    for name, file in lists.items():
        write_ids(file, splits[name])
    _write_report(report, found, rule)
    return report


def _allowed(
    found: Imported, vocabulary: Vocabulary | None
) -> tuple[list[PartTree], list[str], list[Reject]]:
    trees, sources, rejects = [], [], list(found.failures)
    for tree, source in zip(found.trees, found.sources, strict=True):
        try:
            if vocabulary is not None:
                vocabulary.indices(tree)
        except ValueError as error:
            rejects.append(Reject(source, f"{source}: {error}"))
            continue
        trees.append(tree)
        sources.append(source)
    return trees, sources, rejects


def _table(
    trees: list[PartTree], vocabulary: Vocabulary | None
) -> tuple[Vocabulary | None, list[str]]:
    if vocabulary is not None:
        return vocabulary, []
    try:
        return vocabulary_of(trees), []
    except ValueError as error:
        return None, [f"no table of labels ({error})"]


def _counts(trees: list[PartTree], found: Imported) -> dict[str, int]:
    kinds = Counter(str(edge.kind) for tree in trees for edge in tree.edges)
    copies = len(trees) - len({tree.box.tobytes() for tree in trees})
    return {
        "shapes": len(trees),
        "nodes": sum(map(len, trees)),
        "parts": sum(int(tree.is_leaf.sum()) for tree in trees),
        **dict(sorted(kinds.items())),
        "mended boxes": found.repairs.mended,
        "copies of another shape": copies,
    }


def _differences(
    given: Mapping[str, tuple[str, ...]], splits: dict[str, tuple[str, ...]], count: int
) -> list[str]:
    notes = []
    listed = sum(map(len, splits.values()))
    if listed < count:
        notes.append(f"{count - listed} shapes are on no list of the folder, and in no part")
    for name, ids in given.items():
        missing = len(ids) - len(splits[name])
        if missing:
            notes.append(f"{missing} ids of the folder's {name} list have no shape")
    return notes


def _facts(
    trees: list[PartTree], sources: list[str], splits: dict[str, tuple[str, ...]]
) -> list[dict[str, Any]]:
    place = {each: name for name, ids in splits.items() for each in ids}
    facts = []
    for tree, source in zip(trees, sources, strict=True):
        low, high = box_algebra.bounds(tree.boxes())
        facts.append(
            {
                "id": tree.name,
                "source": source,
                "nodes": len(tree),
                "parts": int(tree.is_leaf.sum()),
                "depth": int(tree.depth.max()),
                "relations": dict(Counter(str(edge.kind) for edge in tree.edges)),
                "size": np.round(high - low, 6).tolist(),
                "split": place.get(tree.name),
            }
        )
    return facts


def _write_report(report: ImportReport, found: Imported, rule: SplitRule) -> None:
    value = {
        "shapegen": __version__,
        "source": report.source,
        "files": {
            "shapes": Path(report.shapes).name,
            "labels": None if report.labels is None else Path(report.labels).name,
            **{name: Path(file).name for name, file in report.lists.items()},
        },
        "counts": report.counts,
        "repairs": dict(found.repairs.counts),
        "split": {
            "rule": report.rule,
            "seed": rule.seed,
            "val": rule.val,
            "test": rule.test,
            **{name: len(ids) for name, ids in report.splits.items()},
        },
        "notes": list(report.notes),
        "rejects": [{"source": each.source, "reason": each.reason} for each in report.rejects],
        "shapes": list(report.imported),
    }
    write_bytes(report.report, (json.dumps(value, indent=1) + "\n").encode())
