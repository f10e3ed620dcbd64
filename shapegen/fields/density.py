"""What shapes must offer for their surfaces to be found: density and colour of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from shapegen.fields.field_surface import SurfaceOptions
    from shapegen.fields.meshes import Meshes


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


@runtime_checkable
class Sampled(Protocol):
    """A field that was learnt from samples along rays."""

    @property
    def spacing(self) -> float:
        """How far they were apart."""
        ...


@runtime_checkable
class Meshable(Protocol):
    """Shapes that know their surfaces: what ``shapegen mesh`` writes."""

    def to_meshes(self, options: SurfaceOptions | None = None) -> Meshes:
        """The surface of every shape, y up."""
        ...
