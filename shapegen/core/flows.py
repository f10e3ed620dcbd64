"""Changes of variables: one interface for discrete and continuous normalising flows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from shapegen.core.noise import standard_normal


class Bijection(nn.Module, ABC):
    r"""An invertible map :math:`z = f(x; c)` that knows its volume change.

    Both directions return :math:`\log|\det|` of their own Jacobian in nats: one value for every
    event, that is, for what the base distribution gives one log-density. A flow of points
    ``(batch, points, 3)`` returns ``(batch, points)``, a flow of images ``(batch,)``.
    """

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map data to the base space: ``z`` and ``log |det dz/dx|``."""

    @abstractmethod
    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map the base space to data: ``x`` and ``log |det dx/dz|``."""

    def generate(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map the base space to data where nobody asks for the determinant.

        Those override it whose determinant costs something.
        """
        return self.inverse(z, context)[0]


class Chain(Bijection):
    """Bijections one after the other: ``forward`` runs the list, ``inverse`` runs it backwards."""

    def __init__(self, layers: Iterable[Bijection]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def __iter__(self) -> Iterator[Bijection]:
        return iter(self.layers)  # type: ignore[arg-type]

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map data to the base space; the log-determinants add up."""
        total: Tensor | None = None
        for layer in self:
            x, log_det = layer(x, context)
            total = log_det if total is None else total + log_det
        return x, _some(total)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map the base space to data; the log-determinants add up."""
        total: Tensor | None = None
        for layer in reversed(list(self)):
            z, log_det = layer.inverse(z, context)
            total = log_det if total is None else total + log_det
        return z, _some(total)

    def generate(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map the base space to data without a determinant."""
        for layer in reversed(list(self)):
            z = layer.generate(z, context)
        return z


class FlowDistribution:
    r"""The density that a bijection pulls back from N(0, I).

    .. math:: \log p(x \mid c) = \log N(f(x; c); 0, I) + \log|\det \partial f/\partial x|

    Args:
        flow: From data to the base space.
        event_shape: Of one event: ``(3,)`` for points, ``(1, 28, 28)`` for images.
        context: Condition, passed to the flow.
    """

    def __init__(
        self, flow: Bijection, event_shape: Sequence[int], *, context: Tensor | None = None
    ) -> None:
        self.flow, self.event_shape, self.context = flow, tuple(event_shape), context

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density in nats, one value an event.

        Raises:
            ValueError: The last axes of ``x`` are not those of an event.
        """
        if tuple(x.shape[x.ndim - len(self.event_shape) :]) != self.event_shape:
            raise ValueError(
                f"events must be (..., {', '.join(map(str, self.event_shape))}); "
                f"got {tuple(x.shape)}"
            )
        z, log_det = self.flow(x, self.context)
        return standard_normal_log_prob(z, len(self.event_shape)) + log_det

    def rsample(
        self, batch_shape: Sequence[int], *, like: Tensor, rng: torch.Generator | None = None
    ) -> Tensor:
        """Draw ``(*batch_shape, *event_shape)`` with gradients to the flow and the context.

        Args:
            batch_shape: Number of events along each axis.
            like: Gives the device and the precision.
            rng: Random stream.
        """
        z = standard_normal((*batch_shape, *self.event_shape), like=like, rng=rng)
        return self.flow.generate(z, self.context)

    @torch.no_grad()
    def sample(
        self, batch_shape: Sequence[int], *, like: Tensor, rng: torch.Generator | None = None
    ) -> Tensor:
        """Draw without gradients."""
        return self.rsample(batch_shape, like=like, rng=rng)


def standard_normal_log_prob(z: Tensor, event_ndim: int = 1) -> Tensor:
    """Log-density of N(0, I) in nats, summed over the last ``event_ndim`` axes."""
    # Unchecked: a flow that diverged is to give a loss that is not finite, and be stopped there.
    log_prob = Normal(0.0, 1.0, validate_args=False).log_prob(z)
    return log_prob.sum(tuple(range(-event_ndim, 0)))


def _some(total: Tensor | None) -> Tensor:
    if total is None:
        raise ValueError("a chain needs at least one bijection; got none")
    return total
