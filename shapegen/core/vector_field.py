"""Vector fields of continuous flows: velocities, and their Jacobian's products with directions."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from shapegen.core.divergence import products


class VectorField(nn.Module, ABC):
    """A velocity ``v(t, x; c)`` for every event in the last axis of ``x``.

    ``t`` is one time ``()``, or one for every row of ``x`` ``(batch,)``.
    """

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Velocity of ``x`` at time ``t``."""
        return self.velocity(t, x, self.condition(context))

    @abstractmethod
    def condition(self, context: Tensor | None) -> Tensor | None:
        """Whatever can be computed of the context once, before a solve."""

    @abstractmethod
    def velocity(self, t: Tensor, x: Tensor, condition: Tensor | None) -> Tensor:
        """Velocity of ``x``, given :meth:`condition`."""

    @abstractmethod
    def velocity_and_products(
        self, t: Tensor, x: Tensor, condition: Tensor | None, probes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Velocity, and its Jacobian in ``x`` times the ``probes`` ``(k, *x.shape)``."""


class NetworkField(VectorField):
    """Any network ``net(t, x, context)`` as a vector field; products by ``torch.func``."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def condition(self, context: Tensor | None) -> Tensor | None:
        """The context as it is."""
        return context

    def velocity(self, t: Tensor, x: Tensor, condition: Tensor | None) -> Tensor:
        """What the network says."""
        found: Tensor = self.net(t, x, condition)
        return found

    def velocity_and_products(
        self, t: Tensor, x: Tensor, condition: Tensor | None, probes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Velocity and products in forward mode."""
        return products(lambda at: self.velocity(t, at, condition), x, probes)
