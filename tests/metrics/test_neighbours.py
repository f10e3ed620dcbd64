"""The nearest training shapes: of every kind of shapes the copy that is among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from shapegen.data.catalog import make
from shapegen.fields.voxels import Voxels
from shapegen.graphs.graphs import Graphs
from shapegen.images.images import Images
from shapegen.images.pairs import ImageDomains, ImagePairs
from shapegen.metrics.boxes import box_set_distance
from shapegen.metrics.neighbours import names_of, nearest_shapes
from shapegen.points.point_clouds import PointClouds
from shapegen.structures.part_tree import PartTrees


def known(kind: str) -> Any:
    rng = np.random.default_rng(0)
    if kind == "trees":
        return make("furniture-chairs", count=12, seed=3)
    if kind == "clouds":
        return PointClouds(rng.normal(size=(12, 40, 3)), [f"c{i}" for i in range(12)])
    if kind == "voxels":
        return Voxels(rng.random((12, 6, 6, 6)) > 0.6)
    if kind == "images":
        return Images(rng.uniform(-1, 1, (12, 1, 5, 5)))
    return make("graphs-community-small", count=12, seed=3)


@pytest.mark.parametrize("kind", ["trees", "clouds", "voxels", "images", "graphs"])
def test_a_copy_finds_itself(kind: str) -> None:
    shapes = known(kind)
    order = [7, 0, 11, 7]
    found = nearest_shapes(shapes[order], shapes)
    assert found.numbers.tolist() == order
    np.testing.assert_allclose(found.distances, 0, atol=1e-6)
    others = nearest_shapes(shapes[[7]], shapes[[0, 1, 2, 3]])
    assert others.distances[0] > 1e-3
    assert found.known is shapes


def test_distances_are_those_of_their_kind() -> None:
    trees = known("trees")
    found = nearest_shapes(trees[:3], trees[3:])
    each = [[box_set_distance(a.boxes(), b.boxes()) for b in trees[3:]] for a in trees[:3]]
    np.testing.assert_allclose(found.distances, np.min(each, axis=1))
    assert found.numbers.tolist() == np.argmin(each, axis=1).tolist()

    clouds = known("clouds")
    found = nearest_shapes(clouds[:3], clouds[3:])
    far = torch.cdist(clouds.points[:3, None].double(), clouds.points[None, 3:].double())
    both = 0.5 * (far.amin(3).mean(2) + far.amin(2).mean(2))
    np.testing.assert_allclose(found.distances, both.amin(1).numpy(), rtol=1e-6)

    voxels = known("voxels")
    found = nearest_shapes(voxels[:3], voxels[3:])
    a, b = voxels.occupancy[:3, None].numpy(), voxels.occupancy[None, 3:].numpy()
    share = (a & b).sum((2, 3, 4)) / (a | b).sum((2, 3, 4))
    np.testing.assert_allclose(found.distances, (1 - share).min(1), rtol=1e-6)

    images = known("images")
    found = nearest_shapes(images[:3], images[3:])
    gap = (images.pixels[:3, None] - images.pixels[None, 3:]).double() / 2
    np.testing.assert_allclose(
        found.distances, gap.square().sum((2, 3, 4)).sqrt().amin(1).numpy(), rtol=1e-6
    )


def cycle(size: int) -> tuple[int, list[tuple[int, int]]]:
    return size, [(node, (node + 1) % size) for node in range(size)]


def graphs_of(*each: tuple[int, list[tuple[int, int]]]) -> Graphs:
    return Graphs(
        [size for size, _ in each], [[tuple(sorted(e)) for e in edges] for _, edges in each]
    )


def test_of_equal_graphs_the_one_of_the_nearest_size_is_taken() -> None:
    path = (9, [(node, node + 1) for node in range(8)])
    shapes = graphs_of(cycle(20), path, cycle(8), cycle(12))
    found = nearest_shapes(graphs_of(cycle(9), cycle(30)), shapes)
    assert found.numbers.tolist() == [2, 0]
    np.testing.assert_allclose(found.distances, 0, atol=1e-9)


@pytest.mark.parametrize("kind", [ImagePairs, ImageDomains])
def test_results_of_pairs_are_compared_with_their_second_side(kind: Any) -> None:
    a, b = known("images"), Images(-known("images").pixels)
    found = nearest_shapes(b[[4, 2]], kind(a, b))
    assert found.numbers.tolist() == [4, 2]
    assert torch.equal(found.known.pixels, b.pixels)


def test_names_are_the_sources() -> None:
    assert names_of(known("clouds"))[:2] == ["c0", "c1"]
    trees = known("trees")
    assert list(names_of(trees)) == [tree.name for tree in trees]


def test_shapes_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one size \(c, h, w\); got \(1, 5, 5\) and \(1, 8, 8\)"):
        nearest_shapes(known("images"), Images(torch.zeros(2, 1, 8, 8)))
    with pytest.raises(TypeError, match="known must be point clouds"):
        nearest_shapes(known("clouds"), known("trees"))
    with pytest.raises(ValueError, match="at least one shape"):
        nearest_shapes(known("trees"), PartTrees([]))
