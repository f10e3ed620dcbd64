"""Small models and random hierarchies that StructureNet's tests share."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from shapegen.core.seeding import seeded
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.structurenet_decoding import StructureLimits

LABELS = (
    "thing",
    "thing/a",
    "thing/b",
    "thing/a/c",
    "thing/b/c",
    "thing/a/c/d",
    "other",
    "other/e",
)
KINDS = (RelationKind.ADJ, RelationKind.REF_SYM, RelationKind.TRANS_SYM, RelationKind.ROT_SYM)
COUNTS = {"ADJ": 0, "REF_SYM": 6, "TRANS_SYM": 3, "ROT_SYM": 7}


def random_box(rng: np.random.Generator) -> np.ndarray:
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return np.concatenate([rng.normal(size=3) / 2, rng.uniform(0.1, 1, 3), axes[0], axes[1]])


def random_boxes(count: int, rng: torch.Generator) -> Tensor:
    """Boxes of ten numbers, in double precision."""
    numbers = torch.randn(count, 10, generator=rng, dtype=torch.float64)
    quaternion = torch.nn.functional.normalize(numbers[:, 6:], dim=1)
    return torch.cat([numbers[:, :3], numbers[:, 3:6].abs(), quaternion], dim=1)


def random_tree(seed: int, *, widest: int = 4, deepest: int = 3) -> PartTree:
    """A tree whose labels go down the table, with relations of every kind."""
    rng = np.random.default_rng(seed)
    parent, label, edges = [-1], ["thing"], []

    def grow(node: int, depth: int) -> None:
        below = [name for name in LABELS if name.rpartition("/")[0] == label[node]]
        if not below or depth == deepest or (depth and rng.random() < 0.3):
            return
        children = []
        for _ in range(int(rng.integers(1, widest + 1))):
            children.append(len(parent))
            parent.append(node)
            label.append(str(rng.choice(below)))
            grow(children[-1], depth + 1)
        for place, a in enumerate(children):
            for b in children[:place]:
                for kind in KINDS:
                    if rng.random() < 0.25:
                        values = tuple(rng.normal(size=COUNTS[kind]).tolist())
                        edges.append(Relation(kind, a, b, values))

    grow(0, 0)
    box = np.stack([random_box(rng) for _ in parent])
    return PartTree(box, np.array(parent), tuple(label), tuple(edges))


def small(**changes: Any) -> StructureNet:
    config = StructureNetConfig(
        labels=LABELS,
        feature_dim=12,
        hidden_dim=12,
        max_children=4,
        components=2,
        prior_rank=2,
        limits=StructureLimits(depth=5, nodes=10000),
    )
    with seeded(0):
        model = StructureNet(replace(config, **changes)).double()
    # Untrained networks hardly differ from node to node.
    with torch.no_grad():
        for value in model.parameters():
            value.mul_(2.5)
    return model


OFFICIAL = {
    "compat": "official",
    "activation": "relu",
    "context": False,
    "bounded": True,
    "match_labels": 0.0,
    "match_exists": 0.0,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "ours": {},
    "other sizes": {
        "feature_dim": 10,
        "hidden_dim": 14,
        "max_children": 6,
        "edge_kinds": KINDS[::-1],
        "node_pool": "sum",
        "edge_pool": "max",
        "encoder_passes": 1,
        "context": False,
        "bounded": True,
        "match_labels": 0.0,
    },
    "official": OFFICIAL,
    "sums, three passes": OFFICIAL
    | {"node_pool": "sum", "edge_pool": "sum", "encoder_passes": 3, "decoder_passes": 3},
    "averages, no passes": OFFICIAL
    | {"node_pool": "avg", "edge_pool": "max", "encoder_passes": 0, "decoder_passes": 0},
}


def tree_of(parent: list[int], label: list[str], kinds: tuple[RelationKind, ...] = ()) -> PartTree:
    """A tree of random boxes, with relations of ``kinds`` between all siblings."""
    rng = np.random.default_rng(len(parent))
    edges = [
        Relation(kind, a, b, tuple(rng.normal(size=COUNTS[kind]).tolist()))
        for a, b in combinations(range(1, len(parent)), 2)
        if parent[a] == parent[b]
        for kind in kinds
    ]
    box = np.stack([random_box(rng) for _ in parent])
    return PartTree(box, np.array(parent), tuple(label), tuple(edges))


def chain(length: int) -> PartTree:
    """Every part but the last has one child."""
    return tree_of(list(range(-1, length - 1)), ["thing"] + ["thing/a"] * (length - 1))


def star(children: int, *kinds: RelationKind) -> PartTree:
    """A root whose children are all related in all ``kinds``."""
    return tree_of([-1] + [0] * children, ["thing"] + ["thing/b"] * children, kinds)


def alone() -> PartTree:
    """One part."""
    return tree_of([-1], ["other"])
