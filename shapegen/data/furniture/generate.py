"""Make procedural furniture by category, seed and number."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from shapegen.data.furniture import beds, cabinets, chairs, lamps, tables
from shapegen.data.furniture.builder import part_tree
from shapegen.data.furniture.draw import Draw
from shapegen.data.furniture.part import Part
from shapegen.structures.part_tree import PartTree, PartTrees

_MAKERS: dict[str, tuple[Callable[[Draw], Part], tuple[str, ...]]] = {
    "chair": (chairs.chair, chairs.LABELS),
    "table": (tables.table, tables.LABELS),
    "bed": (beds.bed, beds.LABELS),
    "cabinet": (cabinets.cabinet, cabinets.LABELS),
    "lamp": (lamps.lamp, lamps.LABELS),
}

CATEGORIES: tuple[str, ...] = tuple(_MAKERS)
"""The kinds of furniture; a mixed set runs through them in this order."""


def furniture(n: int, *, category: str | None = None, seed: int = 0, start: int = 0) -> PartTrees:
    """Make ``n`` shapes: numbers ``start`` to ``start + n - 1`` of the endless set of ``seed``.

    A shape depends on its category, seed and number alone. Units: the root box's diagonal is 2;
    the root box's centre is the origin; y up, front +z.

    Args:
        n: At least 1.
        category: One of :data:`CATEGORIES`; None runs through all of them in turn.
        seed: 0 .. 2**64 - 1.
        start: Number of the first shape, at least 0: disjoint ranges are disjoint sets.

    Raises:
        ValueError: An argument is out of its range or the category unknown.
    """
    if n < 1:
        raise ValueError(f"the number of shapes must be at least 1; got {n}")
    if start < 0:
        raise ValueError(f"start must be at least 0; got {start}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be 0 .. 2**64 - 1; got {seed}")
    if category is not None:
        number = _number(category)
        return PartTrees([_shape(number, seed, i) for i in range(start, start + n)])
    count = len(CATEGORIES)
    return PartTrees([_shape(i % count, seed, i // count) for i in range(start, start + n)])


def vocabulary(category: str) -> tuple[str, ...]:
    """All full labels that shapes of a category can have, parents first."""
    return _MAKERS[CATEGORIES[_number(category)]][1]


def _number(category: str) -> int:
    if category not in CATEGORIES:
        near = get_close_matches(category, CATEGORIES, n=2)
        hint = f" (nearest: {', '.join(near)})" if near else ""
        raise ValueError(
            f"category must be one of {', '.join(CATEGORIES)} or None; got {category!r}{hint}"
        )
    return CATEGORIES.index(category)


def _shape(number: int, seed: int, index: int) -> PartTree:
    category = CATEGORIES[number]
    root = _MAKERS[category][0](Draw(seed, number, index))
    return part_tree(root, f"{category}-{seed}-{index}")
