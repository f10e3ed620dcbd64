"""Voxels: the container that models of occupancy give and take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from shapegen.scene import Mesh, Scene


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """One shape as full and empty cells; see :class:`Voxels` for axes and unit."""

    occupancy: Tensor
    """``(d, h, w)`` bool, on the CPU."""
    extent: float = 1.0
    """Length of the grid's longest side, in the unit of the data."""
    name: str = ""
    """The source's id of the shape."""

    def __post_init__(self) -> None:
        whole = Voxels(_numbers(self.occupancy)[None], self.extent, [self.name])
        object.__setattr__(self, "occupancy", whole.occupancy[0])

    def mesh(self) -> Mesh:
        """The surface of the full cells, a closed mesh in the unit of the data."""
        from shapegen.fields.voxel_surface import voxel_surface

        return voxel_surface(self.occupancy.numpy(), self.extent)

    def to_scene(self) -> Scene:
        """Lower to the primitives that every viewer and exporter reads."""
        return Voxels.of([self]).to_scene()

    def _repr_html_(self) -> str:
        """What a notebook displays: the shape to turn."""
        from shapegen.formats.html import notebook_html

        return notebook_html(Voxels.of([self]))

    def write(self, path: str | Path) -> None:
        """Write one file; its extension says the format: npz, glb, obj, ply, stl, usda, png."""
        Voxels.of([self]).write(path)


class Voxels(Sequence[VoxelGrid]):
    """A batch of grids of cubic cells, each full or empty.

    The three axes of a grid are z to the front, y up and x to the right, in ascending order; the
    middle of every grid is the origin.
    """

    occupancy: Tensor
    """``(batch, d, h, w)`` bool, on the CPU."""
    extent: float
    """Length of a grid's longest side, in the unit of the data."""
    names: tuple[str, ...]
    """The source's id of every shape; empty text where there is none."""

    def __init__(self, occupancy: Any, extent: float = 1.0, names: Sequence[str] = ()) -> None:
        """Take cells over.

        Args:
            occupancy: ``(batch, d, h, w)``, whether a cell is full; of numbers from 0 to 1, those
                above one half are.
            extent: Length of a grid's longest side.
            names: One a shape, or none.

        Raises:
            TypeError: No numbers.
            ValueError: Another shape, a number outside of 0 to 1, an extent that is not positive
                and finite, or not one name a shape.
        """
        self.occupancy = _checked(_numbers(occupancy))
        self.extent = float(extent)
        if not 0 < self.extent < float("inf"):
            raise ValueError(f"extent must be positive and finite; got {extent}")
        self.names = tuple(names) or ("",) * len(self.occupancy)
        if len(self.names) != len(self.occupancy):
            raise ValueError(
                f"names must be one a shape ({len(self.occupancy)}) or none; got {len(self.names)}"
            )

    @classmethod
    def of(cls, voxels: Any) -> Voxels:
        """Take voxels of any kind: a batch, single grids, arrays ``(d, h, w)`` or a batch.

        Raises:
            TypeError: They are no voxels.
            ValueError: There are none, or their sizes or extents differ.
        """
        if isinstance(voxels, cls):
            return voxels
        if isinstance(voxels, VoxelGrid):
            return _single(voxels)
        if isinstance(voxels, Tensor | np.ndarray):
            return cls(voxels)
        if not isinstance(voxels, Sequence) or isinstance(voxels, str | bytes):
            raise TypeError(f"voxels are needed; got {type(voxels).__name__}")
        if not voxels:
            raise ValueError("at least one grid of voxels is needed; got none")
        return cls.join([_single(each) for each in voxels])

    @classmethod
    def join(cls, batches: Sequence[Voxels]) -> Voxels:
        """One batch from several.

        Raises:
            ValueError: There are none, or their sizes or extents differ.
        """
        kinds = sorted({(*batch.occupancy.shape[1:], batch.extent) for batch in batches})
        if len(kinds) != 1:
            got = ", ".join(f"{d} x {h} x {w} of {extent:g}" for d, h, w, extent in kinds)
            raise ValueError(
                f"grids of one batch must have one size and extent; got {got or 'no batches'}"
            )
        names = [name for batch in batches for name in batch.names]
        return cls(torch.cat([batch.occupancy for batch in batches]), batches[0].extent, names)

    @property
    def cell(self) -> float:
        """Side of a cell, in the unit of the data."""
        return self.extent / max(self.occupancy.shape[1:])

    def __len__(self) -> int:
        return len(self.occupancy)

    @overload
    def __getitem__(self, index: int) -> VoxelGrid: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> Voxels: ...

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> VoxelGrid | Voxels:
        if isinstance(index, int | np.integer):
            return VoxelGrid(self.occupancy[index], self.extent, self.names[index])
        if isinstance(index, slice):
            numbers = list(range(*index.indices(len(self))))
        else:
            numbers = np.asarray(index, dtype=np.int64).tolist()
        return Voxels(self.occupancy[numbers], self.extent, [self.names[i] for i in numbers])

    def __iter__(self) -> Iterator[VoxelGrid]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"Voxels({len(self)} of {' x '.join(map(str, self.occupancy.shape[1:]))})"

    def to_scene(self) -> Scene:
        """All shapes in one scene, a mesh each; several stand side by side."""
        from shapegen.fields.lowering import voxels_scene

        return voxels_scene(self)

    def _repr_html_(self) -> str:
        """What a notebook displays: the shapes to turn."""
        from shapegen.formats.html import notebook_html

        return notebook_html(self)

    def write(self, path: str | Path) -> None:
        """Write all shapes; the extension says the format, and a folder gets a file a shape."""
        from shapegen.fields.files import write_voxels

        write_voxels(self, path)


def _numbers(values: Any) -> Tensor:
    try:
        return torch.as_tensor(values).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"occupancy must be numbers; got {type(values).__name__} ({error})"
        ) from None


def _checked(occupancy: Tensor) -> Tensor:
    if occupancy.ndim != 4 or 0 in occupancy.shape[1:]:
        raise ValueError(f"occupancy must be (batch, d, h, w); got {tuple(occupancy.shape)}")
    if occupancy.dtype == torch.bool:
        return occupancy
    # NaN is in no range either.
    if not bool(((occupancy >= 0) & (occupancy <= 1)).all()):
        raise ValueError(
            "occupancy must be in 0 to 1; "
            f"got {float(occupancy.min()):g} to {float(occupancy.max()):g}"
        )
    return occupancy > 0.5


def _single(voxels: Any) -> Voxels:
    if isinstance(voxels, VoxelGrid):
        return Voxels(voxels.occupancy[None], voxels.extent, [voxels.name])
    if isinstance(voxels, Voxels):
        return voxels
    if isinstance(voxels, Tensor | np.ndarray):
        return Voxels(voxels[None])
    raise TypeError(f"voxels are needed; one is {type(voxels).__name__}")
