"""Walks of StructureNet from shape to shape, on which parts keep their identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.structures.correspondence import same_structure, tracked
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.projection import refine_relations, with_best_relations

if TYPE_CHECKING:
    from shapegen.structures.structurenet import StructureNet


def structure_walk(model: StructureNet, z: Float[Tensor, "steps latent"]) -> PartTrees:
    """Decode the steps of a walk.

    Where both ends have the same structure, so has everything in between: a step that would decode
    to another one is decoded along the structure of the nearer end. Parts keep their instance ids
    (:func:`~shapegen.structures.correspondence.tracked`).
    """
    trees = list(model.decode(z))
    if same_structure(trees[0], trees[-1]):
        odd = [step for step, tree in enumerate(trees) if not same_structure(tree, trees[0])]
        guides = [trees[0] if 2 * step < len(trees) else trees[-1] for step in odd]
        for step, tree in zip(odd, decoded_along(model, z[odd], guides), strict=True):
            trees[step] = tree
    return tracked(trees)


@torch.no_grad()
def decoded_along(
    model: StructureNet, z: Float[Tensor, "shapes latent"], guides: Sequence[PartTree]
) -> PartTrees:
    """Decode codes to shapes of given structure, one guide a code (teacher forcing).

    Labels and relations are the guide's; its boxes say which of the decoder's parts is which.
    """
    if not guides:
        return PartTrees([])
    batch = model.prepare(guides).all.to(z.device)
    parts = model.head.parts(model.match(batch, z).parts)
    # Shape by shape, in the order of the nodes: the guides' own.
    order = np.lexsort((batch.node.cpu().numpy(), batch.shape.cpu().numpy()))
    ends = np.cumsum([len(guide) for guide in guides])[:-1]
    boxes = np.split(parts.boxes.double().cpu().numpy()[order], ends)
    trees = [replace(guide, box=box) for guide, box in zip(guides, boxes, strict=True)]
    if parts.points is not None:
        clouds = np.split(parts.points.cpu().numpy()[order], ends)
        trees = [replace(tree, part_points=own) for tree, own in zip(trees, clouds, strict=True)]
    found = with_best_relations(trees)
    return refine_relations(found).trees if model.config.project else PartTrees(found)
