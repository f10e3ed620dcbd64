"""Triangles and discs into pixels with a z-buffer: numpy only, all triangles at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

CHUNK = 1 << 14
"""About how many fragments are held at a time: they stay in the processor's cache."""


class Canvas:
    """A z-buffer of one image.

    A key per pixel holds the nearness of what is seen there (the bits of a positive float32 sort
    like the number) above the inverted number of the primitive, so that one maximum decides both
    and ties go to the lower number.

    Args:
        height: Rows.
        width: Columns.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._keys = np.zeros(height * width, dtype=np.uint64)

    def draw(self, triangles: Float, *, first: int = 0) -> None:
        """Draw triangles.

        A pixel is covered when its centre is inside; triangles that share an edge neither overlap
        nor leave a gap there.

        Args:
            triangles: ``(t, 3, 3)``: x to the right and y down in pixels, and a nearness > 0 that
                is linear in x and y (inverse depth for a perspective).
            first: Number of the first triangle.
        """
        numbers, rows, left, right = self._spans(triangles)
        # Along a row only x grows: the row's own part is computed once a span.
        slope = _gradients(triangles).take(numbers, axis=0)
        origin = triangles[:, 0].take(numbers, axis=0)
        base = (
            origin[:, 2]
            + (left + 0.5 - origin[:, 0]) * slope[:, 0]
            + (rows + 0.5 - origin[:, 1]) * slope[:, 1]
        )
        start, number = rows * self.width + left, numbers + first
        for part in _slices(right - left):
            count = right[part] - left[part]
            ends = np.cumsum(count)
            step, first_of, rise = np.arange(ends[-1]), ends - count, slope[part, 0]
            pixel = np.repeat(start[part] - first_of, count)
            pixel += step
            nearness = np.repeat(rise, count)
            nearness *= step
            nearness += np.repeat(base[part] - rise * first_of, count)
            self._keep_nearest(pixel, nearness, np.repeat(number[part], count))

    def splat(self, centres: Float, radius: Float, bulge: Float, *, first: int = 0) -> None:
        """Draw balls seen as discs.

        Args:
            centres: ``(n, 3)``: x, y in pixels and nearness > 0.
            radius: ``(n,)`` in pixels.
            bulge: ``(n,)``: how much nearer the middle of the ball is than its rim.
            first: Number of the first ball.
        """
        reach = int(np.ceil(radius.max(initial=0.0)))
        corner = np.floor(centres[:, :2]).astype(np.int64)
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                x, y = corner[:, 0] + dx, corner[:, 1] + dy
                away = (x + 0.5 - centres[:, 0]) ** 2 + (y + 0.5 - centres[:, 1]) ** 2
                height = 1.0 - away / np.maximum(radius, 1e-9) ** 2
                inside = (height > 0) & (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
                which = np.flatnonzero(inside)
                nearness = centres[which, 2] + bulge[which] * np.sqrt(height[which])
                self._keep_nearest(y[which] * self.width + x[which], nearness, which + first)

    @property
    def number(self) -> NDArray[np.int32]:
        """``(H, W)``: number of the primitive that is seen, -1 where there is none."""
        # The low half holds the complement of the number, which as a signed integer is -1 - it.
        low = self._keys.astype(np.uint32).view(np.int32)
        seen = np.where(self._keys == 0, np.int32(-1), ~low)
        return seen.reshape(self.height, self.width)

    @property
    def nearness(self) -> NDArray[np.float32]:
        """``(H, W)``: nearness of what is seen, 0 where there is nothing."""
        high = (self._keys >> np.uint64(32)).astype(np.uint32)
        return high.view(np.float32).reshape(self.height, self.width)

    def _keep_nearest(self, pixel: Int, nearness: Float, number: Int) -> None:
        keys = np.empty((len(pixel), 2), dtype="<u4")
        keys[:, 0] = ~number.astype(np.uint32)
        keys[:, 1] = np.maximum(nearness, 1e-30).astype("<f4").view("<u4")
        np.maximum.at(self._keys, pixel, keys.view("<u8")[:, 0])

    def _spans(self, triangles: Float) -> tuple[Int, Int, Int, Int]:
        """Rows of pixels inside triangles: triangle, row, first column, column behind the last."""
        by_height = np.argsort(triangles[:, :, 1], axis=1, kind="stable")
        points = np.take_along_axis(triangles[:, :, :2], by_height[:, :, None], axis=1)
        area = np.abs(_twice_area(triangles)) > 1e-12
        top = np.clip(np.ceil(points[:, 0, 1] - 0.5), 0, self.height).astype(np.int64)
        bottom = np.clip(np.ceil(points[:, 2, 1] - 0.5), 0, self.height).astype(np.int64)
        count = np.where(area, np.maximum(bottom - top, 0), 0)
        number = np.repeat(np.arange(len(triangles)), count)
        row = np.arange(len(number)) - np.repeat(np.cumsum(count) - count - top, count)
        middle: Float = np.asarray(row + 0.5)
        low, mid, high = points.transpose(1, 0, 2)
        # Two edges cross a row: the one from low to high, and one of the other two.
        long = _Edges.between(low, high)
        short = _Edges.between(np.concatenate([low, mid]), np.concatenate([mid, high]))
        one = long.crossing(number, middle)
        other = short.crossing(
            number + len(triangles) * (middle >= mid[:, 1].take(number)), middle
        )
        left = np.ceil(np.minimum(one, other) - 0.5).clip(0, self.width).astype(np.int64)
        right = np.ceil(np.maximum(one, other) - 0.5).clip(0, self.width).astype(np.int64)
        some = np.flatnonzero(right > left)
        return number[some], row[some], left[some], right[some]


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges as x of y, from the end with less y: the same numbers for both faces at an edge."""

    x: Float
    y: Float
    slope: Float

    @classmethod
    def between(cls, low: Float, high: Float) -> _Edges:
        run, rise = (high - low).T
        return cls(low[:, 0], low[:, 1], run / np.where(rise == 0, 1.0, rise))

    def crossing(self, which: Int, y: Float) -> Float:
        """Where the edges of these numbers meet the heights ``y``."""
        return np.asarray(self.x.take(which) + (y - self.y.take(which)) * self.slope.take(which))


def _twice_area(triangles: Float) -> Float:
    a = triangles[:, 1, :2] - triangles[:, 0, :2]
    b = triangles[:, 2, :2] - triangles[:, 0, :2]
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _gradients(triangles: Float) -> Float:
    """Change ``(t, 2)`` of nearness a pixel to the right and down."""
    a = triangles[:, 1] - triangles[:, 0]
    b = triangles[:, 2] - triangles[:, 0]
    area = _twice_area(triangles)
    area = np.where(np.abs(area) < 1e-12, 1.0, area)
    right = (a[:, 2] * b[:, 1] - b[:, 2] * a[:, 1]) / area
    down = (b[:, 2] * a[:, 0] - a[:, 2] * b[:, 0]) / area
    return np.stack([right, down], axis=1)


def _slices(counts: Int) -> Iterator[slice]:
    """Slices of spans with about ``CHUNK`` fragments each."""
    total = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = total[start - 1] if start else 0
        end = max(int(np.searchsorted(total, done + CHUNK, side="right")), start + 1)
        yield slice(start, end)
        start = end
