"""Point clouds: the container that models of points give and take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from shapegen.scene import Scene


@dataclass(frozen=True, eq=False)
class PointCloud:
    """One shape as points on its surface: y up, x left-right, front +z, in the data's unit."""

    points: Tensor
    """``(points, 3)`` float32, on the CPU."""
    name: str = ""
    """The source's id of the shape."""

    def __post_init__(self) -> None:
        points = _coordinates(self.points)
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise ValueError(f"a cloud must be (points, 3); got {tuple(points.shape)}")
        object.__setattr__(self, "points", _finite(points[None])[0])

    def __len__(self) -> int:
        return len(self.points)

    def to_scene(self) -> Scene:
        """Lower to the primitives that every viewer and exporter reads."""
        return PointClouds.of([self]).to_scene()

    def _repr_html_(self) -> str:
        """What a notebook displays: the shape to turn and take apart."""
        from shapegen.formats.html import notebook_html

        return notebook_html(PointClouds.of([self]))

    def write(self, path: str | Path) -> None:
        """Write one file; its extension says the format: npz, npy, ply, xyz, glb, usda, ..."""
        PointClouds.of([self]).write(path)


class PointClouds(Sequence[PointCloud]):
    """A batch of clouds with equally many points: y up, x left-right, front +z."""

    points: Tensor
    """``(batch, points, 3)`` float32, on the CPU, in the unit of the data."""
    names: tuple[str, ...]
    """The source's id of every shape; empty text where there is none."""

    def __init__(self, points: Any, names: Sequence[str] = ()) -> None:
        """Take points over.

        Args:
            points: ``(batch, points, 3)``, a tensor or an array of numbers.
            names: One a shape, or none.

        Raises:
            ValueError: Another shape, a number that is not finite, or not one name a shape.
        """
        points = _coordinates(points)
        if points.ndim != 3 or points.shape[2] != 3 or not points.shape[1]:
            raise ValueError(f"points must be (batch, points, 3); got {tuple(points.shape)}")
        self.points = _finite(points)
        self.names = tuple(names) or ("",) * len(points)
        if len(self.names) != len(points):
            raise ValueError(
                f"names must be one a shape ({len(points)}) or none; got {len(self.names)}"
            )

    @classmethod
    def of(cls, clouds: Any) -> PointClouds:
        """Take clouds of any kind: a batch, single clouds, arrays ``(n, 3)`` or ``(b, n, 3)``.

        Raises:
            TypeError: They are no clouds.
            ValueError: There are none, or their numbers of points differ.
        """
        if isinstance(clouds, cls):
            return clouds
        if isinstance(clouds, PointCloud):
            return cls(clouds.points[None], [clouds.name])
        if isinstance(clouds, Tensor | np.ndarray):
            return cls(clouds)
        if not isinstance(clouds, Sequence) or isinstance(clouds, str | bytes):
            raise TypeError(f"point clouds are needed; got {type(clouds).__name__}")
        if not clouds:
            raise ValueError("at least one point cloud is needed; got none")
        return cls.join([_single(cloud) for cloud in clouds])

    @classmethod
    def join(cls, batches: Sequence[PointClouds]) -> PointClouds:
        """One batch from several.

        Raises:
            ValueError: There are none, or their numbers of points differ.
        """
        counts = sorted({batch.points.shape[1] for batch in batches})
        if len(counts) != 1:
            got = ", ".join(map(str, counts)) or "no batches"
            raise ValueError(f"clouds of one batch must have equally many points; got {got}")
        points = torch.cat([batch.points for batch in batches])
        return cls(points, [name for batch in batches for name in batch.names])

    def __len__(self) -> int:
        return len(self.points)

    @overload
    def __getitem__(self, index: int) -> PointCloud: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> PointClouds: ...

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> PointCloud | PointClouds:
        if isinstance(index, slice):
            return PointClouds(self.points[index], self.names[index])
        if isinstance(index, Sequence | Tensor | np.ndarray):
            numbers = np.asarray(index, dtype=np.int64).tolist()
            return PointClouds(self.points[numbers], [self.names[i] for i in numbers])
        return PointCloud(self.points[index], self.names[index])

    def __iter__(self) -> Iterator[PointCloud]:
        return map(PointCloud, self.points, self.names)

    def __repr__(self) -> str:
        return f"PointClouds({len(self)} shapes, {self.points.shape[1]} points each)"

    def to_scene(self) -> Scene:
        """All shapes in one scene; several stand side by side."""
        from shapegen.points.lowering import clouds_scene

        return clouds_scene(self)

    def _repr_html_(self) -> str:
        """What a notebook displays: the shapes to turn and take apart."""
        from shapegen.formats.html import notebook_html

        return notebook_html(self)

    def write(self, path: str | Path) -> None:
        """Write all shapes; the extension says the format, and a folder gets a file a shape."""
        from shapegen.points.writing import write_point_clouds

        write_point_clouds(self, path)


def _coordinates(values: Any) -> Tensor:
    try:
        return torch.as_tensor(values).detach().to("cpu", torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"points must be numbers; got {type(values).__name__} ({error})") from None


def _finite(points: Tensor) -> Tensor:
    wrong = ~torch.isfinite(points).flatten(1).all(1)
    if wrong.any():
        number = int(wrong.nonzero()[0, 0])
        raise ValueError(f"points must be finite; cloud {number} has NaN or infinity")
    return points


def _single(cloud: Any) -> PointClouds:
    if isinstance(cloud, PointCloud):
        return PointClouds(cloud.points[None], [cloud.name])
    if isinstance(cloud, PointClouds):
        return cloud
    if isinstance(cloud, Tensor | np.ndarray):
        return PointClouds(cloud[None])
    raise TypeError(f"point clouds are needed; one is {type(cloud).__name__}")
