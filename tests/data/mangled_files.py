"""Files of our exporter as other programs would leave them, and what must be found in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.relations import residuals

Leaves = frozenset[int]
Pair = frozenset[Leaves]

TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@dataclass
class Mangled:
    """One file and the truth about it."""

    tree: PartTree
    """The shape in the place where the import should find it."""
    groups: list[list[int]]
    """Nodes of ``tree`` that are siblings in the file."""


@dataclass
class Score:
    """Counts over files; a file is recovered if its boxes, contacts and symmetries all are."""

    files: int = 0
    recovered: int = 0
    boxes: list[int] = field(default_factory=lambda: [0, 0])
    contacts: list[int] = field(default_factory=lambda: [0, 0, 0])
    """Right, found, true."""
    symmetries: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """Right, found, true, and found relations that hold."""
    missed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        right, found, true, holding = self.symmetries
        return (
            f"{self.recovered} of {self.files} files; boxes {self.boxes[0]} of {self.boxes[1]}; "
            f"contacts precision {self.contacts[0] / self.contacts[1]:.4f} "
            f"recall {self.contacts[0] / self.contacts[2]:.4f}; "
            f"symmetric pairs recall {right / true:.4f}, "
            f"relations that hold {holding / max(found, 1):.4f}"
        )


def mangle(tree: PartTree, path: Path, rng: np.random.Generator, *, z_up: bool) -> Mangled:
    """Write a shape as a scene of another program: renamed, re-parented, turned, scaled."""
    raw = path.with_name("raw.glb")
    tree.write(raw)
    scene = trimesh.load_scene(raw, process=False)
    raw.unlink()
    yaw = rng.choice([0.0, np.pi / 2, rng.uniform(-np.pi, np.pi)])
    scale = float(np.exp(rng.uniform(-4, 7)))
    turn = trimesh.transformations.rotation_matrix(yaw, [0, 1, 0])[:3, :3]
    place = scale * rng.uniform(-1, 1, 3)
    motion = np.eye(4)
    motion[:3] = np.column_stack([scale * turn, place])
    if z_up:
        motion[:3] = TO_Z_UP @ motion[:3]
    truth = tree.transformed(rotation=turn, scale=scale, translation=place)
    flat = path.suffix == ".obj"
    inner = [n for n in range(1, len(tree)) if not tree.is_leaf[n]]
    # Groups of one kind go together: a row of drawers loses none of its members.
    loose = {label for label in sorted({tree.label[n] for n in inner}) if rng.random() < 0.25}
    gone = {n for n in inner if flat or tree.label[n] in loose}
    parent = tree.parent.copy()
    for node in range(1, len(tree)):
        while int(parent[node]) in gone:
            parent[node] = tree.parent[parent[node]]
    out = trimesh.Scene()
    out.graph.update(frame_from="world", frame_to="Collection", matrix=motion)
    names = _node_names(scene, tree)
    style = ["{} {}", "{}.{:03d}", "{}_{}", "{} ({})"][rng.integers(4)]
    renamed = {
        node: style.format(tree.label[node].rpartition("/")[2].replace("_", " ").title(), node)
        for node in range(len(tree))
    }
    for node, name in enumerate(names):
        if node in gone:
            continue
        above = "Collection" if node == 0 else renamed[int(parent[node])]
        matrix, geometry = scene.graph.get(name)
        if geometry is None:
            out.graph.update(frame_from=above, frame_to=renamed[node], matrix=np.eye(4))
        elif flat:
            mesh = scene.geometry[geometry].copy()
            mesh.apply_transform(motion @ matrix)
            out.add_geometry(mesh, node_name=renamed[node], geom_name=renamed[node])
        else:
            out.add_geometry(
                scene.geometry[geometry],
                geom_name=geometry,
                node_name=renamed[node],
                parent_node_name=above,
                transform=matrix,
            )
    out.export(path)
    siblings: dict[int, list[int]] = {}
    for node in range(1, len(tree)):
        if node not in gone:
            siblings.setdefault(int(parent[node]), []).append(node)
    return Mangled(truth, list(siblings.values()))


def add(score: Score, mangled: Mangled, found: PartTree) -> None:
    """Compare a shape with what was found; both may list the parts in any order."""
    tree = mangled.tree
    reach = 0.01 * float(np.linalg.norm(np.ptp(box_algebra.bounds(tree.boxes()), axis=0)))
    leaves, others = np.flatnonzero(tree.is_leaf), np.flatnonzero(found.is_leaf)
    apart = _apart(tree.box[leaves], found.box[others])
    right = int((apart.min(1) <= reach).sum()) if len(leaves) == len(others) else 0
    match = dict(zip(others.tolist(), leaves[apart.argmin(0)].tolist(), strict=True))
    own, theirs = _leaf_sets(tree, None), _leaf_sets(found, match)
    contacts = {
        frozenset((own[a], own[b]))
        for siblings in mangled.groups
        for a, b in combinations(siblings, 2)
        if _touch(tree.box[sorted(own[a])], tree.box[sorted(own[b])], 1e-4 * reach)
    }
    together = {frozenset((own[a], own[b])) for s in mangled.groups for a, b in combinations(s, 2)}
    symmetric = set(_linked(tree.edges, own)) & together
    adjacent = {
        frozenset((theirs[e.a], theirs[e.b])) for e in found.edges if e.kind is RelationKind.ADJ
    }
    linked = set(_linked(found.edges, theirs))
    violation = residuals(found)
    held = [
        value <= reach
        for edge, value in zip(found.edges, violation, strict=True)
        if edge.kind is not RelationKind.ADJ
    ]
    score.files += 1
    score.boxes = [score.boxes[0] + right, score.boxes[1] + len(leaves)]
    for total, values in (
        (score.contacts, (len(contacts & adjacent), len(adjacent), len(contacts))),
        (score.symmetries, (len(symmetric & linked), len(held), len(symmetric), sum(held))),
    ):
        for place, value in enumerate(values):
            total[place] += value
    whole = right == len(leaves) and adjacent == contacts and symmetric <= linked and all(held)
    score.recovered += whole
    if not whole:
        score.missed.append(
            f"{found.name} ({tree.name}): {len(leaves) - right} boxes, "
            f"{len(contacts - adjacent)} contacts missed, {len(adjacent - contacts)} too many, "
            f"{len(symmetric - linked)} of {len(symmetric)} symmetric pairs missed"
        )


def _node_names(scene: trimesh.Scene, tree: PartTree) -> list[str]:
    """The scene's node of every node of the tree, by the ids that our exporter writes."""
    data = scene.graph.transforms.edge_data
    by_id = {int(value["metadata"]["instance"]): end[1] for end, value in data.items()}
    return [by_id[int(each)] for each in tree.instance]


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hausdorff distance ``(n, m)`` of the corners of boxes, whatever their axes are called."""
    gap = box_algebra.corners(a)[:, None, :, None] - box_algebra.corners(b)[None, :, None]
    distance = np.linalg.norm(gap, axis=4)
    return np.maximum(distance.min(3).max(2), distance.min(2).max(2))


def _touch(a: NDArray[np.float64], b: NDArray[np.float64], reach: float) -> bool:
    pairs = [[i, len(a) + j] for i in range(len(a)) for j in range(len(b))]
    return bool((gaps(np.concatenate([a, b]), pairs) <= reach).any())


def _leaf_sets(tree: PartTree, match: dict[int, int] | None) -> list[Leaves]:
    below: list[set[int]] = [set() for _ in range(len(tree))]
    for node in range(len(tree) - 1, -1, -1):
        if tree.is_leaf[node]:
            below[node].add(node if match is None else match[node])
        if node:
            below[int(tree.parent[node])] |= below[node]
    return [frozenset(each) for each in below]


def _linked(edges: tuple[Relation, ...], sets: list[Leaves]) -> Iterator[Pair]:
    """All pairs of parts that symmetries link, directly or through others."""
    group: dict[int, set[int]] = {}
    for edge in edges:
        if edge.kind is RelationKind.ADJ:
            continue
        joined = group.get(edge.a, {edge.a}) | group.get(edge.b, {edge.b})
        group |= dict.fromkeys(joined, joined)
    for members in {id(each): each for each in group.values()}.values():
        for a, b in combinations(sorted(members), 2):
            yield frozenset((sets[a], sets[b]))
