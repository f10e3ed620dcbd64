"""What a viewer draws of an arrangement, in arrays: one mesh of boxes, pieces, lines, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.scene import Mesh, Node, Points, Primitive, face_colors, part_mesh
from shapegen.view.arrangement import Arrangement, Arranger

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Piece:
    """Something that is no box, where it belongs and how it looks."""

    number: int
    node: Node
    """With what it draws now."""
    offset: Float
    """``(3,)``: how far it is moved."""
    shade: Float | None
    """``(3,)``: one colour for all of it; None: its own."""

    @property
    def primitive(self) -> Primitive:
        """What it draws."""
        assert self.node.primitive is not None
        return self.node.primitive

    def looks_like(self, other: Piece | None) -> bool:
        """Whether the other one, moved, can stand for it."""
        if other is None or other.primitive is not self.primitive:
            return False
        if self.shade is None or other.shade is None:
            return self.shade is other.shade
        return bool((self.shade == other.shade).all())

    def mesh(self) -> Mesh:
        """Boxes and meshes as triangles with a colour a face."""
        mesh = part_mesh(self.node)
        colors = face_colors(mesh, self.node)
        if self.shade is not None:
            colors = np.tile(self.shade, (len(mesh.faces), 1))
        return replace(mesh, face_colors=colors)

    def cloud(self) -> Points:
        """Points with a colour each."""
        cloud = self.primitive
        assert isinstance(cloud, Points)
        if self.shade is None and cloud.colors is not None:
            return cloud
        color = self.node.color if self.shade is None else self.shade
        return replace(cloud, colors=np.tile(color, (len(cloud.positions), 1)))


def pieces(arranger: Arranger, arrangement: Arrangement, *, own_colors: bool) -> Iterator[Piece]:
    """All that are no boxes.

    Args:
        arranger: Of the walk.
        arrangement: What is drawn of it.
        own_colors: Whether what stands for itself keeps the colours of its points and faces.
    """
    for number, primitive, offset in arrangement.others:
        own = own_colors and arrangement.owners[number] == number
        node = replace(arranger.nodes[number], primitive=primitive)
        yield Piece(number, node, offset, None if own else arrangement.colors[number])


def box_mesh(arrangement: Arrangement) -> Mesh:
    """All boxes as one mesh with a colour a face."""
    vertices, faces = box_algebra.mesh(arrangement.rows())
    return Mesh(
        vertices, faces, face_colors=np.repeat(arrangement.colors[arrangement.shown], 12, axis=0)
    )


def labels(arranger: Arranger, arrangement: Arrangement) -> list[tuple[str, Float]]:
    """Label, or name, and place of every part that is drawn under its own name."""
    drawn = arrangement.shown.copy()
    for number, _, _ in arrangement.others:
        drawn[arrangement.owners[number]] = True
    return [
        (label_of(arranger.nodes[number]), arrangement.centers[number])
        for number in np.flatnonzero(drawn & arrangement.there).tolist()
    ]


def label_of(node: Node) -> str:
    """What a part is called in a picture."""
    return str(node.extras.get("label") or node.name)
