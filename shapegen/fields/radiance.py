"""Radiance fields: the container that models of fields give, and pictures of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from shapegen.fields.camera_setting import CameraSetting
from shapegen.fields.rendering import Field, Rendered, Sampling, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shapegen.fields.field_surface import SurfaceOptions
    from shapegen.fields.meshes import Meshes
    from shapegen.fields.skipping import Occupancy
    from shapegen.scene import Scene


class Network(Protocol):
    """What makes fields of codes."""

    def field(self, codes: Tensor, dtype: torch.dtype | None = None) -> Field:
        """The field of a code ``(latent)``, or the fields of several ``(n, latent)``."""
        ...

    def densities(
        self, codes: Tensor, dtype: torch.dtype | None = None
    ) -> Callable[[Tensor], Tensor]:
        """Of one code: densities ``(...)`` of points ``(..., 3)``."""
        ...


@dataclass(frozen=True, eq=False)
class Views:
    """Pictures of fields, on the CPU."""

    pixels: Tensor
    """``(n, 3, size, size)`` in [-1, 1]."""
    opacity: Tensor
    """``(n, 1, size, size)`` in 0 to 1."""
    depth: Tensor
    """``(n, 1, size, size)``: mean depth of what is seen times the opacity."""

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def bytes(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Pixels ``(n, size, size, 3)`` from 0 to 255."""
        levels = ((self.pixels + 1) * 127.5).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).numpy()


@dataclass(frozen=True, eq=False)
class RadianceFields:
    """A batch of fields, each with a pose that it is looked at from.

    Fields are functions of their codes and the network that made them: if that is trained on, they
    change. The object is at the origin and z is up.
    """

    codes: Tensor
    """``(n, latent)``."""
    poses: Tensor
    """Camera-to-world ``(n, 4, 4)``, one a field."""
    network: Network
    cameras: CameraSetting
    size: int
    """Height and width of pictures, where no other is asked for."""
    sampling: Sampling
    corner: bool = False
    """The original's cameras; see :func:`shapegen.fields.cameras.pinhole`."""
    _grids: dict[int, Occupancy] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.poses):
            raise ValueError(
                f"poses must be one a field ({len(self.codes)}); got {len(self.poses)}"
            )

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> RadianceFields:
        """Some of the fields; one by its number is a batch of one."""
        if isinstance(index, slice):
            numbers = list(range(*index.indices(len(self))))
        else:
            numbers = np.atleast_1d(np.asarray(index, dtype=np.int64)).tolist()
        return replace(self, codes=self.codes[numbers], poses=self.poses[numbers], _grids={})

    def __iter__(self) -> Iterator[RadianceFields]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"RadianceFields({len(self)} of codes of {self.codes.shape[1]})"

    @torch.no_grad()
    def render(
        self,
        poses: Tensor | None = None,
        size: int | None = None,
        *,
        tolerance: float = 0.0,
        dtype: torch.dtype | None = None,
    ) -> Views:
        """Take pictures.

        Args:
            poses: Camera-to-world ``(4, 4)`` for all fields, or ``(n, 4, 4)``, one a field or,
                of a single field, one a picture; None: each from its own.
            size: Height and width; None: :attr:`size`.
            tolerance: Largest error of a colour in 0 to 1 that may buy speed, as
                :mod:`shapegen.fields.skipping` states it; 0: none is made.
            dtype: Precision of the network's products; ``torch.bfloat16`` is faster where there
                are instructions for it, and off by about .01.

        Raises:
            ValueError: Poses of another shape or number, not finite, or sizes below 1.
        """
        poses = self._poses(poses)
        lens = self.cameras.lens(self.size if size is None else size, corner=self.corner)
        rays = self.cameras.image_rays(poses, lens)
        # A field is made once, however many pictures of it are taken.
        alone = self.network.field(self.codes[0], dtype) if len(self) == 1 else None
        found = []
        for number in range(len(poses)):
            own = number if len(self) > 1 else 0
            code, some = self.codes[own], rays.of(number)
            if tolerance:
                found.append(self._quickly(own, code, some, tolerance, dtype))
            else:
                shown = render(alone or self.network.field(code, dtype), some, self.sampling)
                # Weights of samples are as large as everything else together.
                found.append((shown.rgb, shown.opacity, shown.depth))
        rgb, opacity, depth = (torch.stack(each) for each in zip(*found, strict=True))
        shape = (len(poses), lens.size, lens.size)
        return Views(
            (2 * rgb.clamp(0, 1) - 1).view(*shape, 3).permute(0, 3, 1, 2).float().cpu(),
            opacity.view(shape)[:, None].float().cpu(),
            depth.view(shape)[:, None].float().cpu(),
        )

    def turntable(self, count: int, size: int | None = None, **options: Any) -> Views:
        """Pictures of one field from all around, as far as the cameras go.

        Args:
            count: Of the pictures.
            size: As for :meth:`render`.
            **options: The same.

        Raises:
            ValueError: Several fields.
        """
        if len(self) != 1:
            raise ValueError(f"a turntable is of one field; got {len(self)}: give fields[i]")
        poses = self.cameras.viewpoints.turned(count, like=self.codes)
        return self.render(poses, size, **options)

    def densities(self) -> Callable[[Tensor], Tensor]:
        """Density of points ``(..., 3)`` of a single field, at least 0, without gradients.

        All that is dense is in the cube of ``cameras.reach`` about the origin, and in
        ``cameras.sphere`` if there is one: where no camera looks nothing was ever learnt.

        Raises:
            ValueError: Several fields.
        """
        if len(self) != 1:
            raise ValueError(f"densities are of one field; got {len(self)}: give fields[i]")
        found, radius = self.network.densities(self.codes[0]), self.cameras.sphere

        @torch.no_grad()
        def densities(points: Tensor) -> Tensor:
            there = points.to(self.codes)
            dense = found(there)
            return dense if radius is None else dense * (there.norm(dim=-1) <= radius)

        return densities

    def to_meshes(self, options: SurfaceOptions | None = None) -> Meshes:
        """The surface of every field as a coloured mesh, y up.

        Args:
            options: Resolution, level of density and more; default: those of the class.

        Raises:
            ValueError: A field without a surface; the message says what densities were met.
        """
        from shapegen.fields.radiance_surface import field_meshes

        return field_meshes(self, options)

    def mesh(self, **options: Any) -> Meshes:
        """The same, with the fields of :class:`shapegen.fields.field_surface.SurfaceOptions`."""
        from shapegen.fields.field_surface import SurfaceOptions

        return self.to_meshes(SurfaceOptions(**options))

    def to_scene(self) -> Scene:
        """A picture of every field, from its own pose."""
        from shapegen.fields.radiance_files import fields_scene

        return fields_scene(self)

    def _repr_html_(self) -> str:
        """What a notebook displays: a picture of every field."""
        from shapegen.formats.html import notebook_html

        return notebook_html(self)

    def write(self, path: str | Path) -> None:
        """Write pictures; the extension says the format, and a folder gets a file a field."""
        from shapegen.fields.radiance_files import write_fields

        write_fields(self, path)

    def _poses(self, poses: Tensor | None) -> Tensor:
        if poses is None:
            return self.poses
        given = torch.as_tensor(poses).to(self.codes)
        if given.shape == (4, 4):
            given = given.expand(len(self), 4, 4)
        counts = {len(self)} if len(self) > 1 else {len(given)}
        if given.ndim != 3 or given.shape[1:] != (4, 4) or len(given) not in counts:
            raise ValueError(
                f"poses must be (4, 4), or ({len(self)}, 4, 4) of {len(self)} fields; "
                f"got {tuple(given.shape)}"
            )
        if not len(given) or not bool(torch.isfinite(given).all()):
            raise ValueError("poses must be at least one, of finite numbers")
        return given

    def _quickly(
        self, own: int, code: Tensor, rays: Any, tolerance: float, dtype: torch.dtype | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        from shapegen.fields.skipping import Occupancy, render_quickly

        if own not in self._grids:
            densities = self.network.densities(code, dtype)
            self._grids[own] = Occupancy.of(
                densities,
                self.cameras.reach,
                like=code,
                sphere=self.cameras.sphere,
                chunk=self.sampling.points(code.device),
            )
        shown: Rendered = render_quickly(
            self.network.field(code, dtype),
            rays,
            self.sampling,
            self._grids[own],
            tolerance=tolerance,
        )
        return shown.rgb, shown.opacity, shown.depth
