r"""A radiance field on three planes, which a code fills: cheap at a point, dear once a shape.

.. math:: f(x, y, z) = (P_{xy}(x, y),\; P_{xz}(x, z),\; P_{yz}(y, z))

are values read between the nodes of three grids, and a perceptron of one hidden layer makes a
density and a colour of them. The grids are linear in what a small mapping makes of the code's
first part, the shape: a coarse share, and half as much of a fine one. The second part, the
appearance, shifts the hidden layer for the colours alone: **density knows the shape alone**.

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
        color_cap: Largest colour, 1 or less.
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
        color_cap: float = 1.0,
        density: DensityKind = "softplus",
    ) -> None:
        super().__init__()
        self.sizes, self.reach, self.view_frequencies = sizes, reach, view_frequencies
        self.code_dims = (shape_dim, appearance_dim)
        self.color_cap, self.density_kind = color_cap, density
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
            self.view = nn.Linear(self.view_dim, sizes.decoder, bias=False)
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
            before = hidden(points)  # (n, decoder, points)
            density = _product(self.density, before.relu())
            if self.view_dim:
                shift = self._shift(appearance, directions, before.dtype)  # (n, decoder, rays)
                rays = before.unflatten(2, (-1, points.shape[-2]))
                before = (rays + shift[..., None]).flatten(2)
            rgb = _product(self.color, before.relu()).transpose(1, 2).reshape(points.shape)
            rgb = self.color_cap * rgb.to(points.dtype).sigmoid()
            return self.as_density(density.reshape(points.shape[:-1]).to(points.dtype)), rgb

        return field

    def densities(
        self, codes: Float[Tensor, "latent"], dtype: torch.dtype | None = None
    ) -> Densities:
        """The densities of a code alone, of which neither directions nor colours are asked."""
        hidden = self._hidden(codes[None, : self.code_dims[0]], dtype)

        def densities(points: Tensor) -> Tensor:
            found = _product(self.density, hidden(points).relu()).reshape(points.shape[:-1])
            return self.as_density(found.to(points.dtype)).relu()

        return densities

    def as_density(self, outputs: Tensor) -> Tensor:
        """Densities, those below 0 counting as 0, of the network's outputs."""
        return as_density(outputs, self.density_kind)

    def _hidden(self, shape: Tensor, dtype: torch.dtype | None) -> Callable[[Tensor], Tensor]:
        """Of points, ``(n, decoder, points)`` before the rectifier."""
        planes = self.planes(shape)

        def hidden(points: Tensor) -> Tensor:
            features = read(planes, points.reshape(len(planes), -1, 3) / self.reach)
            return _product(self.hidden, features if dtype is None else features.to(dtype))

        return hidden

    def _shift(self, appearance: Tensor, directions: Tensor, dtype: torch.dtype) -> Tensor:
        """What the appearance and the directions add for the colours, ``(n, decoder, rays)``."""
        rays = directions.reshape(len(appearance), -1, 3)
        told = appearance[:, None].expand(-1, rays.shape[1], -1)
        if self.view_frequencies is not None:
            told = torch.cat([encoded(rays, self.view_frequencies), told], -1)
        return functional.linear(told, self.view.weight).transpose(1, 2).to(dtype)


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


def _product(layer: nn.Linear, x: Tensor) -> Tensor:
    """A layer over channels ``(n, in, points)``, in their precision."""
    weight, bias = layer.weight.to(x.dtype), layer.bias.to(x.dtype)
    return torch.baddbmm(bias[None, :, None], weight.expand(len(x), -1, -1), x)
