"""Affine coupling: the invertible layer of RealNVP and Glow."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.flows import Bijection

Mask = Literal["channels", "checkerboard"]
ScaleKind = Literal["sigmoid", "tanh"]
MAX_LOG_SCALE = 2.0
"""Of a ``tanh`` scale."""


class AffineCoupling(Bijection):
    r"""Scale and shift one half of the numbers by what a network makes of the other half.

    With the halves :math:`x_a, x_b` and :math:`(r, t) = \mathrm{net}(x_a, c)`:

    .. math:: z_a = x_a, \qquad z_b = x_b \odot e^{s} + t, \qquad \log|\det| = \sum s

    where :math:`s = \log\sigma(r + 2)` (``sigmoid``, Glow) or :math:`s = m \tanh(r / m)` with
    :math:`m` = :data:`MAX_LOG_SCALE` (``tanh``, after RealNVP, whose m is learned).

    The halves are the first and the last channels (of an odd number the first half has one
    fewer), or the two colours of a checkerboard of pixels. A colour is handed to the network as an
    image of half the height and width and twice the channels: the pixels (even, even) and (odd,
    odd), or (even, odd) and (odd, even). That is the mask of the paper without the zeros in it, at
    a quarter of the work.

    Args:
        net: From the one half, and the context if there is one, to twice the channels of the
            other: raw scales r, then shifts t.
        mask: Which numbers are a half.
        swap: The first half is the one that is changed.
        scale: How a raw scale becomes a factor.
        event_ndim: Axes of an event, channels first: 3 for images, 1 for vectors.

    Reference: Dinh, Sohl-Dickstein and Bengio, *Density Estimation Using Real NVP*, 2017,
    equations 4 to 9, https://arxiv.org/abs/1605.08803; Kingma and Dhariwal, *Glow*, 2018, table 1.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        mask: Mask = "channels",
        swap: bool = False,
        scale: ScaleKind = "sigmoid",
        event_ndim: int = 3,
    ) -> None:
        super().__init__()
        self.net = net
        self.mask, self.swap, self.scale, self.event_ndim = mask, swap, scale, event_ndim

    def forward(
        self, x: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Map data to latents.

        Raises:
            ValueError: Fewer than two channels; or odd height or width under a checkerboard.
        """
        passive, active = self._halves(x)
        log_scale, shift = self._log_scale_and_shift(passive, context)
        z = self._joined(passive, active * log_scale.exp() + shift)
        return z, self._total(log_scale)

    def inverse(
        self, z: Float[Tensor, "*event"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "*event"], Float[Tensor, "*batch"]]:
        """Map latents to data."""
        passive, active = self._halves(z)
        log_scale, shift = self._log_scale_and_shift(passive, context)
        x = self._joined(passive, (active - shift) * torch.exp(-log_scale))
        return x, -self._total(log_scale)

    def _log_scale_and_shift(
        self, passive: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        out = self.net(passive) if context is None else self.net(passive, context)
        # In mixed precision the network alone is in half: what it says is applied, and counted,
        # in the coordinates' own.
        raw, shift = out.to(passive.dtype).chunk(2, dim=-self.event_ndim)
        if self.scale == "sigmoid":
            # Bounded by 1: a deep chain cannot blow up; + 2 starts it near 0.88.
            return functional.logsigmoid(raw + 2.0), shift
        return MAX_LOG_SCALE * torch.tanh(raw / MAX_LOG_SCALE), shift

    def _total(self, log_scale: Tensor) -> Tensor:
        return log_scale.flatten(-self.event_ndim).sum(-1)

    def _halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The half that is shown to the network, and the one that is changed."""
        if self.mask == "channels":
            first, second = halves(x, axis=-self.event_ndim)
        else:
            first, second = colours(x)
        return (second, first) if self.swap else (first, second)

    def _joined(self, passive: Tensor, active: Tensor) -> Tensor:
        first, second = (active, passive) if self.swap else (passive, active)
        if self.mask == "channels":
            return torch.cat([first, second], -self.event_ndim)
        return board(first, second)


def halves(x: Float[Tensor, "*event"], *, axis: int = 1) -> tuple[Tensor, Tensor]:
    """First and last channels; of an odd number the first have one fewer.

    Raises:
        ValueError: Fewer than two channels.
    """
    channels = x.shape[axis]
    if channels < 2:
        raise ValueError(f"channels can be halved from two on; got {channels} in {tuple(x.shape)}")
    first, second = x.split([channels // 2, channels - channels // 2], axis)
    return first, second


def colours(
    x: Float[Tensor, "*batch channels height width"],
) -> tuple[
    Float[Tensor, "*batch twice half_height half_width"],
    Float[Tensor, "*batch twice half_height half_width"],
]:
    """The two colours of a checkerboard of pixels, each an image of half the size.

    Raises:
        ValueError: The height or width is odd.
    """
    check_even(x, "a checkerboard")
    first = torch.cat([x[..., ::2, ::2], x[..., 1::2, 1::2]], -3)
    return first, torch.cat([x[..., ::2, 1::2], x[..., 1::2, ::2]], -3)


def board(
    first: Float[Tensor, "*batch twice half_height half_width"],
    second: Float[Tensor, "*batch twice half_height half_width"],
) -> Float[Tensor, "*batch channels height width"]:
    """Put the colours of a checkerboard together again."""
    (top_left, bottom_right), (top_right, bottom_left) = first.chunk(2, -3), second.chunk(2, -3)
    # Columns of the even rows and of the odd ones, then the rows in turn.
    even = torch.stack([top_left, top_right], -1).flatten(-2)
    odd = torch.stack([bottom_left, bottom_right], -1).flatten(-2)
    return torch.stack([even, odd], -2).flatten(-3, -2)


def check_even(x: Tensor, what: str) -> None:
    """Refuse images that cannot be halved in height and width.

    Raises:
        ValueError: The last axis or the one before is odd.
    """
    height, width = x.shape[-2:]
    if height % 2 or width % 2:
        raise ValueError(f"{what} needs an even height and width; got {height} x {width}")
