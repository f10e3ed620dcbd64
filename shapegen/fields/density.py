"""What a shape must offer for its surface to be found: density and colour of points."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class DensityField(Protocol):
    """One shape as density and colour over space; points are float32 on the CPU."""

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """Low and high corner of a box that holds all that is dense."""
        ...

    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Light that is lost per unit of length; below 0 counts as 0."""
        ...

    def color(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Red, green and blue in 0 to 1."""
        ...
