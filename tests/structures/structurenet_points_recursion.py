"""StructureNet of point clouds one node at a time: what differs from boxes, as the oracle."""

from __future__ import annotations

import torch
from torch import Tensor

from shapegen.structures.box_points import quaternion_boxes
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.principal_boxes import principal_frames
from shapegen.structures.structurenet import StructureNet
from tests.structures.structurenet_recursion import Recursion, nearest, symmetry


def chamfer(a: Tensor, b: Tensor) -> Tensor:
    return nearest(a, b).mean() + nearest(b, a).mean()


def along_axes(points: Tensor) -> Tensor:
    """The box of ten numbers along the principal axes."""
    frame = principal_frames(points[None].detach())
    x, y = frame.rotation[:, :, 0], frame.rotation[:, :, 1]
    return quaternion_boxes(torch.cat([frame.centre, frame.size, x, y], dim=1))[0]


class PointRecursion(Recursion):
    """Parts are rows of centre, scale and feature; ``clouds`` are the true points of the tree."""

    LOSSES = ("latent", "geo", "centre", "scale")

    def __init__(self, model: StructureNet) -> None:
        super().__init__(model)
        self.geometry = model.head.geometry
        self.clouds = torch.empty(0)

    def rows(self) -> Tensor:
        """Rows of the true points."""
        found = []
        for cloud in self.clouds:
            centre = cloud.mean(0)
            scale = (cloud - centre).square().sum(1).max().sqrt()
            feature = self.geometry.encoder(((cloud - centre) / scale)[None])
            found.append(torch.cat([centre, scale[None], self.geometry.mean(feature)[0]]))
        return torch.stack(found).detach()

    def points(self, row: Tensor) -> Tensor:
        return self.geometry.decoder(row[None, 4:]).view(-1, 3) * row[3] + row[:3]

    def leaf(self, row: Tensor) -> Tensor:
        layers = self.encoder.box_encoder
        place = self.act(layers.mlp1(row[:4]))
        return self.act(layers.mlp2(torch.cat([place, row[4:]])))

    def cost(self, own: Tensor, rows: Tensor, child: int) -> Tensor:
        return 0.5 * chamfer(self.points(own), self.clouds[child])

    def compare(self, rows: Tensor, node: int) -> None:
        own, true = self.found[node], rows[node]
        found = {
            "latent": (own[4:] - true[4:]).square().mean(),
            "geo": 0.5 * chamfer(self.points(own), self.clouds[node]),
            "centre": (own[:3] - true[:3]).square().mean(),
            "scale": (own[3] - true[3]).square(),
        }
        for name, value in found.items():
            self.terms[name] = self.terms[name] + value

    def spare(self, row: Tensor) -> None:
        weight = self.config.geometry.weights.unmatched
        self.terms["geo"] = self.terms["geo"] + weight * row[3].square()

    def union(self, nodes: list[int]) -> Tensor:
        return torch.cat([self.points(self.found[node]) for node in nodes])

    def relate(self, tree: PartTree, edge: Relation) -> None:
        a, b = (self.points(self.found[node]) for node in (edge.a, edge.b))
        inner = [bool(tree.children[node]) for node in (edge.a, edge.b)]
        if edge.kind is RelationKind.ADJ:
            self.terms["adj"] = self.terms["adj"] + nearest(a, b).min() + nearest(b, a).min()
            if any(inner):
                sets = [
                    [each for each in [node, *self.below(tree, node)] if not tree.children[each]]
                    for node in (edge.a, edge.b)
                ]
                ours, theirs = (self.union(nodes) for nodes in sets)
                self.terms["adj"] = self.terms["adj"] + 2 * nearest(ours, theirs).min()
            return
        boxes = [along_axes(points) for points in (a, b)]
        move = symmetry(edge.kind, *boxes, official=self.config.compat == "official")
        self.terms["sym"] = self.terms["sym"] + chamfer(move(a), b)
        if all(inner):
            sets = [self.below(tree, node) for node in (edge.a, edge.b)]
            ours, theirs = (self.union(nodes) for nodes in sets)
            size = (len(sets[0]) + len(sets[1]) + 2) / 2
            self.terms["sym"] = self.terms["sym"] + chamfer(move(ours), theirs) * size
