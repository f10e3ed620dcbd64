"""What was found, held against what was there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.imports.mangling import Case
from shapegen.core import boxes as box_algebra
from shapegen.data.mesh_nodes import TOLERANCE
from shapegen.metrics.boxes import corner_distance
from shapegen.structures.part_tree import FRONTS, PartTree, Relation, RelationKind
from shapegen.structures.relations import detect_relations, residuals

Leaves = frozenset[int]
Pair = frozenset[Leaves]

NEAR = 0.01
"""In diagonals of the shape: what counts as the same place."""
MEASURES = (
    "boxes",
    "contacts found",
    "contacts right",
    "listed contacts found",
    "symmetries found",
    "symmetries right",
    "listed symmetries found",
    "relations that hold",
    "labels",
    "groups",
)


@dataclass
class Score:
    """Right answers and all of them, for every measure."""

    files: int = 0
    whole: int = 0
    """Files of which everything was found and nothing is wrong."""
    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    total: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    missed: list[str] = field(default_factory=list)
    """A line for every file of which something is missing."""

    def add(self, case: Case, found: PartTree) -> None:
        """Count one file."""
        counts = compare(case, found)
        for name, (right, total) in counts.items():
            self.right[name] += right
            self.total[name] += total
        short = [f"{n} {r} of {t}" for n, (r, t) in counts.items() if r < t]
        self.files += 1
        self.whole += not short
        if short:
            where = f"{case.path.name} ({case.generator}, {case.style})"
            self.missed.append(f"{where}: {', '.join(short)}")

    def merge(self, other: Score) -> None:
        """Add another score's counts."""
        self.files += other.files
        self.whole += other.whole
        self.missed += other.missed
        for name in MEASURES:
            self.right[name] += other.right[name]
            self.total[name] += other.total[name]

    def shares(self) -> dict[str, float | None]:
        """The share of every measure; None where there is nothing to find."""
        return {n: self.right[n] / self.total[n] if self.total[n] else None for n in MEASURES}


def compare(case: Case, found: PartTree) -> dict[str, tuple[int, int]]:
    """Right and all, for every measure of one file; both may list the parts in any order.

    Contacts and symmetric pairs are those of our own detection on the exact boxes; the listed
    ones are those of the source that hold there. Precision counts both as right.
    """
    tree = case.truth
    size, reach = _size(tree.boxes()), NEAR * _size(found.boxes())
    leaves, others = np.flatnonzero(tree.is_leaf), np.flatnonzero(found.is_leaf)
    apart = corner_distance(case.boxes[leaves], found.box[others])
    rows, columns = linear_sum_assignment(apart)
    near = int((apart[rows, columns] <= reach).sum())
    # Parts that were not found have numbers of their own.
    match = {int(node): -1 - int(node) for node in others}
    match |= {int(others[c]): int(leaves[r]) for r, c in zip(rows, columns, strict=True)}
    own, theirs = _leaf_sets(tree, None), _leaf_sets(found, match)
    listed = [
        edge
        for edge, value in zip(tree.edges, residuals(tree), strict=True)
        if value <= 1e-4 * size
    ]
    linked = set(_linked(found.edges, theirs))
    exact = max(_exact(tree), key=lambda edges: len(set(_linked(edges, own)) & linked))
    contacts, seen = _contacts(exact, own), _contacts(found.edges, theirs)
    listed_contacts = _contacts(listed, own)
    pairs = set(_linked(exact, own))
    listed_pairs = set(_linked(listed, own))
    held = [
        value <= reach
        for edge, value in zip(found.edges, residuals(found), strict=True)
        if edge.kind is not RelationKind.ADJ
    ]
    groups, made = _groups(tree, own), _groups(found, theirs)
    return {
        "boxes": (near, max(len(leaves), len(others))),
        "contacts found": (len(contacts & seen), len(contacts)),
        "contacts right": (len(seen & (contacts | listed_contacts)), len(seen)),
        "listed contacts found": (len(listed_contacts & seen), len(listed_contacts)),
        "symmetries found": (len(pairs & linked), len(pairs)),
        "symmetries right": (len(linked & (pairs | listed_pairs)), len(linked)),
        "listed symmetries found": (len(listed_pairs & linked), len(listed_pairs)),
        "relations that hold": (sum(held), len(held)),
        "labels": _labels(tree, found, own, theirs),
        "groups": (len(groups & made), len(groups | made)),
    }


def _size(boxes: NDArray[np.float64]) -> float:
    """Diagonal of the shape."""
    return float(np.linalg.norm(np.ptp(box_algebra.bounds(boxes), axis=0)))


def _exact(tree: PartTree) -> Iterator[tuple[Relation, ...]]:
    """Relations of the exact boxes, if left-right is x and if it is z.

    A file does not say: legs of a table may be mirrored along it as well as across it.
    """
    for turn in (FRONTS["+z"], FRONTS["+x"]):
        yield detect_relations(tree.transformed(rotation=turn), tolerance=TOLERANCE).edges


def _leaf_sets(tree: PartTree, match: dict[int, int] | None) -> list[Leaves]:
    below: list[set[int]] = [set() for _ in range(len(tree))]
    for node in range(len(tree) - 1, -1, -1):
        if tree.is_leaf[node]:
            below[node].add(node if match is None else match[node])
        if node:
            below[int(tree.parent[node])] |= below[node]
    return [frozenset(each) for each in below]


def _contacts(edges: Iterable[Relation], sets: list[Leaves]) -> set[Pair]:
    return {frozenset((sets[e.a], sets[e.b])) for e in edges if e.kind is RelationKind.ADJ}


def _linked(edges: Iterable[Relation], sets: list[Leaves]) -> Iterator[Pair]:
    """All pairs of parts that symmetries link, directly or through others."""
    group: dict[int, set[int]] = {}
    for edge in edges:
        if edge.kind is RelationKind.ADJ:
            continue
        joined = group.get(edge.a, {edge.a}) | group.get(edge.b, {edge.b})
        group |= dict.fromkeys(joined, joined)
    for members in {id(each): each for each in group.values()}.values():
        for a, b in combinations(sorted(members), 2):
            yield frozenset((sets[a], sets[b]))


def _groups(tree: PartTree, sets: list[Leaves]) -> set[Leaves]:
    """Leaves below every group but the whole."""
    inner: NDArray[np.int64] = np.flatnonzero(~tree.is_leaf)
    return {sets[n] for n in inner.tolist() if sets[n] != sets[0]}


def _labels(
    tree: PartTree, found: PartTree, own: list[Leaves], theirs: list[Leaves]
) -> tuple[int, int]:
    """Parts and groups below the whole that are called as in the file, by the last word."""
    called: dict[Leaves, set[str]] = {}
    for node in range(1, len(found)):
        called.setdefault(theirs[node], set()).add(found.label[node].rpartition("/")[2])
    nodes = [n for n in range(1, len(tree)) if own[n] != own[0]]
    right = sum(tree.label[n] in called.get(own[n], ()) for n in nodes)
    return right, len(nodes)
