"""Least changes of boxes that close gaps, each a convex program, with gradient.

With fixed axes two boxes meet if none of fifteen directions separates them, and what a direction
leaves between them is linear in centres and lengths, so the boxes that meet are a convex set.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shapegen.structures.projection_motions import Boxes

_ROUNDS = 12
_EXCHANGES = 100
_PATIENCE = 3
_SLACK = 1e-9
_PARALLEL = 1e-6
"""Sine below which two edges have no common normal."""
_OVERLAP = 1e-7
"""Of the shape's diagonal: how far parts go into one another, so that rounding opens no gap."""
_RIDGE = 1e-8
"""Of the mean curvature: dependent rows share their load."""
_FACE_FLOOR = 1.0
"""Share of a box's mean face that is added to every face: thin ends do not run away."""
_AREA_FLOOR = 1e-4
"""Of the squared diagonal, for boxes without area."""


class Separations(NamedTuple):
    """Of pairs of boxes, for fifteen directions each: faces of a, faces of b, edge by edge."""

    gap: Float[Tensor, "k 15"]
    """What the direction leaves between the two; -inf where edges are parallel."""
    passed: Float[Tensor, "k 15"]
    """What it would leave if the two were to pass one another: the opposite direction."""
    shift_a: Float[Tensor, "k 15 3"]
    """Derivatives by moves of a along its own axes."""
    shift_b: Float[Tensor, "k 15 3"]

    @property
    def distance(self) -> Float[Tensor, " k"]:
        """Distance of the boxes, a lower bound of it at corners; negative where they overlap."""
        beside = self.gap[:, :6].clamp_min(0).view(-1, 2, 3).norm(dim=2).amax(1)
        return torch.maximum(self.gap.amax(1), torch.where(beside > 0, beside, -torch.inf))


def separations(a: Boxes, b: Boxes) -> Separations:
    """Measure what fifteen directions leave between boxes, row by row (Gottschalk et al. 1996)."""
    cross = torch.linalg.cross(a.frame[:, :, None], b.frame[:, None, :], dim=3).flatten(1, 2)
    length = cross.norm(dim=2, keepdim=True)
    askew = length > _PARALLEL
    cross = cross / torch.where(askew, length, torch.ones_like(length))
    way = torch.cat([a.frame, b.frame, cross], dim=1)  # (k, 15, 3)
    along = (way @ (b.centre - a.centre)[:, :, None])[:, :, 0]
    side = torch.where(along < 0, -1.0, 1.0).to(along)
    way = way * side[:, :, None]
    on_a, on_b = way @ a.frame.transpose(1, 2), way @ b.frame.transpose(1, 2)
    reach = (on_a.abs() @ a.half[:, :, None] + on_b.abs() @ b.half[:, :, None])[:, :, 0]
    usable = torch.cat([torch.ones_like(askew[:, :6]), askew], dim=1)[:, :, 0]
    gap = torch.where(usable, along.abs() - reach, -torch.inf)
    passed = torch.where(usable, -along.abs() - reach, -torch.inf)
    return Separations(gap, passed, -on_a, on_b)


class Contacts(NamedTuple):
    """Pairs of leaves that are to touch."""

    a: Int[Tensor, " k"]
    b: Int[Tensor, " k"]
    shape: Int[Tensor, " k"]


class _Program(NamedTuple):
    """One convex program a shape: least ``resist . change^2`` at which no direction separates."""

    coefficients: Float[Tensor, "k 30 12"]
    """Change of every gap by those of the generators of a (shift 3, growth 3) and b."""
    excess: Float[Tensor, "k 30"]
    """By how much every gap is to fall at least."""
    variables: Int[Tensor, "k 12"]
    """Position of those among the variables of the shape."""
    shape: Int[Tensor, " k"]
    resist: Float[Tensor, "shapes variables"]


class _Rows(NamedTuple):
    """Some of a program's rows, padded."""

    matrix: Float[Tensor, "shapes rows variables"]
    target: Float[Tensor, "shapes rows"]
    filled: Bool[Tensor, "shapes rows"]
    place: tuple[Tensor, Tensor]
    """Shape and row of every chosen ``(k, 30)`` entry, in order."""


def closing(
    leaves: Boxes,
    source: Int[Tensor, " n"],
    contacts: Contacts,
    *,
    diagonal: Float[Tensor, " shapes"],
    weight: Float[Tensor, " n"],
    stiffness: float,
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Find the least changes of boxes after which all contacts touch.

    All images of a generator change as it does. A face resists in proportion to its area, and to
    the number and weight of its images: a leg is made longer rather than a seat thicker.

    Args:
        leaves: Boxes with axes named as in their generator's.
        source: Row of each box's generator.
        contacts: What is to touch.
        diagonal: Of every shape.
        weight: Of every generator, its images together.
        stiffness: How much harder it is to stretch a box than to move it by the same amount.

    Returns:
        Shifts of the generators in their own axes and growth of their half lengths; 0 in other
        rows.

    Raises:
        ValueError: No contacts.
    """
    if not len(contacts.a):
        raise ValueError("closing gaps needs contacts; got none")
    used, generator = torch.unique(
        source[torch.stack([contacts.a, contacts.b])], return_inverse=True
    )
    shape = torch.zeros_like(used).index_put((generator,), contacts.shape.expand(2, -1))
    slot, width = _slots(shape, len(diagonal))
    half, size = leaves.half[used], diagonal[shape, None]
    area = 4 * half[:, [1, 2, 0]] * half[:, [2, 0, 1]]
    area = area + _FACE_FLOOR * area.mean(1, keepdim=True) + _AREA_FLOOR * size**2
    # In diagonals, so that numbers do not depend on the unit.
    area = weight[used, None] * area / size**2
    variable = slot[:, None] * 6 + torch.arange(6, device=slot.device)
    resist = torch.ones(len(diagonal), width * 6).to(area)
    resist = resist.index_put(
        (shape[:, None].expand(-1, 6), variable), torch.cat([area, stiffness * area], dim=1)
    )
    apart = separations(leaves.pick(contacts.a), leaves.pick(contacts.b))
    program = _Program(
        coefficients=torch.cat([_derivatives(apart, 1.0), _derivatives(apart, -1.0)], dim=1),
        excess=torch.cat([apart.gap, apart.passed], dim=1) / diagonal[contacts.shape, None]
        + _OVERLAP,
        variables=variable[generator].transpose(0, 1).flatten(1),
        shape=contacts.shape,
        resist=resist,
    )
    with torch.no_grad():
        active = _active_rows(program)
    result = leaves.centre.new_zeros(len(source), 6)
    if not bool(active.any()):
        return result[:, :3], result[:, 3:]
    rows = _rows(program, active)
    load = _solved(_hessian(program, rows), rows.target, rows.filled)
    change = -_least_change(program, rows, load)
    change = change[shape[:, None], variable] * size
    result = result.index_copy(0, used, change)
    return result[:, :3], result[:, 3:]


def _derivatives(apart: Separations, sign: float) -> Float[Tensor, "k 15 12"]:
    """Of gaps along the directions or against them, by shifts and growth of a and of b."""
    growth_a, growth_b = -apart.shift_a.abs(), -apart.shift_b.abs()
    return torch.cat([sign * apart.shift_a, growth_a, sign * apart.shift_b, growth_b], dim=2)


def _slots(owner: Tensor, owners: int) -> tuple[Tensor, int]:
    """Position of each thing among those of one owner, and the most that one owns."""
    count = torch.bincount(owner, minlength=owners)
    order = torch.argsort(owner, stable=True)
    first = count.cumsum(0) - count
    place = torch.arange(len(owner), device=owner.device) - first[owner[order]]
    return torch.zeros_like(owner).index_copy(0, order, place), int(count.max())


def _active_rows(program: _Program) -> Bool[Tensor, "k 30"]:
    """The rows that hold the boxes back at the solution.

    Rows are taken in as they are violated, the worst one of every contact at a time: most never
    matter.
    """
    chosen = _worst(program.excess, program.excess > 0)
    active = chosen
    if not bool(chosen.any()):
        return active
    for _ in range(_ROUNDS):
        rows = _rows(program, chosen)
        inside = torch.zeros_like(rows.filled)
        inside[rows.place] = active[chosen]
        inside, load = _complementary(_hessian(program, rows), rows, inside)
        active = torch.zeros_like(chosen)
        active[chosen] = inside[rows.place]
        change = -_least_change(program, rows, load)
        own = change[program.shape[:, None], program.variables]
        left = program.excess + (program.coefficients @ own[:, :, None])[:, :, 0]
        missing = _worst(left, (left > _OVERLAP / 2) & ~chosen)
        if not bool(missing.any()):
            break
        chosen = chosen | missing
    return active


def _worst(values: Tensor, among: Tensor) -> Tensor:
    """The largest value of every row, if it is among those that count."""
    worst = torch.where(among, values, -torch.inf).argmax(1, keepdim=True)
    return torch.zeros_like(among).scatter(1, worst, value=True) & among


def _complementary(hessian: Tensor, rows: _Rows, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Multipliers >= 0 that leave no row violated, and the rows where they are positive.

    Block principal pivoting: all rows of the wrong sign are exchanged as long as they become
    fewer, else the last one alone, which ends in any case (Kim and Park, *Fast nonnegative matrix
    factorization*, 2011, algorithm 2; Portugal, Judice and Vicente 1994).
    """
    inside = inside.clone()
    load = torch.zeros_like(rows.target)
    fewest = torch.full_like(inside[:, 0], inside.shape[1] + 1, dtype=torch.long)
    patience = torch.full_like(fewest, _PATIENCE)
    left = torch.arange(len(inside), device=inside.device)
    for _ in range(_EXCHANGES):
        own = inside[left]
        found = _solved(hessian[left], rows.target[left], own)
        load[left] = found
        rest = rows.target[left] - (hessian[left] @ found[:, :, None])[:, :, 0]
        wrong = torch.where(own, found < 0, rest > _SLACK) & rows.filled[left]
        count = wrong.sum(1)
        last = torch.arange(wrong.shape[1], device=left.device)
        last = last == (wrong * (last + 1)).amax(1, keepdim=True) - 1
        fewer = count < fewest[left]
        fewest[left] = torch.minimum(count, fewest[left])
        patience[left] = torch.where(fewer, _PATIENCE, patience[left] - 1)
        alone = patience[left] < 0
        inside[left] = own ^ torch.where(alone[:, None], wrong & last, wrong)
        left = left[count > 0]
        if not len(left):
            break
    return inside, load.clamp_min(0)


def _rows(program: _Program, chosen: Bool[Tensor, "k 30"]) -> _Rows:
    contact, way = chosen.nonzero().unbind(1)
    shape = program.shape[contact]
    shapes, variables = program.resist.shape
    slot, height = _slots(shape, shapes)
    matrix = program.resist.new_zeros(shapes, height, variables)
    index = (shape[:, None].expand(-1, 12), slot[:, None].expand(-1, 12))
    # A ring's neighbours are images of one generator: both ends add up.
    matrix = matrix.index_put(
        (*index, program.variables[contact]), program.coefficients[contact, way], accumulate=True
    )
    place = (shape, slot)
    target = program.resist.new_zeros(shapes, height)
    target = target.index_put(place, program.excess[contact, way])
    filled = torch.zeros(shapes, height, dtype=torch.bool, device=shape.device)
    return _Rows(matrix, target, filled.index_put(place, torch.ones_like(shape) > 0), place)


def _hessian(program: _Program, rows: _Rows) -> Tensor:
    eased = rows.matrix / program.resist[:, None]
    hessian = eased @ rows.matrix.transpose(1, 2)
    count = rows.filled.sum(1).clamp_min(1)
    mean = hessian.diagonal(dim1=1, dim2=2).sum(1) / count
    return hessian + torch.diag_embed((_RIDGE * mean)[:, None].expand(rows.filled.shape))


def _solved(hessian: Tensor, target: Tensor, inside: Tensor) -> Tensor:
    """Multipliers at which the inside rows hold with equality; 0 outside."""
    both = inside[:, :, None] & inside[:, None, :]
    matrix = torch.where(both, hessian, torch.zeros_like(hessian))
    matrix = matrix + torch.diag_embed((~inside).to(matrix))
    right = torch.where(inside, target, torch.zeros_like(target))
    solution: Tensor = torch.linalg.solve(matrix, right)
    return solution


def _least_change(program: _Program, rows: _Rows, load: Tensor) -> Tensor:
    return (load[:, None] @ rows.matrix)[:, 0] / program.resist
