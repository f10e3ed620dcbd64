"""The text of USD files: nested blocks, values, names that are allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass
class Block:
    """A prim: its heading, metadata in round brackets, properties and prims below it."""

    heading: str
    metadata: list[str] = field(default_factory=list)
    properties: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The text, four spaces a level."""
        head = [self.heading]
        if self.metadata:
            head = [f"{self.heading} (", *_indented(self.metadata), ")"]
        inner = [*self.properties]
        for block in self.blocks:
            inner += ["", *block.lines()] if inner else block.lines()
        return [*head, "{", *_indented(inner), "}"]


def samples(name: str, values: Sequence[str], metadata: str = "") -> list[str]:
    """A property: one value where it is constant, else one a frame."""
    if len(set(values)) == 1:
        return f"{name} = {values[0]}{metadata}".split("\n")
    # The metadata of a sampled property stands at its declaration.
    declared = f"{name}{metadata}".split("\n") if metadata else []
    rows = [f"    {frame}: {value}," for frame, value in enumerate(values)]
    return [*declared, f"{name}.timeSamples = {{", *rows, "}"]


def identifier(name: str, taken: set[str]) -> str:
    """A prim's name: letters, digits and underscores, no digit first, unlike those in ``taken``.

    ``taken`` gets it.
    """
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII) or "part"
    plain = f"_{plain}" if plain[0].isdigit() else plain
    found, number = plain, 1
    while found in taken:
        number += 1
        found = f"{plain}_{number}"
    taken.add(found)
    return found


def quoted(value: str) -> str:
    """A string; control characters are escaped."""
    plain = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\x{ord(m[0]):02x}", plain) + '"'


def text(value: float) -> str:
    """A number of single precision."""
    return f"{round(value, 9) + 0.0:.8g}"


def vector(row: ArrayLike) -> str:
    """``(1, 2, 3)``."""
    return f"({', '.join(map(text, np.asarray(row).tolist()))})"


def array(rows: NDArray[np.float64]) -> str:
    """``[(1, 2, 3), (4, 5, 6)]``."""
    return f"[{', '.join(map(vector, rows))}]"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else line for line in lines]
