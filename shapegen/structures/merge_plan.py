"""Pieces of merge trees while they are being built: join two, fold a symmetric group."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shapegen.structures import symmetry
from shapegen.structures.groups import Group
from shapegen.structures.merge_tree import (
    ADJ,
    BOX,
    REFLECTIVE,
    ROTATIONAL,
    SYM,
    TRANSLATIONAL,
    MergeTree,
)
from shapegen.structures.part_tree import RelationKind

Array = NDArray[np.float64]

_ENDS = (0.0, -0.2, 0.2, -0.4, 0.4)
"""Steps by which a translation's end position may miss the last copy's centre."""


class Plan(NamedTuple):
    """A merge tree as plain lists in post-order."""

    ops: tuple[int, ...]
    boxes: tuple[Array, ...]
    syms: tuple[Array, ...] = ()
    labels: tuple[str, ...] = ()

    @classmethod
    def leaf(cls, box: Array, label: str = "") -> Plan:
        """One BOX."""
        return cls((BOX,), (box,), (), (label,))

    def tree(self) -> MergeTree:
        """The finished tree; labels are left out where no box has one."""
        labels = self.labels if any(self.labels) else ()
        syms = np.stack(self.syms) if self.syms else np.empty((0, 8))
        return MergeTree(np.array(self.ops), np.stack(self.boxes), syms, labels)


def join(left: Plan, right: Plan) -> Plan:
    """The ADJ of two pieces (the left child is the one on top of the stack)."""
    return Plan(
        (*right.ops, *left.ops, ADJ),
        right.boxes + left.boxes,
        right.syms + left.syms,
        right.labels + left.labels,
    )


def fold(generator: Plan, group: Group) -> Plan | None:
    """The SYM that repeats a piece as a group says; None where no vector says so.

    Args:
        generator: The first member, without a SYM (an inner one would take the outer's place).
        group: Its motion leads from every member to the next.
    """
    vector = _vector(np.stack(generator.boxes)[:, :3], group)
    if vector is None:
        return None
    return generator._replace(ops=(*generator.ops, SYM), syms=(*generator.syms, vector))


def _vector(centres: Array, group: Group) -> Array | None:
    """Symmetry vector ``(8,)`` of a group whose first member's boxes have these centres."""
    params, copies = np.array(group.params), len(group.members) - 1
    if group.kind is RelationKind.REF_SYM:
        return np.array([REFLECTIVE, *params[3:6], *params[:3], 0.0])
    if group.kind is RelationKind.ROT_SYM:
        return np.array([ROTATIONAL, *params[3:6], *params[:3], 1.0 / len(group.members)])
    centre = centres.mean(0)
    for shift in _ENDS:
        end = centre + (copies + shift) * params
        vector = np.array([TRANSLATIONAL, *params, *end, 0.0])
        # Every box counts its own copies from its own centre, and all must come to the same.
        counts = symmetry.copy_counts(
            np.concatenate([centre[None], centres]), np.tile(vector, (len(centres) + 1, 1))
        )
        if (counts == copies).all():
            return vector
    return None
