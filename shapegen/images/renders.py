"""Renders: images of shapes with the cameras that saw them, their depth and their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapegen.core import boxes as box_algebra
from shapegen.images.images import Images, Picture

if TYPE_CHECKING:
    from pathlib import Path

    from shapegen.scene import Scene

MAPS = ("alpha", "depth", "parts")
"""What may be known of every pixel beside its colour."""


class Renders(Sequence[Picture]):
    """A batch of images of one size, each a view of a shape from a known pose.

    Models of images take it as they take images. Poses are camera-to-world: the columns are the
    camera's right, up and backward axes and its place; the shape is at the origin and z is up. The
    middle of the pixel in row i, column j lies at ``((2 j + 1) / size - 1) tan(fov / 2)`` to the
    right of the axis and ``((2 i + 1) / size - 1) tan(fov / 2)`` below it, at depth one.
    """

    images: Images
    poses: Tensor
    """``(n, 4, 4)`` float32."""
    fov: float
    """Field of view in degrees, from border to border."""
    shapes: Tensor
    """``(n,)`` int64: number of the shape that is seen, from 0 without gaps."""
    alpha: Tensor | None
    """``(n, h, w)`` float32, 0 to 1: share of a pixel that the shape covers."""
    depth: Tensor | None
    """``(n, h, w)`` float32: along the camera's axis; infinite where nothing is seen."""
    parts: Tensor | None
    """``(n, h, w)`` int64: number of the node of the shape's scene, -1 where nothing is seen."""
    boxes: tuple[NDArray[np.float64], ...] | None
    """Boxes ``(k, 12)`` of every shape, in the frame of the poses: what is solid, where shapes are
    unions of boxes."""

    def __init__(
        self,
        images: Any,
        poses: Any,
        fov: float,
        *,
        shapes: Any = None,
        alpha: Any = None,
        depth: Any = None,
        parts: Any = None,
        boxes: Sequence[Any] | None = None,
    ) -> None:
        """Take images and what is known of them.

        Args:
            images: Square ones, as :meth:`Images.of` takes them.
            poses: ``(n, 4, 4)``.
            fov: Degrees.
            shapes: ``(n,)``; None: every image is of a shape of its own.
            alpha: ``(n, h, w)`` or None; so are the next two.
            depth: As :attr:`depth`.
            parts: As :attr:`parts`.
            boxes: As :attr:`boxes`, one array a shape, or None.

        Raises:
            ValueError: Counts or sizes that do not fit, or numbers out of their range.
        """
        self.images = Images.of(images)
        count, (height, width) = len(self.images), self.images.pixels.shape[2:]
        if height != width:
            raise ValueError(f"renders are square; got {height} x {width}")
        if not 0 < fov < 180:
            raise ValueError(f"fov must be above 0 and below 180 degrees; got {fov}")
        self.fov = float(fov)
        self.poses = _numbers(poses, "poses", (count, 4, 4), torch.float32)
        if not bool(torch.isfinite(self.poses).all()):
            raise ValueError("poses must be finite; got NaN or infinity")
        numbers = np.arange(count) if shapes is None else shapes
        self.shapes = _numbers(numbers, "shapes", (count,), torch.int64)
        found = self.shapes.unique().tolist()
        if found != list(range(len(found))):
            raise ValueError(f"shapes must be numbered from 0 without gaps; got {found[:8]} ...")
        size = (count, height, width)
        self.alpha = None if alpha is None else _numbers(alpha, "alpha", size, torch.float32)
        self.depth = None if depth is None else _numbers(depth, "depth", size, torch.float32)
        self.parts = None if parts is None else _numbers(parts, "parts", size, torch.int64)
        if self.depth is not None and not bool((self.depth > 0).all()):
            raise ValueError("depth must be above 0, and infinite where nothing is seen")
        self.boxes = None if boxes is None else tuple(box_algebra.as_boxes(each) for each in boxes)
        if self.boxes is not None and len(self.boxes) != len(found):
            raise ValueError(
                f"boxes must be an array a shape ({len(found)}); got {len(self.boxes)}"
            )

    @property
    def pixels(self) -> Tensor:
        """``(n, channels, h, w)`` float32 in [-1, 1]."""
        return self.images.pixels

    @property
    def labels(self) -> Tensor | None:
        """Numbers of the classes ``(n,)``, or None."""
        return self.images.labels

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the shape of every image."""
        return self.images.names

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        return int(self.pixels.shape[3])

    @property
    def num_shapes(self) -> int:
        """How many shapes are seen."""
        return int(self.shapes.max()) + 1 if len(self) else 0

    def of_shapes(self, numbers: Sequence[int]) -> Renders:
        """All views of some shapes, in the order asked for."""
        chosen = [torch.nonzero(self.shapes == number)[:, 0] for number in numbers]
        return self[torch.cat([torch.empty(0, dtype=torch.int64), *chosen])]

    @classmethod
    def join(cls, batches: Sequence[Renders]) -> Renders:
        """One batch from several, whose shapes are different; maps are kept if all have them.

        Raises:
            ValueError: There are none, or their sizes or fields of view differ.
        """
        if len({batch.fov for batch in batches}) != 1:
            got = ", ".join(f"{fov:g}" for fov in sorted({batch.fov for batch in batches}))
            raise ValueError(f"renders of one batch must have one fov; got {got or 'no renders'}")
        first = np.cumsum([0, *(batch.num_shapes for batch in batches)]).tolist()
        maps: dict[str, Tensor] = {}
        for name in MAPS:
            given = [getattr(batch, name) for batch in batches]
            if all(each is not None for each in given):
                maps[name] = torch.cat(given)
        boxes = [batch.boxes for batch in batches if batch.boxes is not None]
        return cls(
            Images.join([batch.images for batch in batches]),
            torch.cat([batch.poses for batch in batches]),
            batches[0].fov,
            shapes=torch.cat(
                [batch.shapes + start for batch, start in zip(batches, first, strict=False)]
            ),
            boxes=sum(boxes, ()) if len(boxes) == len(batches) else None,
            **maps,
        )

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> Renders: ...

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Picture | Renders:
        """One image by its number; renders by a slice or several numbers.

        The shapes that are left are numbered anew, in the same order.
        """
        if isinstance(index, int | np.integer):
            return self.images[int(index)]
        chosen = index
        if isinstance(index, slice):
            chosen = list(range(*index.indices(len(self))))
        numbers = torch.as_tensor(np.asarray(chosen, dtype=np.int64))
        maps = {name: getattr(self, name) for name in MAPS if getattr(self, name) is not None}
        kept, shapes = self.shapes[numbers].unique(return_inverse=True)
        return Renders(
            self.images[numbers],
            self.poses[numbers],
            self.fov,
            shapes=shapes,
            boxes=None if self.boxes is None else [self.boxes[each] for each in kept.tolist()],
            **{name: values[numbers] for name, values in maps.items()},
        )

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.pixels.shape[1:]))
        return f"Renders({len(self)} of {size}, of {self.num_shapes} shapes)"

    def to_scene(self) -> Scene:
        """A node an image."""
        return self.images.to_scene()

    def write(self, path: str | Path) -> None:
        """Write all; ``.npz`` holds everything, other kinds the images alone.

        ``.npz``, ``.gif`` (a frame an image), ``.png`` (one), or a folder of pictures.
        """
        from shapegen.images.render_files import write_renders

        write_renders(self, path)


def _numbers(values: Any, name: str, shape: tuple[int, ...], kind: torch.dtype) -> Tensor:
    numbers = torch.as_tensor(values).detach().to("cpu")
    if tuple(numbers.shape) != shape:
        raise ValueError(f"{name} must be {shape}; got {tuple(numbers.shape)}")
    return numbers.to(kind)
