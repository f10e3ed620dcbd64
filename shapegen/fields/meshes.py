"""Meshes: the container of surfaces with colours and normals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from shapegen.core.frames import to_y_up
from shapegen.fields.density import DensityField
from shapegen.fields.field_surface import SurfaceOptions, field_surface, largest_share
from shapegen.formats import SCENE_EXTENSIONS, write_scene
from shapegen.formats.folders import write_batch
from shapegen.scene import Colour, Mesh, Node, Scene, side_by_side

if TYPE_CHECKING:
    import trimesh

COLOR: Colour = (0.7, 0.7, 0.7)
"""Of what has no colours."""


class Meshes(Sequence["trimesh.Trimesh"]):
    """A batch of surfaces, y up, front +z."""

    meshes: tuple[Mesh, ...]
    names: tuple[str, ...]
    """The source's id of every mesh; empty text where there is none."""

    def __init__(self, meshes: Iterable[Mesh], names: Sequence[str] = ()) -> None:
        """Take meshes over.

        Args:
            meshes: Each with at least one triangle.
            names: One a mesh, or none.

        Raises:
            ValueError: A mesh without triangles, or not one name a mesh.
        """
        self.meshes = tuple(meshes)
        self.names = tuple(names) or ("",) * len(self.meshes)
        if len(self.names) != len(self.meshes):
            raise ValueError(
                f"names must be one a mesh ({len(self.meshes)}) or none; got {len(self.names)}"
            )
        for number, mesh in enumerate(self.meshes):
            if not len(mesh.faces):
                raise ValueError(f"a mesh needs at least one triangle; number {number} has none")

    @classmethod
    def of_fields(
        cls,
        fields: Iterable[DensityField],
        options: SurfaceOptions | None = None,
        *,
        z_up: bool = False,
        names: Sequence[str] = (),
    ) -> Meshes:
        """The surfaces of fields.

        Args:
            fields: At least one.
            options: How surfaces are found.
            z_up: The fields are z up, as radiance fields are: the meshes are turned.
            names: One a field, or none.

        Raises:
            ValueError: A field without a surface; the message names it.
        """
        found = []
        for number, field in enumerate(fields):
            try:
                mesh = field_surface(field, options)
            except ValueError as error:
                raise ValueError(f"shape {number}: {error}") from None
            found.append(_turned(mesh) if z_up else mesh)
        return cls(found, names)

    @classmethod
    def join(cls, batches: Sequence[Meshes]) -> Meshes:
        """One batch from several."""
        return cls(
            [mesh for batch in batches for mesh in batch.meshes],
            [name for batch in batches for name in batch.names],
        )

    def watertight(self) -> list[bool]:
        """Of every mesh, whether each edge has exactly two triangles: it encloses a volume."""
        return [bool(mesh.is_watertight) for mesh in self]

    def largest_shares(self) -> list[float]:
        """Of every mesh, the share of its area that its largest connected piece has."""
        return [largest_share(mesh.vertices, mesh.faces) for mesh in self.meshes]

    def __len__(self) -> int:
        return len(self.meshes)

    @overload
    def __getitem__(self, index: int) -> trimesh.Trimesh: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int]) -> Meshes: ...

    def __getitem__(self, index: int | slice | Sequence[int]) -> trimesh.Trimesh | Meshes:
        if isinstance(index, int | np.integer):
            return _trimesh(self.meshes[index])
        if isinstance(index, slice):
            numbers = list(range(*index.indices(len(self))))
        else:
            numbers = np.asarray(index, dtype=np.int64).tolist()
        return Meshes([self.meshes[i] for i in numbers], [self.names[i] for i in numbers])

    def __iter__(self) -> Iterator[trimesh.Trimesh]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        faces = [len(mesh.faces) for mesh in self.meshes]
        return f"Meshes({len(self)} of {min(faces, default=0)} to {max(faces, default=0)} faces)"

    def to_scene(self) -> Scene:
        """A node a mesh; several stand side by side on the ground.

        Raises:
            ValueError: There are no meshes.
        """
        if not self.meshes:
            raise ValueError("a scene needs at least one mesh; got none")
        alone = len(self) == 1
        return side_by_side(
            [
                Scene(
                    (
                        Node(
                            name="mesh" if alone else f"mesh_{number}",
                            primitive=mesh,
                            color=COLOR,
                            extras={"name": name} if name else {},
                        ),
                    )
                )
                for number, (mesh, name) in enumerate(
                    zip(self.meshes, self.names, strict=True), start=1
                )
            ]
        )

    def _repr_html_(self) -> str:
        """What a notebook displays: the surfaces to turn."""
        from shapegen.formats.html import notebook_html

        return notebook_html(self)

    def write(self, path: str | Path) -> None:
        """Write one file, or one a mesh into a folder: whatever a scene is written as."""
        write_batch(
            self,
            path,
            _write_file,
            kinds=SCENE_EXTENSIONS,
            extension=".glb",
            what="mesh",
        )


def _write_file(meshes: Meshes, path: Path, _kind: str) -> None:
    write_scene(meshes.to_scene(), path)


def _turned(mesh: Mesh) -> Mesh:
    normals = None if mesh.vertex_normals is None else to_y_up(mesh.vertex_normals)
    return replace(mesh, vertices=to_y_up(mesh.vertices), vertex_normals=normals)


def _trimesh(mesh: Mesh) -> Any:
    import trimesh

    colors: dict[str, Any] = {}
    for name in ("vertex_colors", "face_colors"):
        values = getattr(mesh, name)
        if values is not None:
            colors[name] = np.rint(255 * values).astype(np.uint8)
    return trimesh.Trimesh(
        mesh.vertices, mesh.faces, vertex_normals=mesh.vertex_normals, process=False, **colors
    )
