"""Relations among the parts of a walk, and the groups of parts that symmetries make alike."""

from __future__ import annotations

from shapegen.formats.walks import Walk

Relation = tuple[str, int, int]
"""Kind, and the numbers of the two nodes in the walk."""

ADJACENCY = "ADJ"
"""Says that parts touch, not that they are alike."""


def relations_of(walk: Walk) -> list[Relation]:
    """Every relation among parts once, in the order in which the groups above state them."""
    numbers = {track.node.name: number for number, track in enumerate(walk.tracks)}
    found: dict[Relation, None] = {}
    for track in walk.tracks:
        for entry in track.node.extras.get("relations", ()):
            a, b = numbers.get(entry["a"]), numbers.get(entry["b"])
            if a is not None and b is not None:
                found[str(entry["kind"]), a, b] = None
    return list(found)


def related_groups(walk: Walk) -> list[int]:
    """The group of every node: 1, 2, ... of those that symmetries relate, 0 of the rest.

    Nodes are in one group where a chain of symmetries leads from one to the other. A node that has
    none of its own belongs to the group of the nearest node above it that has: the bars of two
    arms are alike because the arms are. Adjacency is left out, since nearly every shape hangs
    together by it.
    """
    root = list(range(len(walk.tracks)))

    def find(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    related: set[int] = set()
    for kind, a, b in relations_of(walk):
        if kind != ADJACENCY:
            low, high = sorted((find(a), find(b)))
            root[high] = low
            related |= {a, b}
    groups: dict[int, int] = {}
    out: list[int] = []
    for number, track in enumerate(walk.tracks):
        if number in related:
            out.append(groups.setdefault(find(number), len(groups) + 1))
        else:
            # Groups stand before what they hold.
            out.append(out[track.node.parent] if track.node.parent >= 0 else 0)
    return out
