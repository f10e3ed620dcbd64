"""The labels of a category, declared as an indented outline."""

from __future__ import annotations

INDENT = 2


def outline(text: str) -> tuple[str, ...]:
    """Read an outline (a name a line, two spaces a level) as full labels, parents first.

    >>> outline('''
    ... chair
    ...   chair_base
    ...     leg
    ... ''')
    ('chair', 'chair/chair_base', 'chair/chair_base/leg')
    """
    path: list[str] = []
    labels: list[str] = []
    for line in text.splitlines():
        name = line.strip()
        if name:
            level = (len(line) - len(line.lstrip())) // INDENT
            path = [*path[:level], name]
            labels.append("/".join(path))
    return tuple(labels)
