"""Files of our own writers as other programs would leave them, and the truth about each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.data.importing import Up, label_of
from shapegen.structures.part_tree import PartTree, RelationKind

Array = NDArray[np.float64]

STYLES = ("nodes", "baked", "tessellated", "instanced", "obj", "obj groups", "one mesh")
"""Parts as moved unit cubes, as meshes in place, as meshes of more triangles in odd frames, as
copies of shared meshes (some mirrored); objects or groups of an OBJ; all parts in one mesh."""

_TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_NAMES = ("{} {}", "{}.{:03d}", "{}_{}", "{} ({})", "{}{}")


@dataclass(frozen=True)
class Case:
    """One sound file."""

    path: Path
    generator: str
    style: str
    truth: PartTree
    """The file's hierarchy with exact boxes, as the generator placed them."""
    boxes: Array
    """Boxes ``(n, 12)`` of its nodes in the place where the import should find them."""


def mangle(
    tree: PartTree, path: Path, generator: str, style: str, up: Up, rng: np.random.Generator
) -> Case:
    """Write a shape as a scene of another program: renamed, re-parented, turned, scaled.

    Args:
        tree: Exact boxes.
        path: Without extension; the style says it.
        generator: Where the shape is from.
        style: One of :data:`STYLES`.
        up: Up axis of the file.
        rng: Decides the rest.
    """
    flat = style in STYLES[4:]
    groups = [n for n in range(1, len(tree)) if not tree.is_leaf[n]]
    # Groups of one kind go together: a row of drawers loses none of its members.
    loose = {label for label in sorted({tree.label[n] for n in groups}) if rng.random() < 0.25}
    kept = regrouped(tree, {n for n in groups if flat or tree.label[n] in loose})
    turn = float(rng.choice([0.0, np.pi / 2, rng.uniform(-np.pi, np.pi)]))
    rotation = trimesh.transformations.rotation_matrix(turn, [0, 1, 0])[:3, :3]
    scale = float(np.exp(rng.uniform(-4, 7)))
    place = scale * rng.uniform(-1, 1, 3)
    motion = np.eye(4)
    motion[:3] = np.column_stack([scale * rotation, place])
    if up == "z":
        motion[:3] = _TO_Z_UP @ motion[:3]
    pattern = _NAMES[rng.integers(len(_NAMES))]
    names = [
        pattern.format(label.rpartition("/")[2].replace("_", " ").title(), number)
        for number, label in enumerate(kept.label)
    ]
    if style.startswith("obj"):
        path = path.with_suffix(".obj")
        _write_obj(kept, path, names, motion, rng, groups=style == "obj groups")
    else:
        path = path.with_suffix(".glb" if style != "one mesh" or rng.random() < 0.5 else ".ply")
        _write_scene(kept, path, names, motion, rng, style)
    moved = kept.transformed(rotation=rotation, scale=scale, translation=place)
    labels = tuple(
        "part" if style == "one mesh" else label_of(label.rpartition("/")[2]) or "part"
        for label in kept.label
    )
    return Case(path, generator, style, replace(kept, label=labels), moved.box)


def regrouped(tree: PartTree, gone: set[int]) -> PartTree:
    """The tree without some of its groups, whose parts go to the group above."""
    kept = [n for n in range(len(tree)) if n not in gone]
    number = {node: place for place, node in enumerate(kept)}
    parent = []
    for node in kept:
        above = int(tree.parent[node])
        while above in gone:
            above = int(tree.parent[above])
        parent.append(number.get(above, -1))
    smaller = PartTree(
        box=tree.box[kept],
        parent=np.array(parent),
        label=tuple(tree.label[n] for n in kept),
        name=tree.name,
    )
    edges = []
    for edge in tree.edges:
        a, b = number.get(edge.a, -1), number.get(edge.b, -1)
        if min(a, b) < 0 or parent[a] != parent[b]:
            continue
        # Among more parts of the kind other symmetries hold as well, and are as right.
        if edge.kind is RelationKind.ADJ or _alike(tree, edge.a) == _alike(smaller, a):
            edges.append(replace(edge, a=a, b=b))
    return replace(smaller, edges=tuple(edges))


def _alike(tree: PartTree, node: int) -> int:
    """Number of siblings, itself included, of a node's kind."""
    siblings = tree.children[int(tree.parent[node])]
    return sum(tree.label[each] == tree.label[node] for each in siblings)


def exported(tree: PartTree, aside: Path) -> list[tuple[trimesh.Trimesh, Array] | None]:
    """Mesh and place of every leaf in the file that our writer makes; None for groups."""
    tree.write(aside)
    scene = trimesh.load_scene(aside, process=False)
    aside.unlink()
    data = scene.graph.transforms.edge_data
    by_id = {int(value["metadata"]["instance"]): end[1] for end, value in data.items()}
    found: list[tuple[trimesh.Trimesh, Array] | None] = []
    for instance in tree.instance.tolist():
        matrix, name = scene.graph.get(by_id[instance])
        found.append(None if name is None else (scene.geometry[name], np.asarray(matrix)))
    return found


def _write_scene(
    tree: PartTree,
    path: Path,
    names: list[str],
    motion: Array,
    rng: np.random.Generator,
    style: str,
) -> None:
    parts = exported(tree, path.with_suffix(".raw.glb"))
    if style == "one mesh":
        meshes = [part[0].copy().apply_transform(motion @ part[1]) for part in parts if part]
        whole = trimesh.util.concatenate([_plain(mesh) for mesh in meshes])
        whole.export(path)
        return
    out = trimesh.Scene()
    out.graph.update(frame_from="world", frame_to="Collection", matrix=motion)
    pivots: dict[int, Array] = {-1: np.eye(4)}
    shared: dict[tuple[float, ...], str] = {}
    for number, part in enumerate(parts):
        parent = int(tree.parent[number])
        above = names[parent] if parent >= 0 else "Collection"
        if part is None:
            pivots[number] = _rigid(rng)
            matrix = np.linalg.inv(pivots[parent]) @ pivots[number]
            out.graph.update(frame_from=above, frame_to=names[number], matrix=matrix)
            continue
        mesh, matrix = _restyled(*part, rng, style)
        geometry = names[number]
        if style == "instanced":
            sides = tuple(np.round(np.ptp(mesh.vertices, axis=0), 9).tolist())
            geometry = shared.setdefault(sides, geometry)
        place: dict[str, Any] = {"frame_from": above, "frame_to": names[number]}
        if geometry not in out.geometry:
            out.add_geometry(mesh, geom_name=geometry, node_name=names[number])
        matrix = np.linalg.inv(pivots[parent]) @ matrix
        out.graph.update(**place, matrix=matrix, geometry=geometry)
    out.export(path)


def _restyled(
    mesh: trimesh.Trimesh, matrix: Array, rng: np.random.Generator, style: str
) -> tuple[trimesh.Trimesh, Array]:
    """The same surface, stored otherwise."""
    mesh = _plain(mesh)
    if style == "baked":
        return mesh.apply_transform(matrix), np.eye(4)
    if style == "tessellated":
        for _ in range(int(rng.integers(1, 3))):
            mesh = mesh.subdivide()
        odd = _rigid(rng)
        return mesh.apply_transform(np.linalg.inv(odd) @ matrix), odd
    if style == "instanced":
        scales = np.linalg.norm(matrix[:3, :3], axis=0)
        order = np.argsort(scales)
        mesh.apply_scale(scales[order])
        axes = matrix[:3, :3] / scales
        signs = rng.choice([-1.0, 1.0], 3)
        frame = np.eye(4)
        frame[:3, :3] = axes[:, order] * signs
        frame[:3, 3] = matrix[:3, 3]
        return mesh, frame
    return mesh, matrix


def _plain(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The surface alone, its corners shared."""
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)


def _rigid(rng: np.random.Generator) -> Array:
    matrix: Array = trimesh.transformations.random_rotation_matrix(rng.random(3))
    matrix[:3, 3] = rng.uniform(-1, 1, 3)
    return matrix


def _write_obj(
    tree: PartTree,
    path: Path,
    names: list[str],
    motion: Array,
    rng: np.random.Generator,
    *,
    groups: bool,
) -> None:
    """Edit the text of our own file: names, places, and how faces name their vertices."""
    tree.write(path)
    path.with_suffix(".mtl").unlink()
    leaves = iter(np.flatnonzero(tree.is_leaf).tolist())
    relative, cut, tabs = rng.random(3) < 0.5
    lines: list[str] = []
    count = 0
    for line in path.read_text().splitlines():
        keyword, *words = line.split()
        if keyword == "o":
            lines.append(f"{'g' if groups else 'o'} {names[next(leaves)]}")
        elif keyword == "v":
            count += 1
            point = motion[:3, :3] @ np.array(words, dtype=float) + motion[:3, 3]
            lines.append("v " + " ".join(f"{value:.9g}" for value in point))
        elif keyword == "f":
            corners = [int(word.partition("/")[0]) for word in words]
            if relative:
                corners = [corner - count - 1 for corner in corners]
            pieces = [corners[:3], [corners[0], *corners[2:]]] if cut else [corners]
            lines += ["f " + " ".join(map(str, piece)) for piece in pieces]
        elif keyword not in ("g", "#", "vn"):
            lines.append(line)
    text = "\r\n".join(lines) + "\r\n"
    path.write_text(text.replace("f ", "f\t") if tabs else text, newline="")


def separate(tree: PartTree) -> bool:
    """Whether no two leaves share a corner: then the pieces of one mesh are the parts."""
    corners = box_algebra.corners(tree.boxes())
    points = corners.reshape(-1, 3)
    reach = 1e-4 * float(np.linalg.norm(np.ptp(points, axis=0)))
    apart: Any = np.linalg.norm(points[:, None] - points[None], axis=2) > reach
    owner = np.repeat(np.arange(len(corners)), 8)
    return bool(apart[owner[:, None] != owner[None]].all())
