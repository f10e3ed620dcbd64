"""Part trees as text."""

from __future__ import annotations

from collections.abc import Iterable

from shapegen.structures.part_tree import PartTree, Relation


def tree_text(tree: PartTree, numbers: bool = False) -> str:
    """Draw the hierarchy, a node a line, with the relations of its children below each parent.

    Args:
        tree: Any part tree.
        numbers: Say every box (centre, lengths) and the parameters of every relation too.

    Example:
        >>> import numpy as np
        >>> box = np.array([[0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0.0]] * 3)
        >>> print(tree_text(PartTree(box, np.array([-1, 0, 0]), ("t", "t/top", "t/leg"))))
        t #0
        ├── top #1
        └── leg #2
    """
    children = tree.children
    inside: dict[int, list[Relation]] = {}
    for edge in tree.edges:
        inside.setdefault(int(tree.parent[edge.a]), []).append(edge)
    lines: list[str] = []
    # A stack, not a recursion: trees may be deeper than Python's limit.
    stack = [(0, "", "")]
    while stack:
        node, lead, below = stack.pop()
        lines.append(lead + _node(tree, node, numbers))
        if not children[node]:
            continue
        for edge in inside.get(node, ()):
            lines.append(f"{below}│   {_relation(edge, numbers)}")
        last = children[node][-1]
        for child in reversed(children[node]):
            fork, bar = ("└── ", "    ") if child == last else ("├── ", "│   ")
            stack.append((child, below + fork, below + bar))
    return "\n".join(lines)


def _node(tree: PartTree, node: int, numbers: bool) -> str:
    text = f"{tree.label[node].rsplit('/', 1)[-1] or '(no label)'} #{node}"
    if not numbers:
        return text
    centre, lengths = tree.box[node, :3], tree.box[node, 3:6]
    return f"{text}  at {_vector(centre)}  size {_vector(lengths)}"


def _relation(edge: Relation, numbers: bool) -> str:
    text = f"{edge.kind} #{edge.a} - #{edge.b}"
    if not numbers:
        return text
    if edge.params:
        text += f"  {_vector(edge.params)}"
    return text if edge.dist is None else f"{text}  off by {edge.dist:.3g}"


def _vector(values: Iterable[float]) -> str:
    # + 0.0 turns -0.0 into 0.0.
    return "(" + ", ".join(f"{round(float(v), 3) + 0.0:.3f}" for v in values) + ")"
