"""Gaps are closed by the least change: against an independent solver, and against exact gaps."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import gaps
from shapegen.structures.projection_contacts import Contacts, closing, separations
from shapegen.structures.projection_motions import Boxes
from shapegen.structures.projection_solver import box_frames

Array = NDArray[np.float64]

STIFFNESS = 2.0


def cluster(seed: int, count: int, tilt: float) -> Array:
    """Boxes side by side on a line of random steps, thin and thick."""
    rng = np.random.RandomState(seed)
    boxes = np.zeros((count, 12))
    boxes[:, :3] = rng.normal(size=(count, 3))
    boxes[:, 3:6] = rng.choice([0.1, 0.5, 1.0], size=(count, 3))
    boxes[:, [6, 10]] = 1
    boxes[:, 6:] += tilt * rng.normal(size=(count, 6))
    return box_algebra.orthonormalised(boxes)


def links(seed: int, count: int, number: int, shapes: int) -> Contacts:
    rng = np.random.RandomState(seed)
    pairs = np.array([rng.choice(count, 2, replace=False) for _ in range(number)])
    shape = np.repeat(np.arange(shapes), number)
    every = np.concatenate([pairs + n * count for n in range(shapes)])
    return Contacts(*(torch.from_numpy(v) for v in (every[:, 0], every[:, 1], shape)))


def resistance(leaves: Boxes, diagonal: float) -> Array:
    """Areas of the faces across each axis, plus their mean and .0001 squared diagonals."""
    side = 2 * leaves.half.numpy()
    area = side[:, [1, 2, 0]] * side[:, [2, 0, 1]]
    area = area + area.mean(1, keepdims=True) + 1e-4 * diagonal**2
    return np.concatenate([area, STIFFNESS * area], axis=1).ravel()


def least_change(leaves: Boxes, contacts: Contacts, diagonal: float) -> Array:
    """All rows at once by least distance programming (Lawson and Hanson 1974, chapter 23)."""
    apart = separations(leaves.pick(contacts.a), leaves.pick(contacts.b))
    gap = torch.cat([apart.gap, apart.passed], dim=1).numpy()
    rows = np.zeros((*gap.shape, len(leaves.half), 6))
    for end, shift in ((contacts.a, apart.shift_a), (contacts.b, apart.shift_b)):
        both = np.concatenate([shift.numpy(), -shift.numpy()], axis=1)
        for k, node in enumerate(end.tolist()):
            rows[k, :, node, :3] += both[k]
            rows[k, :, node, 3:] -= np.abs(both[k])
    scale = np.sqrt(resistance(leaves, diagonal))
    usable = gap > -np.inf
    matrix = -rows[usable].reshape(int(usable.sum()), -1) / scale
    system = np.concatenate([matrix.T, gap[usable][None]])
    target = np.zeros(len(system))
    target[-1] = 1
    left = system @ nnls(system, target, maxiter=10_000)[0] - target
    change: Array = (-left[:-1] / left[-1] / scale).reshape(-1, 6)
    return change


@pytest.mark.parametrize("tilt", [0.0, 0.02, 1.0])
def test_changes_are_the_least_that_close_all_gaps(tilt: float) -> None:
    shapes, count = 6, 7
    boxes = np.concatenate([cluster(seed, count, tilt) for seed in range(shapes)])
    contacts = links(3, count, 10, shapes)
    diagonal = torch.full((shapes,), 3.0, dtype=torch.float64)
    leaves = box_frames(torch.from_numpy(boxes))
    shift, growth = closing(
        leaves,
        torch.arange(len(boxes)),
        contacts,
        diagonal=diagonal,
        weight=torch.ones(len(boxes), dtype=torch.float64),
        stiffness=STIFFNESS,
    )
    after = boxes.copy()
    after[:, :3] += torch.einsum("na,naj->nj", shift, leaves.frame).numpy()
    after[:, 3:6] += 2 * growth.numpy()
    pairs = torch.stack([contacts.a, contacts.b], dim=1).numpy()
    assert gaps(boxes, pairs).max() > 0.1
    assert gaps(after, pairs).max() < 1e-9
    own = torch.cat([shift, growth], dim=1).numpy()
    for n in range(shapes):
        rows = slice(n * count, (n + 1) * count)
        some = contacts.shape == n
        part = Contacts(
            contacts.a[some] - n * count, contacts.b[some] - n * count, contacts.shape[some]
        )
        inside = Boxes(*(v[rows] for v in leaves))
        expected = least_change(inside, part, 3.0)
        cost = [(resistance(inside, 3.0) * v.ravel() ** 2).sum() for v in (own[rows], expected)]
        assert cost[0] == pytest.approx(cost[1], rel=1e-4, abs=1e-9)
        np.testing.assert_allclose(own[rows], expected, atol=2e-4)


@pytest.mark.parametrize("tilt", [0.0, 1e-4, 1.0])
def test_separations_bound_the_gaps_from_below(tilt: float) -> None:
    boxes = cluster(5, 30, tilt)
    pairs = np.stack(np.triu_indices(30, 1), axis=1)
    frames = box_frames(torch.from_numpy(boxes))
    first, second = torch.from_numpy(pairs).unbind(1)
    distance = separations(frames.pick(first), frames.pick(second)).distance.numpy()
    exact = gaps(boxes, pairs)
    assert (distance <= exact + 1e-9).all()
    np.testing.assert_array_equal(distance <= 1e-12, exact <= 1e-12)
    if tilt == 0:
        np.testing.assert_allclose(distance[exact > 0], exact[exact > 0], atol=1e-9)


def test_images_of_one_generator_change_together() -> None:
    """Two posts, one an image of the other by a shift: the shelf misses only the second."""
    boxes = np.array(
        [
            [-1, 0, 0, 0.2, 1, 0.2, 1, 0, 0, 0, 1, 0],
            [1.05, 0, 0, 0.2, 1, 0.2, 1, 0, 0, 0, 1, 0],
            [0, 0, 0, 1.8, 0.1, 0.2, 1, 0, 0, 0, 1, 0],
        ]
    )
    leaves = box_frames(torch.from_numpy(boxes))
    shift, growth = closing(
        leaves,
        torch.tensor([0, 0, 2]),
        Contacts(torch.tensor([0, 1]), torch.tensor([2, 2]), torch.tensor([0, 0])),
        diagonal=torch.tensor([2.4], dtype=torch.float64),
        weight=torch.tensor([2.0, 1, 1], dtype=torch.float64),
        stiffness=1.0,
    )
    low, high = shift[:, 0] - growth[:, 0], shift[:, 0] + growth[:, 0]
    assert float(high[2] - low[0]) == pytest.approx(0.05, abs=1e-6)
    assert float(shift[1].abs().max() + growth[1].abs().max()) == 0
    # The touching face of the generator moves; its other one touches the shelf's other end.
    assert float(high[0] - low[2]) >= -1e-6


def test_no_contacts_are_refused() -> None:
    leaves = box_frames(torch.from_numpy(cluster(0, 2, 0.0)))
    none = torch.empty(0, dtype=torch.int64)
    ones = torch.ones(2, dtype=torch.float64)
    with pytest.raises(ValueError, match="needs contacts"):
        closing(
            leaves,
            torch.arange(2),
            Contacts(none, none, none),
            diagonal=ones[:1],
            weight=ones,
            stiffness=1.0,
        )
