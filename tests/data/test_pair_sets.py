"""Procedural pairs: maps and renderings show the same parts; materials are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shapegen.core.camera import framing
from shapegen.data.catalog import make
from shapegen.data.furniture import furniture
from shapegen.data.image_sets import digits, furniture_images
from shapegen.data.pair_sets import LABEL_COLORS, ROLES, edges, furniture_pairs
from shapegen.formats.picture import seen_nodes
from shapegen.images.pairs import ImagePairs
from shapegen.scene import Boxes, Node, Scene
from shapegen.structures.colors import PALETTE, label_color, label_hue


@pytest.fixture(scope="module")
def pairs() -> ImagePairs:
    return furniture_pairs(furniture(20))


def test_the_node_that_is_seen_is_the_nearest_box() -> None:
    """Two boxes that look at the camera, one before the half of the other."""
    boxes = [(0.0, 0.0, 0.0, 2.0, 2.0, 0.1), (0.5, 0.0, 1.0, 1.0, 2.0, 0.1)]
    axes = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    nodes = [Node("group"), *(Node("box", 0, Boxes(np.array([(*box, *axes)]))) for box in boxes)]
    scene = Scene(tuple(nodes))
    camera = framing(
        [[-1, -1, 0], [1, 1, 0]], azimuth=0.0, elevation=0.0, distance=1000.0, margin=0.25
    )
    found = seen_nodes(scene, 16, camera=camera)
    expected = np.full((16, 16), -1)
    expected[4:12, 4:8] = 1
    expected[4:12, 8:12] = 2
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="needs boxes, meshes or points to be seen; got none"):
        seen_nodes(Scene((Node("group"),)), 16)


def test_maps_lie_where_the_renderings_do(pairs: ImagePairs) -> None:
    masks = pairs.masks()
    assert set(masks.unique().tolist()) <= set(range(len(LABEL_COLORS)))
    far = (pairs.target.pixels - 1).abs().amax(1)
    # What is no part is background, but for pixels of which less than a half is a part.
    assert (far[masks == 0] > 0.9).float().mean() < 0.02
    assert (far[masks > 0] > 0.02).float().mean() > 0.98
    plain = furniture_images(furniture(20))
    torch.testing.assert_close((plain.pixels < 1).any(1), far > 0)


def test_parts_have_their_roles_color_or_its_complement_and_both_as_often() -> None:
    """By the brightest channel's order: shading scales a colour in linear light."""
    pairs = furniture_pairs(furniture(60, category="chair"))
    masks, seen = pairs.masks(), {True: 0, False: 0}
    role = ROLES.index("amber") + 1
    for mask, pixels in zip(masks, pairs.target.pixels, strict=True):
        if (mask == role).sum() >= 20:
            red, _, blue = ((pixels[:, mask == role] + 1) / 2).median(1).values
            seen[bool(red > blue)] += 1
    assert sum(seen.values()) > 40
    assert 0.3 < seen[True] / sum(seen.values()) < 0.7


def test_a_shapes_pair_depends_on_it_alone(pairs: ImagePairs) -> None:
    again = make("furniture-pairs", count=5, start=7)
    assert isinstance(again, ImagePairs)
    assert torch.equal(again.target.pixels, pairs.target.pixels[7:12])
    assert torch.equal(again.source.pixels, pairs.source.pixels[7:12])
    assert again.source.names == tuple(tree.name for tree in furniture(5, start=7))
    assert again.source.labels.tolist() == [2, 3, 4, 0, 1]


def test_roles_are_hues() -> None:
    for label in ("chair/chair_seat", "table/table_base", "bed/bedding", "lamp/xyz"):
        assert PALETTE[label_hue(label)] == label_color(label)
    assert label_hue("bed/bedding/pillow") == "sky"
    assert [label_hue(f"chair/chair_{part}") for part in ("back", "seat", "base", "arm")] == [
        "blue",
        "amber",
        "brick",
        "teal",
    ]


def test_digits_and_what_became_of_them() -> None:
    inverted, outlined = (make(f"digits-{kind}", count=6) for kind in ("inverted", "edges"))
    assert isinstance(inverted, ImagePairs)
    assert isinstance(outlined, ImagePairs)
    assert inverted.source.pixels.shape == (6, 1, 16, 16)
    assert torch.equal(inverted.target.pixels, -inverted.source.pixels)
    assert torch.equal(outlined.target.pixels, inverted.source.pixels)
    assert torch.equal(inverted.source.labels, digits(6).labels)
    assert not torch.equal(outlined.source.pixels, outlined.target.pixels)


def test_edges_are_the_range_of_nine_pixels() -> None:
    pixels = torch.rand(2, 1, 6, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = edges(pixels)
    for row, column in ((0, 0), (2, 3), (5, 4)):
        part = pixels[1, 0, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        assert found[1, 0, row, column].item() == pytest.approx(float(part.max() - part.min()) - 1)
    assert torch.equal(edges(torch.full((1, 1, 4, 4), 0.3)), torch.full((1, 1, 4, 4), -1.0))
