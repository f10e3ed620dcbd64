"""Directions in which a vector field is differentiated to get its divergence."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from shapegen.core.noise import standard_normal


class Divergence(ABC):
    r"""A way to get :math:`\mathrm{div} f = \mathrm{tr}\, J` from products :math:`J e`.

    .. math:: \mathrm{div} f \approx \sum_k e_k^T J e_k
    """

    @abstractmethod
    def probes(self, x: Tensor) -> Tensor:
        """Directions ``(k, *x.shape)`` for events in the last axis of ``x``."""


class Exact(Divergence):
    """The axes: the trace itself, at the price of one product a dimension."""

    def probes(self, x: Tensor) -> Tensor:
        """The unit vectors."""
        dim = x.shape[-1]
        axes = torch.eye(dim, dtype=x.dtype, device=x.device)
        return axes.view(dim, *[1] * (x.ndim - 1), dim).expand(dim, *x.shape)


class Hutchinson(Divergence):
    """Random directions: an unbiased estimate at the price of one product, whatever the dimension.

    A solve draws once, before it starts: within it the estimate is a smooth function.

    Args:
        kind: Gaussian entries, or signs of +-1, whose estimate has less variance.
        count: Directions that are averaged.
        rng: Random stream.

    Reference: Grathwohl et al., *FFJORD*, 2019, section 3.1, https://arxiv.org/abs/1810.01367.
    """

    def __init__(
        self,
        kind: Literal["gaussian", "rademacher"] = "gaussian",
        *,
        count: int = 1,
        rng: torch.Generator | None = None,
    ) -> None:
        self.kind, self.count, self.rng = kind, count, rng
        self.drawn: list[Tensor] = []
        """What was drawn, solve by solve; :class:`Recorded` replays it."""

    def probes(self, x: Tensor) -> Tensor:
        """Draw directions and record them."""
        noise = standard_normal((self.count, *x.shape), like=x, rng=self.rng)
        if self.kind == "rademacher":
            noise = torch.where(noise < 0, -1.0, 1.0).to(noise)
        self.drawn = [*self.drawn[-15:], noise]
        return noise / math.sqrt(self.count)


class Recorded(Divergence):
    """Directions that are given, ``(k, *x.shape)`` or one ``x.shape``: always the same ones."""

    def __init__(self, noise: Tensor) -> None:
        self.noise = noise

    def probes(self, x: Tensor) -> Tensor:
        """The given directions.

        Raises:
            ValueError: They are not for points of this shape.
        """
        noise = self.noise if self.noise.ndim > x.ndim else self.noise[None]
        if noise.shape[1:] != x.shape:
            raise ValueError(
                f"the recorded noise is for points {tuple(noise.shape[1:])}; got {tuple(x.shape)}"
            )
        return noise.to(x) / math.sqrt(len(noise))


def products(
    velocity: Callable[[Tensor], Tensor], x: Tensor, probes: Tensor
) -> tuple[Tensor, Tensor]:
    """Value ``f(x)`` and products ``J e`` with every probe, of any function, in forward mode."""

    def push(probe: Tensor) -> Tensor:
        image: Tensor = torch.func.jvp(velocity, (x,), (probe,))[1]
        return image

    return velocity(x), torch.func.vmap(push)(probes)
