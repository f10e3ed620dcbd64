"""Arrangements of points: linked clusters, layers along a line, runs of equal steps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def clusters(parts: list[int], links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connected components of three and more parts."""
    root = {part: part for part in parts}

    def find(part: int) -> int:
        while root[part] != part:
            part = root[part]
        return part

    for a, b in links:
        if a in root and b in root:
            root[find(b)] = find(a)
    components: dict[int, list[int]] = {}
    for part in parts:
        components.setdefault(find(part), []).append(part)
    return [component for component in components.values() if len(component) >= 3]


def layers(values: Array, reach: float) -> list[list[int]]:
    """Positions of values grouped so that groups are more than ``reach`` apart."""
    order = np.argsort(values, kind="stable")
    breaks = np.flatnonzero(np.diff(values[order]) > reach) + 1
    return [part.tolist() for part in np.split(order, breaks)]


def equal_steps(centres: Array, reach: float) -> tuple[list[int], Array] | None:
    """Longest run of three and more equal steps on a line: positions in order and the step."""
    spread = centres[np.linalg.norm(centres - centres[0], axis=1).argmax()] - centres[0]
    place = centres @ (spread / np.linalg.norm(spread))
    order = np.argsort(place, kind="stable")
    place = place[order]
    count = len(place)
    for length in range(count, 2, -1):
        for start in range(count - length + 1):
            run = place[start : start + length]
            step = (run[-1] - run[0]) / (length - 1)
            ideal = run.mean() + step * (np.arange(length) - 0.5 * (length - 1))
            # A step shorter than the tolerance must still be told from no step.
            if np.abs(run - ideal).max() <= min(reach, 0.35 * step) and step > 1e-6:
                chosen = order[start : start + length]
                return chosen.tolist(), _fitted_step(centres[chosen])
    return None


def _fitted_step(centres: Array) -> Array:
    """Least-squares step of centres ``(k, 3)`` in order."""
    weight = np.arange(len(centres)) - 0.5 * (len(centres) - 1)
    step: Array = weight @ centres / (weight @ weight)
    return step
