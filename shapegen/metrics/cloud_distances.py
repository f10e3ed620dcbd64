"""Distances between point clouds: pairs, and matrices of all pairs.

Every name says which distance it is: figures by the squared and the unsquared chamfer distance, or
by the exact and an approximate earth mover's distance, must not be set side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shapegen.metrics.nearest_blocks import mean_nearest_squares
from shapegen.metrics.nearest_points import mean_nearest, nearest_pairs
from shapegen.metrics.sinkhorn import sinkhorn_bounds

Array = NDArray[np.float64]
EMD = Literal["exact", "sinkhorn"]
Method = Literal["auto", "trees", "blocks"]

EMD_KINDS: tuple[EMD, ...] = ("exact", "sinkhorn")
_PAIRS = 64
"""Pairs of clouds whose bounds are asked for together."""
_BLOCK_POINTS = (512, 4096)
"""Clouds of more points than the first and at most the second are faster by blocks than by trees,
and the rounding to float32 is below that of the clouds themselves."""


def chamfer_matrix(
    a: Any,
    b: Any = None,
    *,
    squared: bool = True,
    method: Method = "auto",
    device: torch.device | str | None = None,
) -> Array:
    r"""Chamfer distance of every cloud of ``a`` from every one of ``b`` (default: ``a``).

    Squared, the mean of each direction added up, as PointFlow's CD:

    .. math:: \frac1n \sum_{x} \min_y |x - y|^2 + \frac1m \sum_{y} \min_x |x - y|^2

    Unsquared it is half the sum of the two mean distances, in the unit of the data.

    Args:
        a: ``(n, points, 3)`` array or tensor.
        b: ``(m, points, 3)``; the numbers of points may differ.
        squared: Which of the two.
        method: ``"trees"`` of points, exact in float64; ``"blocks"`` of all distances in float32,
            exact to about 1e-8 for shapes of unit size, squared only; or the faster one.
        device: A CUDA device, for ``"blocks"``; default the CPU.

    Returns:
        ``(n, m)``, in float64.

    Raises:
        ValueError: Not clouds, not finite, or another method.
    """
    ours = _clouds(a)
    theirs = ours if b is None else _clouds(b)
    place = torch.device("cpu" if device is None else device)
    if _in_blocks(method, squared, place, max(ours.shape[1], theirs.shape[1])):
        sides = mean_nearest_squares(
            torch.from_numpy(ours), torch.from_numpy(theirs), device=place
        )
        return np.asarray((sides[0] + sides[1]).numpy())
    there = mean_nearest(ours, theirs, squared=squared)
    back = there if b is None else mean_nearest(theirs, ours, squared=squared)
    return _both(there, back.T, squared)


def chamfer_pairs(a: Any, b: Any, *, squared: bool = True) -> Array:
    """:func:`chamfer_matrix` of the pairs of one number alone: ``(n,)``."""
    ours, theirs = _clouds(a), _clouds(b)
    there = nearest_pairs(ours, theirs, squared=squared)
    return _both(there, nearest_pairs(theirs, ours, squared=squared), squared)


def emd_matrix(a: Any, b: Any = None, *, kind: EMD = "exact") -> Array:
    """Earth mover's distance of every cloud of ``a`` from every one of ``b`` (default: ``a``).

    The mean distance of matched points, not squared, under the one-to-one match for which it is
    least. ``"exact"`` solves the assignment (about .05 s a pair of 1024 points, .3 s of 2048);
    ``"sinkhorn"`` gives the cost of a transport that is feasible, hence never less than exact
    (:mod:`shapegen.metrics.sinkhorn`).

    Args:
        a: ``(n, points, 3)``.
        b: ``(m, points, 3)``, with as many points.
        kind: Which of the two; never mix them.

    Returns:
        ``(n, m)``; with ``a`` alone symmetric, with zeros on the diagonal.

    Raises:
        ValueError: Not clouds, different numbers of points, or another kind.
    """
    ours = _clouds(a)
    theirs = ours if b is None else _clouds(b)
    rows, columns = np.indices((len(ours), len(theirs))).reshape(2, -1)
    if b is None:
        rows, columns = rows[rows < columns], columns[rows < columns]
    found = np.zeros((len(ours), len(theirs)))
    found[rows, columns] = _emd(ours, theirs, rows, columns, kind)
    return found + found.T if b is None else found


def emd_pairs(a: Any, b: Any, *, kind: EMD = "exact") -> Array:
    """:func:`emd_matrix` of the pairs of one number alone: ``(n,)``."""
    ours, theirs = _clouds(a), _clouds(b)
    if len(ours) != len(theirs):
        raise ValueError(f"pairs need equally many clouds; got {len(ours)} and {len(theirs)}")
    every = np.arange(len(ours))
    return _emd(ours, theirs, every, every, kind)


def _emd(
    ours: Array, theirs: Array, rows: NDArray[np.int64], columns: NDArray[np.int64], kind: EMD
) -> Array:
    if kind not in EMD_KINDS:
        raise ValueError(f"the kind of EMD must be one of {EMD_KINDS}; got {kind!r}")
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(
            "EMD matches points one to one: clouds must have equally many; "
            f"got {ours.shape[1]} and {theirs.shape[1]}"
        )
    if kind == "sinkhorn":
        pairs = list(_chunks(len(rows)))
        found = [
            sinkhorn_bounds(
                torch.from_numpy(ours[rows[k]]).float(),
                torch.from_numpy(theirs[columns[k]]).float(),
            )
            for k in pairs
        ]
        return np.concatenate([np.empty(0), *(upper.double().numpy() for _, upper in found)])

    def cost(pair: tuple[int, int]) -> float:
        return _assignment(ours[pair[0]], theirs[pair[1]])

    # One matrix of points a thread: memory does not grow with the number of pairs.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return np.array(list(pool.map(cost, zip(rows.tolist(), columns.tolist(), strict=True))))


def _assignment(a: Array, b: Array) -> float:
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    distance = cdist(a, b)
    return float(distance[linear_sum_assignment(distance)].mean())


def _in_blocks(method: str, squared: bool, device: torch.device, points: int) -> bool:
    if method not in ("auto", "trees", "blocks") or (method == "blocks" and not squared):
        raise ValueError(
            f"method must be 'auto', 'trees' or, of squared distances, 'blocks'; got {method!r}"
        )
    low, high = _BLOCK_POINTS
    faster = device.type != "cpu" or low < points <= high
    return method == "blocks" or (method == "auto" and squared and faster)


def _both(there: Array, back: Array, squared: bool) -> Array:
    return (there + back) if squared else 0.5 * (there + back)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + _PAIRS) for start in range(0, count, _PAIRS))


def _clouds(values: Any) -> Array:
    points = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f"clouds must be (clouds, points, 3), not empty; got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("clouds must be finite; got NaN or infinity")
    return array
