"""A merge hierarchy for plain boxes: symmetric groups first, then compact neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps, pairs_of
from shapegen.structures.groups import Group, GroupFinder
from shapegen.structures.merge_plan import Plan, fold, join
from shapegen.structures.merge_tree import MergeTree

Array = NDArray[np.float64]

INFER_TOLERANCE = 0.002
"""As of :class:`~shapegen.structures.groups.GroupFinder`."""

CONTACT = 0.02
"""Gap up to which two parts count as touching, in diagonals of the shape."""


def infer_merge_tree(
    boxes: ArrayLike, *, tolerance: float = INFER_TOLERANCE, contact: float = CONTACT
) -> MergeTree:
    boxes = box_algebra.as_boxes(boxes)
    if not len(boxes):
        raise ValueError("no boxes to merge; at least one is needed")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite; got NaN or infinity")
    groups = GroupFinder(boxes, tolerance=tolerance, side=None).find()
    plans = []
    used = set()
    for g in groups:
        f = fold(Plan.leaf(boxes[g.members[0]]), g)
        if f is not None:
            plans.append(f)
            used.update(g.members)
    plans += [Plan.leaf(b) for n, b in enumerate(boxes) if n not in used]
    p = plans[0]
    for q in plans[1:]:
        p = join(p, q)
    return p.tree()
