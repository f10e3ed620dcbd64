"""Mixing channels invertibly: a learned 1x1 convolution, or their reversal."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shapegen.core.flows import Bijection


class InvertibleConv(Bijection):
    r"""Multiply the channels at every pixel by one matrix, kept as its LU decomposition.

    .. math:: z = W x, \qquad W = P L \,(U + \mathrm{diag}(\sigma e^{s})), \qquad
              \log|\det| = HW \sum_c s_c

    ``P`` and the signs are fixed; ``L`` has ones, ``U`` zeros on the diagonal. It starts as a
    random rotation. The products are never taken in half precision.

    Args:
        channels: Number of channels.
        event_ndim: Axes of an event, channels first: 3 for images, 1 for vectors.

    Reference: Kingma and Dhariwal, *Glow*, 2018, section 3.2 and equation 11,
    https://arxiv.org/abs/1807.03039.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int, *, event_ndim: int = 3) -> None:
        super().__init__()
        self.event_ndim = event_ndim
        rotation = torch.linalg.qr(torch.randn(channels, channels)).Q
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())
        self.log_diagonal = nn.Parameter(diagonal.abs().log())
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))

    @property
    def weight(self) -> Float[Tensor, "channels channels"]:
        """The matrix W."""
        with torch.autocast(self.lower.device.type, enabled=False):
            lower = self.lower.tril(-1) + torch.eye(len(self.lower)).to(self.lower)
            upper = self.upper.triu(1) + torch.diag(self.sign * self.log_diagonal.exp())
            return self.permutation @ lower @ upper

    def forward(
        self, x: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Mix."""
        return self._mixed(x, self.weight), self._log_det(x)

    def inverse(
        self, z: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Mix by the inverse matrix."""
        # Inverted in double precision: its rounding would be multiplied by W's condition.
        inverted = torch.linalg.inv(self.weight.double()).to(z.dtype)
        return self._mixed(z, inverted), -self._log_det(z)

    def _mixed(self, x: Tensor, weight: Tensor) -> Tensor:
        axis = -self.event_ndim
        with torch.autocast(x.device.type, enabled=False):
            return (x.movedim(axis, -1) @ weight.mT).movedim(-1, axis)

    def _log_det(self, x: Tensor) -> Tensor:
        batch, event = x.shape[: -self.event_ndim], x.shape[-self.event_ndim :]
        return (self.log_diagonal.sum() * event[1:].numel()).expand(batch)


class Reversal(Bijection):
    """Reverse the order of channels: what learned mixing is compared with.

    Args:
        event_ndim: Axes of an event, channels first.
    """

    def __init__(self, *, event_ndim: int = 3) -> None:
        super().__init__()
        self.event_ndim = event_ndim

    def forward(
        self, x: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Reverse; the volume stays."""
        return x.flip(-self.event_ndim), x.new_zeros(x.shape[: -self.event_ndim])

    def inverse(
        self, z: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Reverse."""
        return self.forward(z)
