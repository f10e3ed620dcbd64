"""Random numbers of one shape: a stream of its own, read in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

BLOCK = 64

T = TypeVar("T")


class Draw:
    """The random choices of shape ``index`` of a category.

    Philox is counter-based: the shape's number is the high word of its counter, so that every
    shape has a stream of its own, whatever was drawn before it.

    Args:
        seed: 0..2**64 - 1, the key.
        category: Number of the category.
        index: Number of the shape.
    """

    __slots__ = ("_next", "_rng", "_values")

    def __init__(self, seed: int, category: int, index: int) -> None:
        counter = (category << 192) | (index << 128)
        self._rng = np.random.Generator(np.random.Philox(key=seed, counter=counter))
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
