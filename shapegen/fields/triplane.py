r"""A radiance field on three planes, which a code fills: cheap at a point, dear once a shape.

.. math:: f(x, y, z) = (P_{xy}(x, y),\; P_{xz}(x, z),\; P_{yz}(y, z))

are values read between the nodes of three grids, and a perceptron of one hidden layer makes a
density and a colour of them. The grids are linear in what a small mapping makes of the code's
first part, the shape: a coarse share, and half as much of a fine one. The second part, the
appearance, changes the weights from the hidden layer to the colour: every feature of a place has
another colour in another appearance, at no cost a point, and **density knows the shape alone**.

References: Chan et al., *Efficient Geometry-aware 3D Generative Adversarial Networks*, 2022,
section 3.2 (the planes), https://arxiv.org/abs/2112.07945; Skorokhodov et al., *EpiGRAF*, 2022
(planes and patches, without a network that enlarges pictures).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.gan_nets import SLOPE
from shapegen.fields.graf_networks import (
    Densities,
    DensityKind,
    as_color,
    as_density,
    channels,
    encoded,
)
from shapegen.fields.rendering import Field

_AXES = ([0, 1], [0, 2], [1, 2])
"""What of (x, y, z) the columns and the rows of every plane are."""
_FINE = 0.5
"""Of the fine grids; the coarse ones count whole: large shapes are learnt first."""


@dataclass(frozen=True)
class TriplaneSizes:
    """Sizes of a field on planes."""

    channels: int = 8
    """Of every plane."""
    coarse: int = 8
    """Nodes along a side of the coarse grids."""
    fine: int = 28
    """Of the fine ones, which the coarse ones are enlarged to."""
    mapping: int = 128
    """Width of both layers between the code and the grids."""
    decoder: int = 32
    """Width of the layer between the planes and a density and a colour."""

    def __post_init__(self) -> None:
        for name in ("channels", "mapping", "decoder"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
        if not 2 <= self.coarse <= self.fine:
            raise ValueError(
                f"nodes must be 2 <= coarse <= fine; got coarse {self.coarse}, fine {self.fine}"
            )


class TriplaneField(nn.Module):
    """Planes of a code, and a perceptron from them to a density and a colour.

    Args:
        sizes: Of the planes and the layers.
        reach: Half the side of the cube about the origin that the planes span; outside of it they
            are what they are at its border.
        view_frequencies: Of the direction's encoding; None: colour is the same from everywhere.
        shape_dim: Length of the code's first part.
        appearance_dim: Length of its second.
        white_cap: Whitest colour, 1 or less; see
            :func:`~shapegen.fields.graf_networks.as_color`.
        density: How an output becomes a density; see
            :func:`~shapegen.fields.graf_networks.as_density`.
    """

    def __init__(
        self,
        sizes: TriplaneSizes,
        *,
        reach: float,
        view_frequencies: int | None,
        shape_dim: int,
        appearance_dim: int,
        white_cap: float = 1.0,
        density: DensityKind = "softplus",
    ) -> None:
        super().__init__()
        self.sizes, self.reach, self.view_frequencies = sizes, reach, view_frequencies
        self.code_dims = (shape_dim, appearance_dim)
        self.white_cap, self.density_kind = white_cap, density
        self.mapping = nn.Sequential(
            nn.Linear(shape_dim, sizes.mapping),
            nn.LeakyReLU(SLOPE),
            nn.Linear(sizes.mapping, sizes.mapping),
            nn.LeakyReLU(SLOPE),
        )
        planes = 3 * sizes.channels
        self.coarse = nn.Linear(sizes.mapping, planes * sizes.coarse**2)
        self.fine = nn.Linear(sizes.mapping, planes * sizes.fine**2)
        self.hidden = nn.Linear(planes, sizes.decoder)
        seen = 0 if view_frequencies is None else channels(view_frequencies)
        self.view_dim = seen + appearance_dim
        if self.view_dim:
            self.view = nn.Linear(self.view_dim, 3 * (sizes.decoder + 1), bias=False)
        self.density = nn.Linear(sizes.decoder, 1)
        self.color = nn.Linear(sizes.decoder, 3)

    def planes(self, shape: Float[Tensor, "n shape"]) -> Float[Tensor, "n 3 channels fine fine"]:
        """The planes of shapes' codes: (x, y), (x, z) and (y, z), the first along the columns.

        The outermost nodes lie on the border of the cube.
        """
        # Codes of N(0, 1) are near a sphere: their lengths say nothing.
        length = shape.square().mean(1, keepdim=True).add(1e-8).sqrt()
        styles = self.mapping(shape / length)
        sizes, count = self.sizes, len(shape)
        coarse = self.coarse(styles).view(count, -1, sizes.coarse, sizes.coarse)
        fine = self.fine(styles).view(count, -1, sizes.fine, sizes.fine)
        size = (sizes.fine, sizes.fine)
        wide = functional.interpolate(coarse, size, mode="bilinear", align_corners=True)
        return (wide + _FINE * fine).view(count, 3, sizes.channels, *size)

    def field(
        self, codes: Float[Tensor, "*shapes latent"], dtype: torch.dtype | None = None
    ) -> Field:
        """The field of a code, or the fields of several; the planes are made once.

        Args:
            codes: One ``(latent)``, or several ``(n, latent)``, for points ``(n, rays, samples,
                3)``.
            dtype: Precision of the perceptron's products, where it is not that of the weights.
        """
        shape, appearance = codes.view(-1, codes.shape[-1]).split(self.code_dims, -1)
        hidden = self._hidden(shape, dtype)

        def field(points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
            features = hidden(points)
            weight, bias = self._heads(appearance, directions)
            groups = weight.shape[1]
            parts = features.unflatten(2, (groups, -1)).transpose(1, 2).flatten(0, 1)
            raw = _product(parts, weight.flatten(0, 1), bias.flatten(0, 1))  # (n groups, 4, part)
            raw = raw.transpose(1, 2).reshape(*points.shape[:-1], 4).to(points.dtype)
            return self.as_density(raw[..., 0]), as_color(raw[..., 1:], self.white_cap)

        return field

    def densities(
        self, codes: Float[Tensor, "latent"], dtype: torch.dtype | None = None
    ) -> Densities:
        """The densities of a code alone, of which neither directions nor colours are asked."""
        hidden = self._hidden(codes[None, : self.code_dims[0]], dtype)
        head = (self.density.weight[None], self.density.bias[None])

        def densities(points: Tensor) -> Tensor:
            found = _product(hidden(points), *head).reshape(points.shape[:-1])
            return self.as_density(found.to(points.dtype)).relu()

        return densities

    def as_density(self, outputs: Tensor) -> Tensor:
        """Densities, those below 0 counting as 0, of the network's outputs."""
        return as_density(outputs, self.density_kind)

    def _hidden(self, shape: Tensor, dtype: torch.dtype | None) -> Callable[[Tensor], Tensor]:
        """What the hidden layer makes of points, ``(n, decoder, points)``."""
        planes = self.planes(shape)
        weight = self.hidden.weight.expand(len(planes), -1, -1)
        bias = self.hidden.bias.expand(len(planes), -1)

        def hidden(points: Tensor) -> Tensor:
            found = read(planes, points.reshape(len(planes), -1, 3) / self.reach)
            return _product(found if dtype is None else found.to(dtype), weight, bias).relu_()

        return hidden

    def _heads(self, appearance: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Weights ``(n, groups, 4, decoder)`` and bias of the last layer, a shape's or a ray's."""
        told = appearance[:, None]
        if self.view_frequencies is not None:
            seen = encoded(directions.reshape(len(told), -1, 3), self.view_frequencies)
            told = torch.cat([seen, told.expand(-1, seen.shape[1], -1)], -1)
        weight = torch.cat([self.density.weight, self.color.weight])
        bias = torch.cat([self.density.bias, self.color.bias])
        joint = torch.cat([weight, bias[:, None]], 1).expand(*told.shape[:-1], -1, -1)
        if self.view_dim:
            # Small at first beside the weights: else colours vary more than the data's, which
            # passes for variety, and shapes do not.
            change = (self.view(told) / self.sizes.decoder).unflatten(-1, (3, -1))
            joint = joint + functional.pad(change, (0, 0, 1, 0))
        return joint[..., :-1], joint[..., -1]


def read(
    planes: Float[Tensor, "n 3 c size size"], points: Float[Tensor, "n points 3"]
) -> Float[Tensor, "n channels points"]:
    """What planes have at points: between nodes linearly in both directions, side by side.

    Args:
        planes: (x, y), (x, z) and (y, z), the first along the columns.
        points: In the cube of -1 to 1, on whose border the outermost nodes are; what is outside
            of it is as its border.
    """
    places = torch.stack([points[..., axes] for axes in _AXES], 1)  # (n, 3, points, 2)
    found = functional.grid_sample(
        planes.flatten(0, 1),
        places.flatten(0, 1)[:, :, None],
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )
    return found.view(len(planes), -1, points.shape[1])


def _product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A layer ``(n, out, in)`` over channels ``(n, in, points)``, in their precision."""
    return torch.baddbmm(bias.to(x.dtype)[..., None], weight.to(x.dtype), x)
