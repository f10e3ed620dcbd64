"""Tables of part labels: StructureNet's ``part_semantics`` files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shapegen.formats.compressed import read_bytes, write_bytes
from shapegen.structures.part_tree import PartTree

LEAF, INNER = "leaf", "subcomponents"
_LIMIT = 2**24


@dataclass(frozen=True)
class Vocabulary:
    """Full part labels, parents before children.

    The position of a label is its class number here; StructureNet's own id is one more.

    Example:
        >>> words = Vocabulary(("chair", "chair/base", "chair/base/leg"))
        >>> words.index("chair/base"), words.children("chair/base")
        (1, ('chair/base/leg',))
    """

    labels: tuple[str, ...]
    """``"chair"``, ``"chair/chair_base"``, ..."""
    leaves: frozenset[str] = frozenset()
    """Labels that the file marks as leaves; derived (no label below) when empty."""
    _position: dict[str, int] = field(init=False, repr=False, compare=False)
    _children: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        position: dict[str, int] = {}
        below: dict[str, list[str]] = {}
        for label in self.labels:
            parent = label.rpartition("/")[0]
            if label in position:
                raise ValueError(f"every label must be listed once; got {label!r} twice")
            if not all(label.split("/")) or label.split() != [label]:
                raise ValueError(f"a label is words joined by '/', without spaces; got {label!r}")
            if parent and parent not in position:
                raise ValueError(f"a label must follow its parent {parent!r}; got {label!r} first")
            position[label] = len(position)
            below[label] = []
            if parent:
                below[parent].append(label)
        if not position:
            raise ValueError("a vocabulary needs at least one label; got none")
        leaves = frozenset(self.leaves) or frozenset(k for k, v in below.items() if not v)
        if not leaves <= position.keys():
            raise ValueError(f"leaves must be labels; got {sorted(leaves - position.keys())}")
        object.__setattr__(self, "leaves", leaves)
        object.__setattr__(self, "_position", position)
        object.__setattr__(self, "_children", {k: tuple(v) for k, v in below.items()})

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self._position

    @property
    def roots(self) -> tuple[str, ...]:
        """Labels without a parent: one a category."""
        return tuple(label for label in self.labels if "/" not in label)

    def index(self, label: str) -> int:
        """Position of a full label.

        Raises:
            ValueError: It is not in the table; the message names the nearest one.
        """
        if label not in self._position:
            close = difflib.get_close_matches(label, self.labels, n=1, cutoff=0.0)
            raise ValueError(f"unknown label {label!r}; the nearest known one is {close[0]!r}")
        return self._position[label]

    def children(self, label: str) -> tuple[str, ...]:
        """Full labels directly below one, in order."""
        return self._children[self.labels[self.index(label)]]

    def is_leaf(self, label: str) -> bool:
        """Whether nothing stands below a label in the table (StructureNet's test)."""
        return not self.children(label)

    def indices(self, tree: PartTree) -> NDArray[np.int64]:
        """Positions ``(n,)`` of the labels of a tree's nodes.

        Raises:
            ValueError: A node's label is not in the table.
        """
        return np.array([self._position.get(k, -1) for k in _known(self, tree)], dtype=np.int64)

    def write(self, path: str | Path) -> None:
        """Write a table in StructureNet's form: lines ``id full/label leaf|subcomponents``."""
        lines = [
            f"{number} {label} {LEAF if label in self.leaves else INNER}\n"
            for number, label in enumerate(self.labels, start=1)
        ]
        write_bytes(path, "".join(lines).encode())


def read_vocabulary(path: str | Path) -> Vocabulary:
    """Read a table of StructureNet's (``stats/part_semantics/Chair.txt``).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not ``id full/label leaf|subcomponents`` with ids 1, 2, 3, ...
    """
    try:
        lines = read_bytes(path, limit=_LIMIT).decode().splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: a table of labels is UTF-8 text; this is not") from None
    labels: list[str] = []
    leaves: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        words = line.split()
        if len(words) != 3 or words[0] != str(len(labels) + 1) or words[2] not in (LEAF, INNER):
            raise ValueError(
                f"{path}: line {number}: must be '{len(labels) + 1} full/label "
                f"{LEAF}|{INNER}'; got {line[:80]!r}"
            )
        labels.append(words[1])
        if words[2] == LEAF:
            leaves.append(words[1])
    try:
        return Vocabulary(tuple(labels), frozenset(leaves))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def vocabulary_of(trees: Iterable[PartTree]) -> Vocabulary:
    """Collect the labels of part trees, sorted, with every missing ancestor.

    Raises:
        ValueError: There are no trees, or a label is not words joined by ``/``.
    """
    found: set[tuple[str, ...]] = set()
    for label in {label for tree in trees for label in tree.label}:
        words = tuple(label.split("/"))
        found.update(words[:end] for end in range(1, len(words) + 1))
    return Vocabulary(tuple("/".join(words) for words in sorted(found)))


def _known(vocabulary: Vocabulary, tree: PartTree) -> Sequence[str]:
    for node, label in enumerate(tree.label):
        if label not in vocabulary:
            try:
                vocabulary.index(label)
            except ValueError as error:
                shape = f"shape {tree.name!r}, " if tree.name else ""
                raise ValueError(f"{shape}node {node}: {error}") from None
    return tree.label
