"""Flows of images on several scales: squeezed, and half of the numbers let go at every scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.coupling import AffineCoupling, check_even, halves
from shapegen.core.flows import Bijection, Chain

Shape = tuple[int, int, int]
"""Channels, height, width."""


class Squeeze(Bijection):
    """Make four channels of the 2x2 pixels of each: half the height and width, equal volume.

    Channel ``4 c + 2 i + j`` holds row ``i`` and column ``j`` of the squares of channel ``c``.

    Reference: Dinh et al., *Density Estimation Using Real NVP*, 2017, section 3.6.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch more half_height half_width"], Float[Tensor, "batch"]]:
        """Squeeze.

        Raises:
            ValueError: The height or width is odd.
        """
        check_even(x, "a squeeze")
        return functional.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def inverse(
        self, z: Float[Tensor, "batch more half_height half_width"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch"]]:
        """Unsqueeze."""
        return functional.pixel_shuffle(z, 2), z.new_zeros(len(z))


class Reshape(Bijection):
    """The same numbers in another shape.

    Args:
        data: Shape of an event of data.
        base: Shape of an event of the base space.

    Raises:
        ValueError: The shapes are of different numbers of entries.
    """

    def __init__(self, data: Sequence[int], base: Sequence[int]) -> None:
        super().__init__()
        if math.prod(data) != math.prod(base):
            raise ValueError(f"{tuple(data)} cannot be reshaped to {tuple(base)}")
        self.data, self.base = tuple(data), tuple(base)

    def forward(
        self, x: Float[Tensor, "batch *data"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch *base"], Float[Tensor, "batch"]]:
        """Reshape; the volume stays."""
        return x.reshape(len(x), *self.base), x.new_zeros(len(x))

    def inverse(
        self, z: Float[Tensor, "batch *base"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch *data"], Float[Tensor, "batch"]]:
        """Reshape back."""
        return z.reshape(len(z), *self.data), z.new_zeros(len(z))


class LetGo(Bijection):
    r"""Let half of the channels go to the base space; the rest of the flow is of the others.

    .. math:: z = (\mathrm{rest}(x_a), x_b)

    With an affine coupling from the one half to the other right before, what is let go is modelled
    as a Gaussian given the rest, whose mean and variance a network predicts:
    :math:`p(x_b \mid x_a) = N(\mu(x_a), \sigma^2(x_a))`. Without, as a standard normal.

    Args:
        rest: Flow of the first half of the channels, to vectors.
        shape: Channels, height and width that come in.

    Reference: Dinh et al., *Density Estimation Using Real NVP*, 2017, section 3.6; Kingma and
    Dhariwal, *Glow*, 2018, section 3.4.
    """

    def __init__(self, rest: Bijection, shape: Shape) -> None:
        super().__init__()
        self.rest = rest
        channels, height, width = shape
        self.gone = (channels - channels // 2, height, width)

    def forward(
        self, x: Float[Tensor, "batch channels height width"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch"]]:
        """Map data to vectors: the rest's latents, then what is let go."""
        kept, gone = halves(x)
        z, log_det = self.rest(kept, context)
        return torch.cat([z, gone.flatten(1)], 1), log_det

    def inverse(
        self, z: Float[Tensor, "batch dim"], context: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch"]]:
        """Map vectors to data."""
        count = math.prod(self.gone)
        kept, log_det = self.rest.inverse(z[:, :-count], context)
        gone = z[:, -count:].view(-1, *self.gone)
        return torch.cat([kept, gone], 1), log_det


def multiscale(
    shape: Shape,
    scales: int,
    block: Callable[[Shape], Sequence[Bijection]],
    *,
    prior: Callable[[Shape], nn.Module] | None = None,
) -> Chain:
    """Stack blocks over scales into one flow from images to vectors.

    Args:
        shape: Channels, height and width of an image.
        scales: Number of blocks; after each but the last, half of the channels are let go.
        block: Layers of the scale whose images have some shape, a squeeze among them: they leave
            with four times the channels at half the height and width.
        prior: Network that predicts, from the channels that stay, raw scales and shifts of the
            Gaussian of as many that go; None: a standard normal.

    Raises:
        ValueError: The height or width cannot be halved so many times.
    """
    channels, height, width = shape
    if height % 2 or width % 2:
        raise ValueError(
            f"each of {scales} scales halves the height and width; got {height} x {width}"
        )
    layers = list(block(shape))
    squeezed = (4 * channels, height // 2, width // 2)
    if scales == 1:
        return Chain([*layers, Reshape(squeezed, (math.prod(squeezed),))])
    kept = (2 * channels, height // 2, width // 2)
    if prior is not None:
        layers.append(AffineCoupling(prior(kept), scale="tanh"))
    rest = multiscale(kept, scales - 1, block, prior=prior)
    return Chain([*layers, LetGo(rest, squeezed)])
