"""Figures that depend on random draws: their mean, and how sure a mean over shapes is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike

Figures = dict[str, float]

BOOTSTRAP = 1000
"""Resamplings behind an interval."""
LEVEL = 0.95
"""Share of the resampled means that an interval holds."""


@runtime_checkable
class Measured(Protocol):
    """A model with figures of its own, such as a likelihood."""

    def figures(self, shapes: Any, *, rng: torch.Generator | None = None) -> Figures:
        """Figures of held-out shapes by name."""
        ...


def sample_size(n: int | None, draws: int, *, default: int, most: int, what: str) -> int:
    """How many samples a draw has, and shapes the reference.

    Args:
        n: As asked for; None: ``default``, or ``most`` if that is fewer.
        draws: As asked for.
        default: See ``n``.
        most: There are no more.
        what: These are, for the message.

    Raises:
        ValueError: No draws, fewer than 2 samples or more than ``most``.
    """
    size = min(default, most) if n is None else n
    if draws < 1 or not 2 <= size <= most:
        raise ValueError(
            f"draws must be at least 1 and n 2 to {most}, {what}; got {draws} and {size}"
        )
    return size


def mean_of_draws(measure: Callable[[torch.Generator], Figures], draws: int, seed: int) -> Figures:
    """Mean of every figure over ``draws`` random streams, seeded ``seed``, ``seed + 1``, ..."""
    if draws < 1:
        raise ValueError(f"draws must be at least 1; got {draws}")
    all_draws = [measure(torch.Generator().manual_seed(seed + draw)) for draw in range(draws)]
    return {name: float(np.mean([one[name] for one in all_draws])) for name in all_draws[0]}


def bootstrap_interval(items: ArrayLike, *, rng: torch.Generator | None = None) -> list[float]:
    """Percentile interval of a mean over shapes: low and high end.

    Shapes are resampled with replacement, with what each adds to the mean; the shapes that they
    are compared with stay as they are.

    Args:
        items: ``(n,)``, at least one.
        rng: Source of the draws.

    Reference: Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13.
    """
    values = np.asarray(items, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"items must be (n,) with n >= 1; got {values.shape}")
    index = torch.randint(len(values), (BOOTSTRAP, len(values)), generator=rng)
    means = values[index.numpy()].mean(1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]
