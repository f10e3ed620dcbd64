"""Data sets that are made, not downloaded, by name."""

from __future__ import annotations

from difflib import get_close_matches

from shapegen.data.furniture import CATEGORIES, furniture
from shapegen.structures.part_tree import PartTrees

_FURNITURE = {f"furniture-{category}s": category for category in CATEGORIES}


def catalog() -> dict[str, str]:
    """Name of every data set, with one line about it."""
    kinds = ", ".join(f"{category}s" for category in CATEGORIES)
    sets = {"furniture": f"procedural part trees: {kinds} in turn, labels and exact relations"}
    for name, category in _FURNITURE.items():
        sets[name] = f"procedural part trees: {category}s, with labels and exact relations"
    return sets


def make(name: str, *, count: int, seed: int = 0, start: int = 0) -> PartTrees:
    """Make a data set.

    Args:
        name: A key of :func:`catalog`.
        count: Number of shapes, at least 1.
        seed: The same seed gives the same shapes, however many are asked for.
        start: Number of the first shape; disjoint ranges make a training and a test set.

    Raises:
        ValueError: There is no set of this name, or an argument is out of its range.
    """
    if name != "furniture" and name not in _FURNITURE:
        near = get_close_matches(name, list(catalog()), n=3) or list(catalog())
        raise ValueError(f"no data set is called {name!r}; nearest: {', '.join(near)}")
    return furniture(count, category=_FURNITURE.get(name), seed=seed, start=start)
