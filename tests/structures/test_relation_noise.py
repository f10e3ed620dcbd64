"""Relations of procedural shapes are found again, exact and under one percent of noise."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from shapegen.core import boxes as box_algebra
from shapegen.structures.contact import set_gap
from shapegen.structures.groups import GroupFinder
from shapegen.structures.part_tree import PartTree, Relation, RelationKind
from shapegen.structures.relations import detect_relations, leaf_boxes

Array = NDArray[np.float64]

ADJ = RelationKind.ADJ


def noisy(tree: PartTree, rng: np.random.RandomState, *, noise: float, own_axes: bool) -> PartTree:
    """Every centre and length moved by Gaussian noise.

    Standard deviation: ``noise`` times the part's diagonal, on every coordinate alike; or, with
    ``own_axes``, times the part's length along each of its own axes.
    """
    sides = tree.box[:, 3:6]
    frame = box_algebra.axes(tree.box)
    scale = sides if own_axes else np.linalg.norm(sides, axis=1, keepdims=True)
    boxes = tree.box.copy()
    place = noise * scale * rng.normal(size=sides.shape)
    boxes[:, :3] += np.einsum("nk,nkj->nj", place, frame)
    boxes[:, 3:6] = np.abs(sides + noise * scale * rng.normal(size=sides.shape))
    return dataclasses.replace(tree, box=boxes)


def linked(edges: Iterable[Relation]) -> Callable[[int], int]:
    """For every node a number of the symmetric group that the relations put it into."""
    root: dict[int, int] = {}

    def find(node: int) -> int:
        while root.setdefault(node, node) != node:
            node = root[node]
        return node

    for edge in edges:
        if edge.kind is not ADJ:
            root[find(edge.b)] = find(edge.a)
    return find


def score(
    trees: Sequence[PartTree], seed: int, *, noise: float, own_axes: bool
) -> tuple[float, float, float]:
    """Shares of listed relations recovered, of detected ones invented, and invented beyond noise.

    Recovered: an ADJ between the same parts; a symmetry whose two parts are in one detected group
    (its relations lead from one to the other; four equal legs may be a ring or two pairs).
    Invented: an ADJ that is not listed; a symmetry of parts that are in no group together and, in
    the exact shape, not images of one another either. Beyond noise: the same without an ADJ of
    parts whose gap in the exact shape is within the noise (``noise`` times the parts' diagonals,
    root mean square), which nothing can tell from a contact.
    """
    rng = np.random.RandomState(seed)
    listed = recovered = detected = invented = beyond = 0
    for tree in trees:
        found = detect_relations(noisy(tree, rng, noise=noise, own_axes=own_axes))
        true_group, found_group = linked(tree.edges), linked(found.edges)
        contacts = {frozenset((e.a, e.b)) for e in found.edges if e.kind is ADJ}
        true_contacts = {frozenset((e.a, e.b)) for e in tree.edges if e.kind is ADJ}
        listed += len(tree.edges)
        detected += len(found.edges)
        for edge in tree.edges:
            if edge.kind is ADJ:
                recovered += frozenset((edge.a, edge.b)) in contacts
            else:
                recovered += found_group(edge.a) == found_group(edge.b)
        leaves, size = leaf_boxes(tree), box_algebra.diagonals(tree.box)
        for edge in found.edges:
            if edge.kind is ADJ:
                if frozenset((edge.a, edge.b)) in true_contacts:
                    continue
                invented += 1
                allowed = noise * np.sqrt(0.5 * (size[edge.a] ** 2 + size[edge.b] ** 2))
                beyond += set_gap(leaves[edge.a], leaves[edge.b]) > allowed
            elif true_group(edge.a) != true_group(edge.b):
                pair = tree.box[[edge.a, edge.b]]
                wrong = not GroupFinder(pair, tolerance=1e-4).find()
                invented, beyond = invented + wrong, beyond + wrong
    return recovered / listed, invented / detected, beyond / detected


@pytest.fixture(scope="module")
def shapes() -> list[PartTree]:
    furniture = pytest.importorskip("shapegen.data.furniture")
    return list(furniture.furniture(100, seed=7))


def test_exact_shapes(shapes: list[PartTree]) -> None:
    recovered, invented, _ = score(shapes, 0, noise=0.0, own_axes=False)
    assert recovered >= 0.99
    assert invented <= 0.01


# On 800 other shapes: .982 and .022 with noise along every axis, .976 and .043 with the
# diagonal's, which is as large as many bars are thick and many slots are wide. What is invented
# are contacts across gaps that are smaller than the noise.


def test_one_percent_noise_along_every_axis(shapes: list[PartTree]) -> None:
    recovered, invented, beyond = score(shapes, 0, noise=0.01, own_axes=True)
    assert recovered >= 0.98
    assert beyond <= 0.02
    assert invented <= 0.03  # .026 here


def test_one_percent_noise_of_the_diagonal(shapes: list[PartTree]) -> None:
    recovered, invented, beyond = score(shapes, 0, noise=0.01, own_axes=False)
    assert recovered >= 0.97
    assert beyond <= 0.05
    assert invented <= 0.06  # .056 here
