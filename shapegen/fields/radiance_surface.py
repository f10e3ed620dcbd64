"""Radiance fields as densities with colours, and their surfaces as meshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.fields.field_surface import SurfaceOptions
from shapegen.fields.meshes import Meshes

if TYPE_CHECKING:
    from shapegen.fields.radiance import RadianceFields


@dataclass(frozen=True, eq=False)
class OneField:
    """A :class:`shapegen.fields.density.DensityField` of one radiance field, z up."""

    fields: RadianceFields
    """A batch of one."""

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The cube about the origin that holds all that cameras can see of the object."""
        reach = self.fields.cameras.reach
        return torch.tensor([[-reach] * 3, [reach] * 3])

    @property
    def spacing(self) -> float:
        """How far the samples of a ray through the middle are apart."""
        return self.fields.cameras.depth_of_view / self.fields.sampling.samples

    @torch.no_grad()
    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Densities, at least 0."""
        found, parts = self.fields.densities(), points.split(self._chunk)
        return torch.cat([found(part).cpu() for part in parts])

    @torch.no_grad()
    def color(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Colours as they are seen by who looks at the origin."""
        found = self.fields.network.field(self.fields.codes[0])
        colors = []
        for part in points.to(self.fields.codes).split(self._chunk):
            inward = -part / part.norm(dim=1, keepdim=True).clamp_min(1e-9)
            colors.append(found(part[:, None], inward)[1][:, 0].clamp(0, 1).cpu())
        return torch.cat(colors)

    @property
    def _chunk(self) -> int:
        """Points at once: as many as are when the field is rendered."""
        return self.fields.sampling.points(self.fields.codes.device)


def field_meshes(fields: RadianceFields, options: SurfaceOptions | None = None) -> Meshes:
    """The surface of every field, y up, front +z.

    Raises:
        ValueError: A field with no density above the level; the message says which were met.
    """
    return Meshes.of_fields([OneField(each) for each in fields], options, z_up=True)
