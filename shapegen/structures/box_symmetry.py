"""The symmetry that maps one box onto another, estimated from the two boxes.

Reference: Mo et al., *StructureNet*, 2019, section 4.2 (structure consistency losses).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shapegen.structures.box_points import (
    Frames,
    mean_weights,
    nearest_distances,
    rotation_matrix,
)
from shapegen.structures.part_tree import RelationKind
from shapegen.structures.tree_batch import KIND_NUMBER

_SHORT = 1e-6
"""Shorter vectors have no direction."""
_SIGNS = ((1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0))


@torch.no_grad()
def symmetries(
    kind: Int[Tensor, "pairs"], a: Frames, b: Frames, *, official: bool
) -> Float[Tensor, "pairs 3 4"]:
    """The estimated symmetry of every pair; kinds as in :data:`KIND_NUMBER`."""
    found = translations(a, b)
    reflected = (kind == KIND_NUMBER[RelationKind.REF_SYM])[:, None, None]
    found = torch.where(reflected, reflections(a, b), found)
    turned = (kind == KIND_NUMBER[RelationKind.ROT_SYM]).nonzero()[:, 0]
    if len(turned):
        motions = rotations(a.pick(turned), b.pick(turned), official=official)
        found = found.index_copy(0, turned, motions)
    return found


@torch.no_grad()
def translations(a: Frames, b: Frames) -> Float[Tensor, "pairs 3 4"]:
    """The translations from centre to centre."""
    identity = torch.eye(3).to(a.centre).expand(len(a.centre), 3, 3)
    return torch.cat([identity, (b.centre - a.centre)[:, :, None]], dim=2)


@torch.no_grad()
def reflections(a: Frames, b: Frames) -> Float[Tensor, "pairs 3 4"]:
    """The reflections that exchange the centres."""
    between = a.centre - b.centre
    normal = between / (between.norm(dim=1, keepdim=True) + 1e-10)
    offset = (normal * (a.centre + b.centre) / 2).sum(1)[:, None] * normal
    linear = torch.eye(3).to(normal) - 2 * normal[:, :, None] * normal[:, None, :]
    return torch.cat([linear, 2 * offset[:, :, None]], dim=2)


@torch.no_grad()
def rotations(a: Frames, b: Frames, *, official: bool = False) -> Float[Tensor, "pairs 3 4"]:
    """The best of twelve rotations that map box ``a`` onto box ``b``.

    A candidate carries two axes of ``a`` onto two axes of ``b``, one of them possibly turned back:
    its axis and pivot follow from the planes halfway between the two ends, its angle from the
    centres. The candidate that brings the surfaces nearest is taken.

    Args:
        a: First boxes.
        b: Second boxes.
        official: As the authors' code does: rows of the rotation matrices for the boxes' axes, and
            an angle without a sign.
    """
    # Half turns are common, and near a cosine of -1 an angle loses half of its digits.
    centre_a, centre_b = a.centre.double(), b.centre.double()
    rows_a, rows_b = (
        (v.rotation if official else v.rotation.transpose(1, 2)).double() for v in (a, b)
    )
    candidates = []
    for first, second in ((0, 1), (1, 2), (2, 0)):
        for signs in _SIGNS:
            ends_a = (rows_a[:, first], rows_a[:, second])
            ends_b = (signs[0] * rows_b[:, first], signs[1] * rows_b[:, second])
            candidates.append(_rotation(centre_a, centre_b, ends_a, ends_b, signed=not official))
    found = torch.stack(candidates, dim=1).to(a.centre)
    count = found.shape[1]
    every = torch.arange(len(a.centre), device=found.device).repeat_interleave(count)
    image, target = a.pick(every).moved(found.flatten(0, 1)), b.pick(every)
    weights = mean_weights(a.centre)
    score = nearest_distances(image, target).sqrt() @ weights
    score = score + nearest_distances(target, image).sqrt() @ weights
    best = score.view(-1, count).nan_to_num(nan=torch.inf).argmin(1)
    return found[torch.arange(len(found), device=found.device), best]


def _rotation(
    centre_a: Tensor,
    centre_b: Tensor,
    ends_a: tuple[Tensor, Tensor],
    ends_b: tuple[Tensor, Tensor],
    *,
    signed: bool,
) -> Float[Tensor, "pairs 3 4"]:
    """Rotation that carries two ends of ``a`` to those of ``b``; the identity where none does."""
    planes = []
    usable = torch.ones(len(centre_a), dtype=torch.bool, device=centre_a.device)
    for end_a, end_b in zip(ends_a, ends_b, strict=True):
        from_, to = centre_a + end_a, centre_b + end_b
        normal, long = _direction(to - from_)
        usable &= long
        planes.append((normal, (from_ + to) / 2))
    (normal_1, middle_1), (normal_2, middle_2) = planes
    axis, long = _direction(torch.linalg.cross(normal_1, normal_2))
    usable &= long
    equations = torch.stack([normal_1, normal_2, axis], dim=1)
    values = torch.stack(
        [(normal_1 * middle_1).sum(1), (normal_2 * middle_2).sum(1), (axis * middle_1).sum(1)], 1
    )
    identity = torch.eye(3).to(equations)
    equations = torch.where(usable[:, None, None], equations, identity)
    pivot = torch.linalg.solve(equations, values)
    arms = []
    for centre in (centre_a, centre_b):
        arm = centre - pivot
        arms.append(arm - (arm * axis).sum(1, keepdim=True) * axis)
    lengths = arms[0].norm(dim=1) * arms[1].norm(dim=1)
    angle = torch.arccos(((arms[0] * arms[1]).sum(1) / lengths).clamp(-1, 1))
    if signed:
        angle = torch.copysign(angle, (torch.linalg.cross(arms[0], arms[1]) * axis).sum(1))
    half = torch.cat([torch.cos(angle / 2)[:, None], torch.sin(angle / 2)[:, None] * axis], 1)
    linear = torch.where(usable[:, None, None], rotation_matrix(half), identity)
    offset = pivot - (linear @ pivot[:, :, None])[:, :, 0]
    offset = torch.where(usable[:, None], offset, torch.zeros_like(offset))
    return torch.cat([linear, offset[:, :, None]], dim=2)


def _direction(vector: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor]:
    """Unit vectors, and which vectors are long enough to have one."""
    length = vector.norm(dim=1, keepdim=True)
    return vector / length.clamp_min(_SHORT), length[:, 0] >= _SHORT
