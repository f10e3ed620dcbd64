"""StructureNet one node at a time, as the paper describes it: the oracle of the batched model.

Layers act on concatenated features, boxes are 150 points each and distances are all measured.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.structurenet import StructureNet


def cube_points(dtype: torch.dtype) -> Tensor:
    """150 points: 5 x 5 on z = 1/2 and z = -1/2, then on the faces across x, then across y."""
    grid = [step / 4 - 0.5 for step in range(5)]
    points = []
    for axis in (2, 0, 1):
        for side in (0.5, -0.5):
            for u, v in itertools.product(grid, grid):
                point = [u, v]
                point.insert(axis, side)
                points.append(point)
    return torch.tensor(points, dtype=dtype)


def turned(points: Tensor, quaternion: Tensor) -> Tensor:
    w, u = quaternion[0], quaternion[1:].expand_as(points)
    cross = torch.linalg.cross(u, points)
    return points + 2 * (w * cross + torch.linalg.cross(u, cross))


def on_box(box: Tensor) -> Tensor:
    return turned(cube_points(box.dtype) * box[3:6], box[6:]) + box[:3]


def nearest(a: Tensor, b: Tensor) -> Tensor:
    """Squared distance of every point of ``a`` to the nearest of ``b``."""
    return (a[:, None] - b[None]).square().sum(2).min(1).values


def areas(box: Tensor) -> Tensor:
    x, y, z = box[3:6].detach()
    weights = torch.cat([(x * y).expand(50), (y * z).expand(50), (x * z).expand(50)])
    return weights / weights.sum()


def box_loss(p: Tensor, g: Tensor) -> Tensor:
    a, b = on_box(p), on_box(g)
    return 0.5 * ((areas(g) * nearest(b, a)).sum() + (areas(p) * nearest(a, b)).sum())


def anchor_loss(p: Tensor, g: Tensor) -> Tensor:
    ends = torch.cat([torch.eye(3), -torch.eye(3)]).to(p)
    a, b = turned(ends, p[6:]), turned(ends, g[6:])
    return 0.5 * (nearest(a, b).mean() + nearest(b, a).mean())


def symmetry(kind: RelationKind, a: Tensor, b: Tensor, *, official: bool) -> Callable[..., Tensor]:
    """The map of points that takes box ``a`` to box ``b``."""
    ca, cb = a[:3].detach(), b[:3].detach()
    if kind is RelationKind.TRANS_SYM:
        return lambda points: points + (cb - ca)
    if kind is RelationKind.REF_SYM:
        normal = (ca - cb) / ((ca - cb).norm() + 1e-10)
        middle = (ca + cb) / 2
        return lambda points: points - 2 * ((points - middle) @ normal)[:, None] * normal
    axes = [turned(torch.eye(3).to(a), box[6:].detach()) for box in (a, b)]
    if official:
        axes = [each.T for each in axes]
    best, score = (lambda points: points), math.inf
    for k in range(3):
        for signs in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            ends_a = [axes[0][k], axes[0][(k + 1) % 3]]
            ends_b = [signs[0] * axes[1][k], signs[1] * axes[1][(k + 1) % 3]]
            move = rotation(ca, cb, ends_a, ends_b, official=official)
            image, target = move(on_box(a.detach())), on_box(b.detach())
            value = float(
                nearest(image, target).sqrt().mean() + nearest(target, image).sqrt().mean()
            )
            if value < score:
                best, score = move, value
    return best


def rotation(
    ca: Tensor, cb: Tensor, ends_a: list[Tensor], ends_b: list[Tensor], *, official: bool
) -> Callable[..., Tensor]:
    planes = []
    for ua, ub in zip(ends_a, ends_b, strict=True):
        way = (cb + ub) - (ca + ua)
        if way.norm() < 1e-6:
            return lambda points: points
        planes.append((way / way.norm(), (ca + ua + cb + ub) / 2))
    axis = torch.linalg.cross(planes[0][0], planes[1][0])
    if axis.norm() < 1e-6:
        return lambda points: points
    axis = axis / axis.norm()
    rows = torch.stack([planes[0][0], planes[1][0], axis])
    right = torch.stack(
        [planes[0][0] @ planes[0][1], planes[1][0] @ planes[1][1], axis @ planes[0][1]]
    )
    pivot = torch.linalg.solve(rows, right)
    arms = [(c - pivot) - ((c - pivot) @ axis) * axis for c in (ca, cb)]
    cosine = (arms[0] @ arms[1]) / (arms[0].norm() * arms[1].norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if not official and torch.linalg.cross(arms[0], arms[1]) @ axis < 0:
        angle = -angle
    half = torch.cat([torch.cos(angle / 2)[None], torch.sin(angle / 2) * axis])
    return lambda points: turned(points - pivot, half) + pivot


class Recursion:
    """The model's networks applied node by node to one tree at a time."""

    def __init__(self, model: StructureNet) -> None:
        self.model, self.config = model, model.config
        self.encoder, self.decoder = model.encoder, model.decoder
        self.act = model.decoder.activation
        self.kinds = model.config.edge_kinds

    def label(self, tree: PartTree, node: int) -> int:
        return self.model.table.vocabulary.index(tree.label[node]) + 1

    def one_hot(self, number: int, size: int) -> Tensor:
        return functional.one_hot(torch.tensor(number), size).to(
            self.encoder.sample_encoder["mlp1"].weight
        )

    # ---- parts

    LOSSES = ("box", "anchor")

    def leaf(self, box: Tensor) -> Tensor:
        """Feature of a leaf."""
        return self.act(self.encoder.box_encoder["encoder"](box))

    def cost(self, own: Tensor, boxes: Tensor, child: int) -> Tensor:
        """Of matching a slot's part to a child."""
        return box_loss(own, boxes[child])

    def compare(self, boxes: Tensor, node: int) -> None:
        """Add the losses of a part."""
        self.terms["box"] = self.terms["box"] + box_loss(self.found[node], boxes[node])
        self.terms["anchor"] = self.terms["anchor"] + anchor_loss(self.found[node], boxes[node])

    def spare(self, box: Tensor) -> None:
        """Add the loss of a slot that nothing was matched to."""
        self.terms["box"] = self.terms["box"] + 0.01 * box[3:6].square().sum()

    # ---- encoder

    def encode(self, tree: PartTree, boxes: Tensor, node: int = 0) -> Tensor:
        children = tree.children[node]
        layers = self.encoder.child_encoder
        if not children:
            return self.leaf(boxes[node])
        x = [
            self.act(
                layers.child_op(
                    torch.cat(
                        [
                            self.encode(tree, boxes, child),
                            self.one_hot(self.label(tree, child), len(self.model.table)),
                        ]
                    )
                )
            )
            for child in children
        ]
        edges = [
            (children.index(a), children.index(b), self.kinds.index(edge.kind))
            for edge in tree.edges
            if tree.parent[edge.a] == node
            for a, b in ((edge.a, edge.b), (edge.b, edge.a))
        ]
        pooled = [self.pool(x, self.config.node_pool)]
        for layer in layers.node_edge_op:
            if edges:
                sent = [[] for _ in x]
                for a, b, kind in edges:
                    inputs = [x[a], x[b], self.one_hot(kind, len(self.kinds))]
                    sent[a].append(self.act(layer(torch.cat(inputs))))
                x = [
                    self.pool(own, self.config.edge_pool) if own else torch.zeros_like(x[0])
                    for own in sent
                ]
            pooled.append(self.pool(x, self.config.node_pool))
        return self.act(layers.parent_op(torch.cat(pooled)))

    @staticmethod
    def pool(values: list[Tensor], how: str) -> Tensor:
        stacked = torch.stack(values)
        return {"max": stacked.amax(0), "sum": stacked.sum(0), "avg": stacked.mean(0)}[how]

    # ---- decoder

    def box(self, latent: Tensor) -> Tensor:
        return self.decoder.box_decoder(latent[None])[0]

    def slots(
        self, latent: Tensor, label: int, context: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Latents, hidden features, existence and relations of all slots of one parent."""
        layers, size = self.decoder.child_decoder, self.config.max_children
        if self.decoder.label is not None:
            latent = latent + self.decoder.label.weight[label]
        x = list(self.act(layers.mlp_parent(latent)).view(size, -1))
        exists = torch.stack([layers.mlp_exists(own)[0] for own in x])
        pair = [[self.act(layers.mlp_edge_latent(torch.cat([a, b]))) for b in x] for a in x]
        edges = torch.stack(
            [torch.stack([layers.mlp_edge_exists(p) for p in row]) for row in pair]
        )
        chosen = [
            (i, j, k)
            for i in range(size)
            for j in range(size)
            for k in range(len(self.kinds))
            if edges[i, j, k] > 0 and exists[i] > 0 and exists[j] > 0
        ]
        versions = [x]
        for layer in layers.node_edge_op:
            x = versions[-1]
            if chosen:
                sent = [[] for _ in x]
                for i, j, k in chosen:
                    kind = self.one_hot(k, len(self.kinds)) * edges[i, j, k]
                    sent[i].append(self.act(layer(torch.cat([x[i], x[j], pair[i][j], kind]))))
                x = [
                    self.pool(own, self.config.edge_pool) if own else torch.zeros_like(x[0])
                    for own in sent
                ]
            versions.append(x)
        hidden = [
            self.act(layers.mlp_child(torch.cat(parts))) for parts in zip(*versions, strict=True)
        ]
        latents = [layers.mlp_child2(own) for own in hidden]
        if context is not None:
            latents = [own + context for own in latents]
        return torch.stack([self.act(own) for own in latents]), torch.stack(hidden), exists, edges

    def losses(self, tree: PartTree, boxes: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Unweighted losses of one tree."""
        self.terms = {
            name: z.new_zeros(())
            for name in (
                *self.LOSSES,
                "leaf",
                "exists",
                "semantic",
                "edge_exists",
                "sym",
                "adj",
            )
        }
        self.context = None if self.decoder.context is None else self.decoder.context(z)
        latent = self.decoder.root_latents(z[None])[0]
        self.found: dict[int, Tensor] = {0: self.box(latent)}
        roots = self.model.table.roots.tolist()
        if len(roots) > 1:
            logits = self.decoder.root_classifier(latent)
            wanted = torch.tensor(roots.index(self.label(tree, 0)))
            self.terms["semantic"] = self.terms["semantic"] + functional.cross_entropy(
                logits, wanted
            )
        self.visit(tree, boxes, latent, 0)
        return self.terms

    def visit(self, tree: PartTree, boxes: Tensor, latent: Tensor, node: int) -> None:
        config, terms = self.config, self.terms
        children = tree.children[node]
        self.compare(boxes, node)
        leaf = self.decoder.leaf_logits(latent[None])[0]
        target = torch.tensor(float(not children)).to(leaf)
        terms["leaf"] = terms["leaf"] + functional.binary_cross_entropy_with_logits(leaf, target)
        if not children:
            return
        latents, hidden, exists, edges = self.slots(latent, self.label(tree, node), self.context)
        slot_boxes = [self.box(own) for own in latents]
        semantic = self.decoder.child_decoder.mlp_sem(hidden)
        labels = torch.tensor([self.label(tree, child) for child in children])
        cost = torch.stack(
            [
                torch.stack([self.cost(own, boxes, child) for own in slot_boxes])
                for child in children
            ]
        )
        cost = cost - config.match_labels * functional.log_softmax(semantic, 1).T[labels]
        cost = cost + config.match_exists * functional.softplus(-exists)
        slot = linear_sum_assignment(cost.detach().numpy())[1].tolist()
        used = torch.zeros_like(exists)
        used[slot] = 1
        terms["exists"] = terms["exists"] + functional.binary_cross_entropy_with_logits(
            exists, used, reduction="sum"
        )
        for own, box in enumerate(slot_boxes):
            if own not in slot:
                self.spare(box)
        terms["semantic"] = terms["semantic"] + functional.cross_entropy(
            semantic[slot], labels, reduction="sum"
        )
        listed = [edge for edge in tree.edges if tree.parent[edge.a] == node]
        wanted = torch.zeros_like(edges)
        for edge in listed:
            a, b = slot[children.index(edge.a)], slot[children.index(edge.b)]
            wanted[a, b, self.kinds.index(edge.kind)] = 1
            wanted[b, a, self.kinds.index(edge.kind)] = 1
        terms["edge_exists"] = terms["edge_exists"] + functional.binary_cross_entropy_with_logits(
            edges, wanted, reduction="sum"
        ) / (edges.shape[1] * edges.shape[2])
        for child, own in zip(children, slot, strict=True):
            self.found[child] = slot_boxes[own]
        for child, own in zip(children, slot, strict=True):
            self.visit(tree, boxes, latents[own], child)
        for edge in listed:
            self.relate(tree, edge)

    def below(self, tree: PartTree, node: int) -> list[int]:
        return [
            each for child in tree.children[node] for each in [child, *self.below(tree, child)]
        ]

    def relate(self, tree: PartTree, edge: Relation) -> None:
        a, b = self.found[edge.a], self.found[edge.b]
        inner = [bool(tree.children[node]) for node in (edge.a, edge.b)]
        if edge.kind is RelationKind.ADJ:
            self.terms["adj"] = self.terms["adj"] + 2 * nearest(on_box(a), on_box(b)).min()
            if any(inner):
                sets = [
                    [each for each in [node, *self.below(tree, node)] if not tree.children[each]]
                    for node in (edge.a, edge.b)
                ]
                clouds = [torch.cat([on_box(self.found[n]) for n in nodes]) for nodes in sets]
                self.terms["adj"] = self.terms["adj"] + 2 * nearest(*clouds).min()
            return
        move = symmetry(edge.kind, a, b, official=self.config.compat == "official")
        image = move(on_box(a))
        self.terms["sym"] = self.terms["sym"] + (areas(a) * nearest(image, on_box(b))).sum()
        self.terms["sym"] = self.terms["sym"] + (areas(b) * nearest(on_box(b), image)).sum()
        if all(inner):
            sets = [self.below(tree, node) for node in (edge.a, edge.b)]
            ours, theirs = (torch.cat([on_box(self.found[n]) for n in nodes]) for nodes in sets)
            ours = move(ours)
            both = nearest(ours, theirs).mean() + nearest(theirs, ours).mean()
            self.terms["sym"] = self.terms["sym"] + both * (len(sets[0]) + len(sets[1]) + 2) / 2

    # ---- free decoding

    def decode(self, z: Tensor, depth: int) -> dict[str, object]:
        """One code as nested nodes; relations as the authors list them."""
        self.context = None if self.decoder.context is None else self.decoder.context(z)
        latent = self.decoder.root_latents(z[None])[0]
        roots = self.model.table.roots
        own = 0 if len(roots) == 1 else int(self.decoder.root_classifier(latent).argmax())
        return self.grow(latent, int(roots[own]), depth)

    def grow(self, latent: Tensor, label: int, depth: int) -> dict[str, object]:
        allowed = self.model.table.allowed[label]
        node: dict[str, object] = {"label": label, "box": self.box(latent), "children": []}
        if not allowed.any() or depth < 1 or self.decoder.leaf_logits(latent[None])[0] > 0:
            return node
        latents, hidden, exists, edges = self.slots(latent, label, self.context)
        alive = torch.nonzero(exists > 0)[:, 0].tolist()
        semantic = self.decoder.child_decoder.mlp_sem(hidden).masked_fill(~allowed, -math.inf)
        node["children"] = [
            self.grow(latents[own], int(semantic[own].argmax()), depth - 1) for own in alive
        ]
        if self.config.compat == "none":  # a relation of two parts is listed once
            mean = (edges + edges.transpose(0, 1)) / 2
            edges = torch.where(torch.ones_like(mean[:, :, 0]).triu(1)[:, :, None] > 0, mean, -1)
        node["edges"] = [
            (alive.index(i), alive.index(j), k)
            for i, j, k in torch.nonzero(edges > 0).tolist()
            if i in alive and j in alive
        ]
        return node
