"""Teacher-forced decoding: the decoder's slots are matched to the true children, level by level.

Reference: Mo et al., *StructureNet*, 2019, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from shapegen.structures.structurenet_decoder import StructureDecoder
from shapegen.structures.tree_batch import Siblings, TreeBatch


@dataclass(frozen=True)
class Matched:
    """Everything that the decoder says along true hierarchies.

    Rows of nodes are those of the batch. Parents are the inner nodes, the deepest first; children
    are all nodes but the roots.
    """

    parts: Float[Tensor, "nodes row"]
    """As the head describes them."""
    leaf: Float[Tensor, "nodes"]
    """Logits."""
    semantic: Float[Tensor, "children labels"]
    """Logits."""
    category: Float[Tensor, "shapes roots"] | None
    """Logits of the root's label, if there is more than one to choose from."""
    slot: Int[Tensor, "children"]
    """The decoder's slot that every child was matched to."""
    parent: Int[Tensor, "children"]
    """Position of every child's parent among the parents."""
    parents: Int[Tensor, "parents"]
    """Rows of the parents in the batch."""
    exists: Float[Tensor, "parents slots"]
    """Logits."""
    edges: Float[Tensor, "parents slots slots kinds"]
    """Logits."""
    slot_parts: Float[Tensor, "parents slots row"]
    messages: Int[Tensor, "parents"]
    """Number of directed relations that messages were passed over."""

    @property
    def used(self) -> Float[Tensor, "parents slots"]:
        """1 at the slots that a child was matched to, 0 at the others."""
        used = torch.zeros_like(self.exists)
        used[self.parent, self.slot] = 1.0
        return used


def match(
    decoder: StructureDecoder,
    z: Float[Tensor, "shapes feature"],
    batch: TreeBatch,
    label: Int[Tensor, "nodes"],
    costs: Callable[[Tensor, Siblings], Tensor],
    *,
    label_weight: float = 0.0,
    exists_weight: float = 0.0,
) -> Matched:
    """Decode codes along the true hierarchies.

    Args:
        decoder: The networks.
        z: One code a shape.
        batch: The hierarchies.
        label: Semantic class of every node.
        costs: What it costs to match the nodes of a level to decoded slots; the least in all is
            chosen.
        label_weight: What a nat of the true label's cross entropy adds to the cost of a match; the
            paper matches by the parts alone.
        exists_weight: The same for the existence of a slot: slots that are in use stay in use.
    """
    contexts = decoder.contexts(z)
    latents = [decoder.root_latents(z)]
    above = len(batch.box) - batch.num_shapes
    found: dict[str, list[Tensor]] = {
        name: [] for name in ("slot", "hidden", "exists", "edges", "slot_parts", "messages")
    }
    matched_parts = [decoder.box_decoder(latents[0])]
    for siblings in reversed(batch.siblings):
        parents = siblings.parents
        slots = decoder.unfold(
            latents[-1].index_select(0, parents - above),
            label[parents],
            batch.shape[parents],
            contexts,
        )
        slot_parts = decoder.box_decoder(slots.latent)
        cost = costs(slot_parts, siblings)
        if label_weight:
            with torch.no_grad():
                logits = decoder.child_decoder.mlp_sem(slots.hidden)
                entropy = -functional.log_softmax(logits, dim=2)[siblings.parent]
                wanted = label[siblings.rows][:, None, None].expand(-1, entropy.shape[1], 1)
                cost = cost + label_weight * entropy.gather(2, wanted)[:, :, 0]
        if exists_weight:
            missing = functional.softplus(-slots.exists.detach())
            cost = cost + exists_weight * missing[siblings.parent]
        slot = assign(cost, siblings)
        row = siblings.parent * slot_parts.shape[1] + slot
        latents.append(slots.latent.flatten(0, 1).index_select(0, row))
        matched_parts.append(slot_parts.flatten(0, 1).index_select(0, row))
        level = {
            "slot": slot,
            "hidden": slots.hidden.flatten(0, 1).index_select(0, row),
            "exists": slots.exists,
            "edges": slots.edges,
            "slot_parts": slot_parts,
            "messages": slots.messages,
        }
        for name, value in level.items():
            found[name].append(value)
        above = siblings.start
    nodes = torch.cat(latents[::-1])
    flat = {name: torch.cat(values[::-1]) for name, values in found.items() if values}
    if not flat:
        flat = _nothing(decoder, z)
    offsets = np.cumsum([0] + [len(s.parents) for s in batch.siblings]).tolist()
    empty = batch.parent[:0]
    return Matched(
        parts=torch.cat(matched_parts[::-1]),
        leaf=decoder.leaf_logits(nodes),
        category=None if decoder.root_classifier is None else decoder.root_classifier(latents[0]),
        semantic=decoder.child_decoder.mlp_sem(flat.pop("hidden")),
        parent=torch.cat(
            [empty] + [s.parent + n for s, n in zip(batch.siblings, offsets, strict=False)]
        ),
        parents=torch.cat([empty] + [s.parents for s in batch.siblings]),
        **flat,
    )


def _nothing(decoder: StructureDecoder, z: Tensor) -> dict[str, Tensor]:
    """What is found where no shape has children."""
    slots = decoder.unfold(
        z[:0],
        z.new_empty(0, dtype=torch.long),
        z.new_empty(0, dtype=torch.long),
        decoder.contexts(z),
    )
    return {
        "slot": slots.messages,
        "hidden": slots.hidden.flatten(0, 1),
        "exists": slots.exists,
        "edges": slots.edges,
        "slot_parts": decoder.box_decoder(slots.latent),
        "messages": slots.messages,
    }


@torch.no_grad()
def assign(cost: Float[Tensor, "children slots"], siblings: Siblings) -> Int[Tensor, "children"]:
    """Slots of least total cost, each used once by the children of a parent (Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    slot = cost.argmin(1)
    counts = torch.bincount(siblings.parent, minlength=len(siblings.parents)).cpu().numpy()
    costs, found = cost.cpu().numpy(), slot.cpu().numpy()
    ends = np.cumsum(counts)
    # An only child takes the cheapest slot.
    for parent in np.flatnonzero(counts > 1):
        rows = slice(ends[parent] - counts[parent], ends[parent])
        found[rows] = linear_sum_assignment(costs[rows])[1]
    return torch.from_numpy(found).to(cost.device)
