"""Parts that shapes of a viewer exchange: two are picked, swapped, and put back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shapegen.structures.exchange import exchange
from shapegen.structures.part_tree import PartTree
from shapegen.structures.scene_trees import tree_of_scene
from shapegen.view.arrangement import Arrangement, Arranger
from shapegen.view.rooms import arranged

PICKED = (0.95, 0.15, 0.65)
"""Colour of parts that are picked."""
Pick = tuple[int, int]
"""Numbers of a shape and of its node."""


class Swaps:
    """Exchanges among the shapes of a viewer.

    Args:
        arrangers: Of the shapes; swaps replace entries of this list.
    """

    def __init__(self, arrangers: list[Arranger]) -> None:
        self._arrangers = arrangers
        self.picks: list[Pick] = []
        """At most two, of two shapes; the last picked one is the last."""
        self._before: list[dict[int, Arranger]] = []

    @property
    def count(self) -> int:
        """Of the swaps that can be undone."""
        return len(self._before)

    def picked(self, shape: int) -> Pick | None:
        """The part of a shape that is picked, if one is."""
        return next((pick for pick in self.picks if pick[0] == shape), None)

    def pick(self, shape: int, node: int) -> None:
        """Pick a part; once more, and nothing is picked.

        The other pick stays if the two could be exchanged; else it becomes the first part that
        this one could be exchanged for, of the last shape that was picked from if there is one.
        """
        if self.picks[-1:] == [(shape, node)]:
            self.unpick()
            return
        before = [pick for pick in reversed(self.picks) if pick[0] != shape]
        partners = self.partners(shape, node)
        last = [pick for pick in partners if before and pick[0] == before[0][0]]
        found = [pick for pick in before if pick in partners] or last or partners
        self.picks = [*found[:1], (shape, node)]

    def unpick(self) -> None:
        """Let nothing be picked."""
        self.picks = []

    def labelled(self, shape: int) -> list[int]:
        """The parts of a shape that have a label, without the root."""
        arranger = self._arrangers[shape]
        return [n for n in range(1, len(arranger.nodes)) if _label(arranger, n) is not None]

    def partners(self, shape: int, node: int) -> list[Pick]:
        """Parts of other shapes that a part could be exchanged for: those with its label."""
        label = _label(self._arrangers[shape], node)
        if label is None or node == 0:
            return []
        return [
            (number, other)
            for number, arranger in enumerate(self._arrangers)
            for other in range(1, len(arranger.nodes))
            if number != shape and _label(arranger, other) == label
        ]

    def swap(self) -> list[int]:
        """Exchange the two parts that are picked.

        Returns:
            The shapes that changed.

        Raises:
            ValueError: Fewer are picked, their labels differ, or a shape is no part tree.
        """
        if len(self.picks) < 2:
            raise ValueError(
                f"a swap needs a part of each of two shapes; {len(self.picks)} picked"
            )
        (shape, node), (other, other_node) = self.picks
        found = exchange(self._tree(shape), node, self._tree(other), other_node)
        self._before.append({number: self._arrangers[number] for number in (shape, other)})
        for number, tree in zip((shape, other), found, strict=True):
            self._arrangers[number] = arranged([tree.to_scene()])
        return [shape, other]

    def undo(self) -> list[int]:
        """Take the last swap back; give the shapes that changed."""
        if not self._before:
            return []
        before = self._before.pop()
        for number, arranger in before.items():
            self._arrangers[number] = arranger
        return list(before)

    def reset(self) -> list[int]:
        """Take all swaps back; give the shapes that changed."""
        changed: set[int] = set()
        while self._before:
            changed.update(self.undo())
        return sorted(changed)

    def forget(self, shape: int) -> None:
        """Let a shape be another one from now on: swaps with it cannot be undone."""
        self.picks = [each for each in self.picks if each[0] != shape]
        if any(shape in entry for entry in self._before):
            self._before.clear()

    def painted(self, shape: int, arrangement: Arrangement) -> Arrangement:
        """The arrangement with what is picked in a colour of its own."""
        nodes = [node for picked, node in self.picks if picked == shape]
        if not nodes:
            return arrangement
        colors = arrangement.colors.copy()
        below = np.zeros(len(colors), dtype=bool)
        for number, parent in enumerate(self._arrangers[shape].parents):
            below[number] = number in nodes or (parent >= 0 and below[parent])
        colors[below] = PICKED
        return replace(arrangement, colors=colors)

    def _tree(self, shape: int) -> PartTree:
        walk = self._arrangers[shape].walk
        if walk.frames > 1:
            raise ValueError("parts of a walk cannot be swapped; show one of its shapes")
        return tree_of_scene(walk.scene())


def _label(arranger: Arranger, node: int) -> str | None:
    found = arranger.nodes[node].extras.get("label")
    return None if found is None else str(found)
