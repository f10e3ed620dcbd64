"""Random numbers of one shape: a stream of its own, read in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

BLOCK = 64

T = TypeVar("T")


class Draw:
    """The random choices of shape ``index`` of a category.

    Seed, category and number together seed a stream of the shape's own, so that it is the same
    whatever was made before it.

    Args:
        seed: 0 .. 2**64 - 1.
        category: Number of the category.
        index: Number of the shape.
    """

    __slots__ = ("_next", "_rng", "_values")

    def __init__(self, seed: int, category: int, index: int) -> None:
        # The seed always makes two words, so that no two triples give the same sequence of words.
        words = (seed & 0xFFFFFFFF, seed >> 32, category, index)
        self._rng = np.random.default_rng(words)
        self._values: list[float] = self._rng.random(BLOCK).tolist()
        self._next = 0

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        if self._next == BLOCK:
            self._values = self._rng.random(BLOCK).tolist()
            self._next = 0
        value = self._values[self._next]
        self._next += 1
        return value

    def uniform(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.unit()

    def integer(self, low: int, high: int) -> int:
        """Uniform in low..high, both included."""
        return low + int((high - low + 1) * self.unit())

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.unit() < probability

    def choose(self, options: Sequence[tuple[T, float]]) -> T:
        """One option, with probability in proportion to its weight."""
        rest = self.unit() * sum([weight for _, weight in options])
        for option, weight in options:
            rest -= weight
            if rest < 0.0:
                return option
        return options[-1][0]
