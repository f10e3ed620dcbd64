"""From features of all pixels before one to the distribution of each of its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.likelihoods import (
    LEVELS,
    BlackOrWhite,
    LogisticMixture,
    PixelDistribution,
    levels_of,
    pixels_of,
)

Head = Literal["bernoulli", "categorical", "logistic"]
MIN_LOG_SCALE = -7.0
"""Of a logistic: a ninth of an 8-bit level's half width."""


@dataclass(frozen=True)
class AnyLevel:
    """Pixels at one of several levels, none nearer to another."""

    logits: Float[Tensor, "*shape levels"]

    def log_prob(self, pixels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Log-probability of the level that every pixel in -1 to 1 is at, in nats."""
        number = levels_of(pixels, self.logits.shape[-1])[..., None]
        return self.logits.log_softmax(-1).gather(-1, number)[..., 0]

    def sample(self, *, rng: torch.Generator | None = None) -> Float[Tensor, "*shape"]:
        """Draw pixels, at their levels."""
        device = self.logits.device if rng is None else rng.device
        levels = self.logits.shape[-1]
        shares = self.logits.softmax(-1).reshape(-1, levels).to(device)
        number = torch.multinomial(shares, 1, generator=rng).to(self.logits.device)
        return pixels_of(number.view(self.logits.shape[:-1]), levels).to(self.logits)


class AutoregressiveHead(nn.Module):
    r"""Two pointwise layers; a channel also sees the channels before it of its own pixel.

    .. math:: p(x_{ic} \mid x_{<i}, x_{i,<c}) \text{ from }
              V_c\,\mathrm{relu}(W_c\,\mathrm{relu}(f_i) + U_c\,x_{i,<c} + b_c) + a_c

    The paper's masks divide all features among the colours instead; here the features are
    shared, which costs a colour image no wider network.

    Reference: van den Oord, Kalchbrenner and Kavukcuoglu, *Pixel Recurrent Neural Networks*, 2016,
    section 3.4 and figure 2, https://arxiv.org/abs/1601.06759.

    Args:
        features: Of a pixel.
        hidden_dim: Of a channel's hidden layer.
        channels: Of a pixel: 1, or 3 in the order red, green, blue.
        kind: Of distribution.
        levels: Of the values between -1 and 1; those of ``bernoulli`` are 2.
        mixtures: Logistics of a mixture.
    """

    def __init__(
        self,
        features: int,
        hidden_dim: int,
        channels: int,
        *,
        kind: Head,
        levels: int = LEVELS,
        mixtures: int = 5,
    ) -> None:
        super().__init__()
        self.channels, self.kind, self.levels = channels, kind, levels
        numbers = {"bernoulli": 1, "categorical": levels, "logistic": 3 * mixtures}[kind]
        self.hidden = nn.Conv2d(features, channels * hidden_dim, 1)
        self.output = nn.Conv2d(channels * hidden_dim, channels * numbers, 1, groups=channels)
        # One column of weights for each pair of a channel and one before it.
        self.known = nn.ModuleList(
            nn.Conv2d(channel, hidden_dim, 1, bias=False) for channel in range(1, channels)
        )
        if kind == "logistic":
            with torch.no_grad():
                # Spread from black to white: equal components would stay equal.
                assert self.output.bias is not None
                bias = self.output.bias.view(channels, 3, mixtures)
                bias[:, 1] = torch.linspace(-1, 1, mixtures + 2)[1:-1]
                bias[:, 2] = -1

    def forward(
        self,
        features: Float[Tensor, "batch features height width"],
        pixels: Float[Tensor, "batch channels height width"],
    ) -> Float[Tensor, "batch channels height width numbers"]:
        """Numbers that state the distribution of every channel of every pixel.

        Args:
            features: Of what comes before a pixel.
            pixels: The image itself, of which a channel sees those before it.
        """
        hidden = self.hidden(features.relu())
        if self.channels > 1:
            first, *others = hidden.chunk(self.channels, 1)
            more = [
                other + known(pixels[:, : number + 1])
                for number, (other, known) in enumerate(zip(others, self.known, strict=True))
            ]
            hidden = torch.cat([first, *more], 1)
        out = self.output(hidden.relu())
        return out.unflatten(1, (self.channels, -1)).permute(0, 1, 3, 4, 2)  # (B, C, H, W, P)

    def channel(
        self,
        features: Float[Tensor, "batch features"],
        known: Float[Tensor, "batch before"],
    ) -> Float[Tensor, "batch numbers"]:
        """The same for one channel of one pixel: the first that is not known.

        Args:
            features: Of what comes before the pixel.
            known: Its channels before this one.
        """
        number = known.shape[1]
        weight, bias = _part(self.hidden, number, self.channels)
        hidden = functional.linear(features.relu(), weight, bias)
        if number:
            hidden = hidden + functional.linear(
                known, self.known[number - 1].get_parameter("weight").flatten(1)
            )
        return functional.linear(hidden.relu(), *_part(self.output, number, self.channels))

    def distribution(self, numbers: Float[Tensor, "*shape numbers"]) -> PixelDistribution:
        """What the numbers say, in single precision or better."""
        numbers = numbers if numbers.dtype == torch.float64 else numbers.float()
        if self.kind == "bernoulli":
            return BlackOrWhite(numbers[..., 0])
        if self.kind == "categorical":
            return AnyLevel(numbers)
        logits, mean, log_scale = numbers.chunk(3, -1)
        return LogisticMixture(logits, mean, log_scale.clamp(min=MIN_LOG_SCALE), self.levels)


def _part(layer: nn.Conv2d, number: int, parts: int) -> tuple[Tensor, Tensor]:
    """Weight and bias of one channel's outputs of a pointwise layer."""
    assert layer.bias is not None
    return layer.weight.chunk(parts)[number].flatten(1), layer.bias.chunk(parts)[number]
