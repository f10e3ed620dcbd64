r"""GRAF's generator: a radiance field that is told a code.

The field's position x and the direction d that it is seen in are encoded as

.. math:: \gamma(p) = (p, \sin 2^0 p, \cos 2^0 p, \dots, \sin 2^{L-1} p, \cos 2^{L-1} p)

without a factor of pi; the code's first part, the shape, goes in with the position and its second,
the appearance, with the direction: **density knows the shape alone**.

References: Schwarz, Liao, Niemeyer and Geiger, *GRAF: Generative Radiance Fields for 3D-Aware
Image Synthesis*, 2020, section 3.2 and supplement, https://arxiv.org/abs/2007.02442; Mildenhall et
al., *NeRF*, 2020, sections 4 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.fields.affine import Affine
from shapegen.fields.rendering import Field

DensityKind = Literal["relu", "softplus"]
_DENSITY_SCALE, _DENSITY_SHIFT = 12.0, 2.0
Densities = Callable[[Tensor], Tensor]
"""``densities(points)``: of points ``(..., 3)``, densities ``(...)`` of at least 0."""


def encoded(
    points: Float[Tensor, "*shape 3"], frequencies: int
) -> Float[Tensor, "*shape channels"]:
    """Positions, or directions, and their sines and cosines at doubling frequencies.

    Args:
        points: To encode.
        frequencies: L; with 0 points are only themselves.
    """
    if not frequencies:
        return points
    scale = 2.0 ** torch.arange(frequencies, dtype=points.dtype, device=points.device)
    angles = points[..., None, :] * scale[:, None]  # (*shape, L, 3)
    waves = torch.stack([angles.sin(), angles.cos()], -2).flatten(-3)
    return torch.cat([points, waves], -1)


def channels(frequencies: int) -> int:
    """Numbers that :func:`encoded` makes of a point."""
    return 3 + 6 * frequencies


def as_density(outputs: Float[Tensor, "*shape"], kind: DensityKind) -> Float[Tensor, "*shape"]:
    """Densities, those below 0 counting as 0, of a network's outputs.

    Args:
        outputs: Any numbers.
        kind: ``relu`` leaves it to the renderer, which cuts off what is below 0; ``softplus`` is
            ``12 softplus(x - 2)``, whose gradient never is 0.
    """
    if kind == "relu":
        return outputs
    return _DENSITY_SCALE * functional.softplus(outputs - _DENSITY_SHIFT)


def as_color(
    outputs: Float[Tensor, "*shape 3"], white_cap: float = 1.0
) -> Float[Tensor, "*shape 3"]:
    """Colours in 0 to 1 of a network's outputs, none of them whiter than a limit.

    Args:
        outputs: Any numbers.
        white_cap: Largest that the smallest of the three may be: red, yellow and the like stay
            whole, and white becomes a grey of so much.
    """
    colors = outputs.sigmoid()
    if white_cap == 1:
        return colors
    return colors * (1 - (1 - white_cap) * colors.prod(-1, keepdim=True))


class ConditionalField(nn.Module):
    """A perceptron from a point, a direction and a code to a density and a colour.

    Args:
        depth: Layers of its trunk.
        width: Of each.
        skips: Layers behind which the trunk is shown the position and the shape once more; those
            that no layer of the trunk follows count for nothing.
        frequencies: Of the position's encoding.
        view_frequencies: Of the direction's; None: colour is the same from everywhere.
        shape_dim: Length of the code's first part.
        appearance_dim: Length of its second.
        white_cap: Of :func:`as_color`, 1 or less.
        density: How an output becomes a density; see :func:`as_density`.
    """

    def __init__(
        self,
        *,
        depth: int,
        width: int,
        skips: Sequence[int],
        frequencies: int,
        view_frequencies: int | None,
        shape_dim: int,
        appearance_dim: int,
        white_cap: float = 1.0,
        density: DensityKind = "relu",
    ) -> None:
        super().__init__()
        self.frequencies, self.view_frequencies = frequencies, view_frequencies
        self.code_dims = (shape_dim, appearance_dim)
        self.white_cap, self.density_kind = white_cap, density
        self.skips = tuple(sorted(each for each in skips if each < depth - 1))
        self.position_dim = channels(frequencies) + shape_dim
        seen = 0 if view_frequencies is None else channels(view_frequencies)
        self.view_dim = seen + appearance_dim
        widths = [
            self.position_dim if not number else width + self.position_dim * self._shown(number)
            for number in range(depth)
        ]
        self.trunk = nn.ModuleList(nn.Linear(each, width) for each in widths)
        self.density = nn.Linear(width, 1)
        if self.view_dim:
            self.feature = nn.Linear(width, width)
            self.view = nn.Linear(width + self.view_dim, width // 2)
        self.color = nn.Linear(width // 2 if self.view_dim else width, 3)

    def _shown(self, layer: int) -> bool:
        """Whether a layer of the trunk is shown the position."""
        return layer == 0 or layer - 1 in self.skips

    def forward(
        self, position: Float[Tensor, "*shape p"], view: Float[Tensor, "*shape v"]
    ) -> Float[Tensor, "*shape 4"]:
        """Colours before the logistic function, and densities before :meth:`as_density`.

        This is the network as the paper draws it, everything for every point; what trains and
        renders is :meth:`field`, which gives the same.

        Args:
            position: The encoded position, then the shape code.
            view: The encoded direction, then the appearance code.
        """
        hidden = position
        for number, layer in enumerate(self.trunk):
            if number and self._shown(number):
                hidden = torch.cat([position, hidden], -1)
            hidden = layer(hidden).relu()
        density = self.density(hidden)
        if self.view_dim:
            hidden = self.view(torch.cat([self.feature(hidden), view], -1)).relu()
        return torch.cat([self.color(hidden), density], -1)

    def field(
        self, codes: Float[Tensor, "*shapes latent"], dtype: torch.dtype | None = None
    ) -> Field:
        r"""The field of a code, or the fields of several.

        What a code adds is the same for all points, and what a direction adds for all points of a
        ray, so each is computed once. Where no rectifier is between two layers, they are one:
        :math:`W_v (W_f h + b_f) = (W_v W_f) h + W_v b_f`.

        Args:
            codes: One ``(latent)``, or several ``(n, latent)``, for points ``(n, rays, samples,
                3)``.
            dtype: Precision of the products, where it is not that of the weights.
        """
        shape, appearance = codes.split(self.code_dims, -1)
        trunk = self._trunk(shape, dtype)
        if not self.view_dim:
            weight = torch.cat([self.density.weight, self.color.weight])
            head = Affine(weight, torch.cat([self.density.bias, self.color.bias]), dtype)

            def plain(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
                raw = head(trunk(points)).to(points.dtype)
                return self.as_density(raw[..., 0]), as_color(raw[..., 1:], self.white_cap)

            return plain
        through, seen, told = self._view_weights()
        head = Affine(self.density.weight, self.density.bias, dtype)
        features = Affine(through @ self.feature.weight, through.new_zeros(len(through)), dtype)
        bias = functional.linear(self.feature.bias, through, self.view.bias)
        by_ray = Affine(seen, functional.linear(appearance, told, bias), dtype)
        color = Affine(self.color.weight, self.color.bias, dtype)

        def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
            hidden = trunk(points)
            density = head(hidden)[..., 0].to(points.dtype)
            rays = by_ray(self._directions(directions))[..., None, :]
            rgb = color(features(hidden).add_(rays).relu_())
            return self.as_density(density), as_color(rgb.to(points.dtype), self.white_cap)

        return field

    def densities(
        self, codes: Float[Tensor, "latent"], dtype: torch.dtype | None = None
    ) -> Densities:
        """The densities of a code alone, of which neither directions nor colours are asked."""
        trunk = self._trunk(codes[: self.code_dims[0]], dtype)
        head = Affine(self.density.weight, self.density.bias, dtype)
        return lambda points: self.as_density(head(trunk(points))[..., 0].to(points.dtype)).relu()

    def as_density(self, outputs: Tensor) -> Tensor:
        """Densities, those below 0 counting as 0, of the network's outputs."""
        return as_density(outputs, self.density_kind)

    def _trunk(self, shape: Tensor, dtype: torch.dtype | None) -> Callable[[Tensor], Tensor]:
        layers = []
        parts = [channels(self.frequencies), self.code_dims[0]]
        for number, layer in enumerate(self.trunk):
            assert isinstance(layer, nn.Linear)
            weight: Tensor = layer.weight
            bias: Tensor = layer.bias
            if self._shown(number):
                place, code, before = weight.split([*parts, weight.shape[1] - sum(parts)], 1)
                weight = torch.cat([place, before], 1)
                bias = functional.linear(shape, code, bias)
            layers.append(Affine(weight, bias, dtype, relu=True))

        def trunk(points: Tensor) -> Tensor:
            encoding = encoded(points, self.frequencies).to(dtype or points.dtype)
            hidden = encoding
            for number, layer in enumerate(layers):
                if number and self._shown(number):
                    hidden = torch.cat([encoding, hidden], -1)
                hidden = layer(hidden)
            return hidden

        return trunk

    def _view_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of the features, of the directions and of the appearance."""
        seen = self.view_dim - self.code_dims[1]
        through, directions, told = self.view.weight.split(
            [self.feature.out_features, seen, self.code_dims[1]], 1
        )
        return through, directions, told

    def _directions(self, directions: Tensor) -> Tensor:
        if self.view_frequencies is None:
            return directions[..., :0]
        return encoded(directions, self.view_frequencies)
