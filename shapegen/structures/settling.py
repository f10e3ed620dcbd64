"""Settle a decoded shape: close gaps between its pieces and put it on its feet.

A network's boxes miss one another by some per cent. The parts that miss are stretched, or moved,
until they meet; all changes are made to the generators, so that symmetries stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures import symmetry
from shapegen.structures.contact import gaps
from shapegen.structures.merge_tree import REFLECTIVE
from shapegen.structures.stability import (
    TOLERANCE,
    centre_of_mass,
    feet,
    pieces,
    shape_diagonal,
    standing,
)

Array = NDArray[np.float64]

TOUCHING = 0.015
"""Of the shape's diagonal: pieces nearer than this count as one (validity asks for .02)."""

FOOT_REACHES = (0.03, 0.06, 0.1, 0.2)
"""Of the shape's diagonal: how far above the ground a part may end to be let down to it. The next
larger one is tried only if the shape does not stand."""

ROUNDS = 24

MOST_BOXES = 200
"""Copies included; larger shapes, which an untrained decoder makes, are left as they are: every
pair of boxes is looked at."""

LARGEST_GROWTH = 1.5
"""Of the shape's diagonal, for the sake of standing; beyond it feet are left as they are."""

ALONG = 0.8
"""Cosine above which a gap runs along a box's axis, so that the box is stretched to close it."""


@dataclass(frozen=True)
class Generators:
    """The boxes that one shape is made of, each with the symmetry that repeats it."""

    boxes: Array
    """``(n, 12)``, with orthonormal directions."""
    syms: Array
    """``(n, 8)``: a symmetry vector a box; type :data:`~shapegen.structures.symmetry.NONE` for
    none."""
    counts: Array
    """Copies ``(n,)`` of every box."""

    def expanded(self) -> tuple[Array, NDArray[np.int64]]:
        """All boxes, and the generator that each came from."""
        return symmetry.expand(self.boxes, self.syms, counts=self.counts)


def settled(shape: Generators) -> Array:
    """Boxes ``(n, 12)`` of the generators after gaps are closed and feet let down.

    A shape that cannot be mended so is improved as far as it goes; what is in one piece and
    stands is returned as it is, and so is what has more than :data:`MOST_BOXES`.
    """
    current = Generators(shape.boxes.copy(), shape.syms, shape.counts)
    if (1 + shape.counts).sum() > MOST_BOXES:
        return current.boxes
    _join(current)
    for reach in FOOT_REACHES:
        if standing(current.expanded()[0]):
            return current.boxes
        _let_feet_down(current, reach)
    # What follows can fail, and can undo itself without end: a foot that outweighs the rest takes
    # the centre of mass along. A try that does not end in a standing shape is dropped.
    for spread in (_stretch_foot, _shift_feet):
        tried = Generators(current.boxes.copy(), shape.syms, shape.counts)
        for _ in range(ROUNDS):
            if standing(tried.expanded()[0]) and _size(tried) < LARGEST_GROWTH * _size(shape):
                return tried.boxes
            spread(tried)
            _join(tried)
    return current.boxes


def _size(shape: Generators) -> float:
    return shape_diagonal(shape.expanded()[0])


def _join(shape: Generators) -> None:
    for _ in range(ROUNDS):
        if not _join_once(shape):
            return


def _join_once(shape: Generators) -> bool:
    """Close the smallest gap of the smallest piece; False if there is one piece only."""
    every, source = shape.expanded()
    piece = pieces(every, tolerance=TOUCHING)
    if (piece == piece[0]).all():
        return False
    volume = np.abs(every[:, 3:6]).prod(1)
    names = np.unique(piece)
    smallest = names[np.argmin([volume[piece == name].sum() for name in names])]
    inside, outside = np.flatnonzero(piece == smallest), np.flatnonzero(piece != smallest)
    pairs = np.stack([np.repeat(inside, len(outside)), np.tile(outside, len(inside))], axis=1)
    part, other = pairs[gaps(every, pairs).argmin()]
    way = _closest_points(every[part], every[other])
    frame = box_algebra.axes(every[part][None])[0]
    local = frame @ way
    axis = int(np.abs(local).argmax())
    along = np.abs(local[axis]) / max(float(np.linalg.norm(way)), 1e-12) > ALONG
    _change(shape, source, int(part), local, stretch=axis if along else None)
    return True


def _let_feet_down(shape: Generators, reach: float) -> None:
    """Stretch every part that ends just above the ground down to it."""
    every, source = shape.expanded()
    bottom = box_algebra.corners(every)[:, :, 1].min(1)
    ground, diagonal = bottom.min(), shape_diagonal(every)
    frames = box_algebra.axes(every)
    done = set()
    for part in np.flatnonzero((bottom > ground) & (bottom <= ground + reach * diagonal)):
        if source[part] in done:
            continue
        done.add(source[part])
        upright = frames[part, :, 1]
        axis = int(np.abs(upright).argmax())
        local = np.zeros(3)
        local[axis] = -(bottom[part] - ground) / upright[axis]
        _change(shape, source, int(part), local, stretch=axis)


def _stretch_foot(shape: Generators) -> None:
    """Stretch the foot that is nearest to where the centre of mass leaves the ground plan."""
    every, source = shape.expanded()
    edge, way = _way_to_stand(every)
    grounded = _grounded(every)
    plan = box_algebra.corners(every[grounded])[:, :, [0, 2]]
    part = int(grounded[np.linalg.norm(plan - edge, axis=2).min(1).argmin()])
    cosine = box_algebra.axes(every[part][None])[0] @ way
    axis = int(np.abs(cosine).argmax())
    local = np.zeros(3)
    local[axis] = (way @ way) / cosine[axis]
    _change(shape, source, part, local, stretch=axis)


def _shift_feet(shape: Generators) -> None:
    """Move all feet towards below the centre of mass."""
    every, source = shape.expanded()
    way = _way_to_stand(every)[1]
    frames = box_algebra.axes(every)
    _, first = np.unique(source[_grounded(every)], return_index=True)
    for part in _grounded(every)[first]:
        _change(shape, source, int(part), frames[part] @ way, stretch=None)


def _way_to_stand(every: Array) -> tuple[Array, Array]:
    """The ground plan's point (2,) nearest to the centre of mass, and the way (3,) to it."""
    mass, low = centre_of_mass(every)[[0, 2]], feet(every)
    edge = _nearest_on_segments(mass, low)
    way = np.array([mass[0] - edge[0], 0.0, mass[1] - edge[1]])
    length = max(float(np.linalg.norm(way)), 1e-12)
    return edge, way * (1 + 0.2 * TOLERANCE * shape_diagonal(every) / length)


def _grounded(every: Array) -> NDArray[np.int64]:
    bottom = box_algebra.corners(every)[:, :, 1].min(1)
    return np.flatnonzero(bottom <= bottom.min() + TOLERANCE * shape_diagonal(every))


def _nearest_on_segments(point: Array, ends: Array) -> Array:
    """Point nearest to ``point`` (2,) on any segment between two of ``ends`` (k, 2)."""
    a, b = ends[:, None], ends[None]
    length = ((b - a) ** 2).sum(2)
    share = ((point - a) * (b - a)).sum(2) / np.where(length > 0, length, 1.0)
    on_segment = a + np.clip(share, 0, 1)[..., None] * (b - a)
    away = ((on_segment - point) ** 2).sum(2)
    row, column = np.unravel_index(int(away.argmin()), away.shape)
    nearest: Array = on_segment[row, column]
    return nearest


def _change(
    shape: Generators, source: NDArray[np.int64], part: int, local: Array, *, stretch: int | None
) -> None:
    """Move a part by ``local`` (3,) in its own axes, or stretch one axis by its entry there.

    Copies have their generator's axes, moved; the third one, a cross product, is turned over by a
    reflection.
    """
    generator = int(source[part])
    copy = part - int(np.searchsorted(source, generator))
    local = local.copy()
    if copy and symmetry.kinds(shape.syms[generator][None])[0] == REFLECTIVE:
        local[2] = -local[2]
    frame = box_algebra.axes(shape.boxes[generator][None])[0]
    if stretch is None:
        shift = local @ frame
    else:
        shift = 0.5 * local[stretch] * frame[stretch]
        shape.boxes[generator, 3 + stretch] += abs(local[stretch])
    shape.boxes[generator, :3] += shift


def _closest_points(a: Array, b: Array, *, steps: int = 200) -> Array:
    """Vector from box ``a`` to box ``b`` between closest points (alternating projections)."""
    frames = box_algebra.axes(np.stack([a, b]))
    halves = 0.5 * np.stack([a, b])[:, 3:6]
    point = b[:3]
    on_a = on_b = point
    for _ in range(steps):
        on_a = a[:3] + np.clip(frames[0] @ (point - a[:3]), -halves[0], halves[0]) @ frames[0]
        on_b = b[:3] + np.clip(frames[1] @ (on_a - b[:3]), -halves[1], halves[1]) @ frames[1]
        if np.abs(on_b - point).max() < 1e-9:
            break
        point = on_b
    way: Array = on_b - on_a
    return way
