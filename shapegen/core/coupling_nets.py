"""Networks of coupling layers: they start at zero, so that a flow starts near the identity."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ConvNet(nn.Module):
    """3x3, 1x1 and 3x3 convolutions with ReLU between: Glow's network.

    Args:
        channels: Of the input.
        out: Channels of the output.
        hidden: Channels between.

    Reference: Kingma and Dhariwal, *Glow*, 2018, section 5; there with actnorms between.
    """

    def __init__(self, channels: int, out: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(),
            _zeroed(nn.Conv2d(hidden, out, 3, padding=1)),
        )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out height width"]:
        """Raw scales and shifts."""
        return self.layers(_channels_last(x))


class ResidualNet(nn.Module):
    r"""A 3x3 convolution, residual blocks of two, and one more: RealNVP's network.

    .. math:: h \leftarrow h + \mathrm{conv}(\mathrm{relu}(\mathrm{conv}(\mathrm{relu}(h))))

    Args:
        channels: Of the input.
        out: Channels of the output.
        hidden: Channels between.
        blocks: Number of residual blocks.

    Reference: Dinh et al., *Density Estimation Using Real NVP*, 2017, section 4.1 and appendix;
    there with batch and weight norms.
    """

    def __init__(self, channels: int, out: int, hidden: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, hidden, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(hidden, hidden, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(hidden, hidden, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.leave = nn.Sequential(nn.ReLU(), _zeroed(nn.Conv2d(hidden, out, 3, padding=1)))

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out height width"]:
        """Raw scales and shifts."""
        h = self.enter(_channels_last(x))
        for block in self.blocks:
            h = h + block(h)
        return self.leave(h)


class VectorNet(nn.Module):
    """A perceptron with SiLU, to which a context is shown beside the input.

    Args:
        dim: Of the input.
        out: Length of the output.
        hidden: Widths between.
        context_dim: Length of the context, 0 for none.
    """

    def __init__(self, dim: int, out: int, hidden: Sequence[int], *, context_dim: int = 0) -> None:
        super().__init__()
        self.context_dim = context_dim
        widths = [dim + context_dim, *hidden]
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise(widths):
            layers += [nn.Linear(width, following), nn.SiLU()]
        self.layers = nn.Sequential(*layers, _zeroed(nn.Linear(widths[-1], out)))

    def forward(
        self, x: Float[Tensor, "*batch dim"], context: Tensor | None = None
    ) -> Float[Tensor, "*batch out"]:
        """Raw scales and shifts.

        Args:
            x: Vectors, of which the first axis is the context's.
            context: ``(batch, context_dim)``, one for all vectors of an entry.

        Raises:
            ValueError: A context of another length, or none where one is needed.
        """
        if (0 if context is None else context.shape[-1]) != self.context_dim:
            raise ValueError(
                f"the context must be (batch, {self.context_dim}); "
                f"got {None if context is None else tuple(context.shape)}"
            )
        if context is not None:
            shape = (len(context), *[1] * (x.ndim - 2), self.context_dim)
            x = torch.cat([x, context.view(shape).expand(*x.shape[:-1], -1)], -1)
        return self.layers(x)


def _zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _channels_last(x: Tensor) -> Tensor:
    # The order in memory that convolutions of few channels run fastest in: twice as fast on a CPU.
    return x.contiguous(memory_format=torch.channels_last)
