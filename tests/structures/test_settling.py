"""Settling mends gaps and feet, keeps symmetries exact, and leaves sound shapes alone."""

import numpy as np
import pytest
import torch

from shapegen.core import boxes as box_algebra
from shapegen.data.furniture import furniture
from shapegen.structures import symmetry
from shapegen.structures.contact import gap
from shapegen.structures.grass import GRASS, GRASSConfig
from shapegen.structures.grass_decoding import DecodedTrees, decode_free
from shapegen.structures.merge_tree import REFLECTIVE, MergeTree
from shapegen.structures.merging import to_merge_tree
from shapegen.structures.settling import Generators, _change, settled
from shapegen.structures.stability import connected, pieces, standing

AXES = [1.0, 0, 0, 0, 1, 0]
NO_SYMMETRY = [symmetry.NONE] + [0.0] * 7
MIRROR_X = [REFLECTIVE, 1.0, 0, 0, 0, 0, 0, 0]


def box(centre: list[float], lengths: list[float]) -> list[float]:
    return [*centre, *lengths, *AXES]


def stool(leg_top: float, leg_bottom: float) -> Generators:
    """A seat at height 1, a wide front support, and two mirrored back legs."""
    height = leg_top - leg_bottom
    boxes = [
        box([0, 1.0, 0], [1.0, 0.1, 1.0]),
        box([0, 0.5, 0.4], [0.9, 0.9, 0.1]),
        box([0.4, (leg_top + leg_bottom) / 2, -0.4], [0.1, height, 0.1]),
    ]
    syms = np.array([NO_SYMMETRY, NO_SYMMETRY, MIRROR_X])
    return Generators(np.array(boxes), syms, np.array([0.0, 0, 1]))


def after(shape: Generators) -> Generators:
    return Generators(settled(shape), shape.syms, shape.counts)


def test_a_sound_shape_is_returned_as_it_is() -> None:
    shape = stool(leg_top=0.95, leg_bottom=0.05)
    np.testing.assert_array_equal(settled(shape), shape.boxes)


def test_a_shape_of_too_many_boxes_is_left_alone() -> None:
    shape = stool(leg_top=0.85, leg_bottom=0.05)
    many = Generators(
        np.repeat(shape.boxes, 70, axis=0), np.repeat(shape.syms, 70, axis=0), np.zeros(210)
    )
    np.testing.assert_array_equal(settled(many), many.boxes)


def test_a_gap_is_closed_along_the_leg_on_both_sides() -> None:
    shape = stool(leg_top=0.85, leg_bottom=0.05)
    assert not connected(shape.expanded()[0])
    boxes, _ = after(shape).expanded()
    assert connected(boxes)
    assert gap(boxes[0], boxes[2]) < 1e-6 > gap(boxes[0], boxes[3])
    bottom = box_algebra.corners(boxes)[2:, :, 1].min(1)
    np.testing.assert_allclose(bottom, 0.05, atol=1e-9)  # stretched, not moved
    np.testing.assert_allclose(boxes[3, :3] * [-1, 1, 1], boxes[2, :3], atol=1e-12)


def test_feet_are_let_down_to_the_ground() -> None:
    shape = stool(leg_top=0.95, leg_bottom=0.15)
    shape.boxes[0, 2] = -0.3  # the seat's weight is behind the front support
    assert not standing(shape.expanded()[0])
    boxes, _ = after(shape).expanded()
    assert standing(boxes)
    np.testing.assert_allclose(box_algebra.corners(boxes)[2:, :, 1].min(1), 0.05, atol=1e-9)


def test_a_piece_beside_is_moved_until_it_touches() -> None:
    shape = stool(leg_top=0.95, leg_bottom=0.05)
    turned = np.sqrt(0.5)
    floating = [0.9, 1.1, 0.1, 0.1, 0.1, 0.1, turned, 0, turned, 0, 1, 0]
    boxes = np.concatenate([shape.boxes, [floating]])
    more = Generators(
        boxes, np.concatenate([shape.syms, [NO_SYMMETRY]]), np.append(shape.counts, 0)
    )
    assert len(np.unique(pieces(more.expanded()[0]))) == 2
    mended = after(more)
    assert connected(mended.expanded()[0])
    np.testing.assert_array_equal(mended.boxes[:3], boxes[:3])


def test_mended_copies_are_still_images_of_their_generators() -> None:
    turned = [0.5, 0.7, 0.1, *[0.2, 0.9, 0.1], *[0.8, 0.6, 0], *[-0.6, 0.8, 0]]
    shape = Generators(
        np.array([box([0, 1.3, 0], [0.4, 0.1, 0.4]), turned]),
        np.array([NO_SYMMETRY, [-1.0, 0, 1, 0, 0, 0, 0, 0.25]]),
        np.array([0.0, 3]),
    )
    mended = after(shape)
    assert not np.array_equal(mended.boxes, shape.boxes)
    boxes, source = mended.expanded()
    assert connected(boxes)
    for copy, row in enumerate(np.flatnonzero(source == 1)):
        turn = symmetry.rotation_matrices(np.array([[0.0, 1, 0]]), np.array([copy * np.pi / 2]))[0]
        image = box_algebra.transformed(boxes[1][None], rotation=turn)
        np.testing.assert_allclose(boxes[row], image[0], atol=1e-9)


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_noisy_furniture_is_mended(noise: float) -> None:
    """Centres and lengths off by some per cent of the shape: nearly all are things again."""
    rng = np.random.default_rng(0)
    good = total = 0
    for shape in furniture(40, category="chair", seed=3):
        tree = to_merge_tree(shape)
        decoded = as_decoded(tree, noise, rng)
        boxes = decoded.settled().expanded()[0]
        assert len(boxes) == len(decoded.expanded()[0])  # no copy is lost or made
        good += connected(boxes) and standing(boxes)
        total += connected(decoded.expanded()[0]) and standing(decoded.expanded()[0])
    assert good >= 38
    assert total < good


def as_decoded(tree: MergeTree, noise: float, rng: np.random.Generator) -> DecodedTrees:
    boxes = tree.boxes.copy()
    boxes[:, :6] += noise * rng.normal(size=boxes[:, :6].shape)
    parent = np.full(len(tree), -1)
    for node, children in enumerate(tree.children()):
        parent[list(children)] = node
    return DecodedTrees(
        kind=tree.ops,
        shape=np.zeros(len(tree), dtype=np.int64),
        parent=parent,
        boxes=boxes,
        syms=tree.syms,
        labels=np.full(len(boxes), -1),
        complete=np.array([True]),
    )


def test_a_model_settles_what_it_decodes() -> None:
    torch.manual_seed(0)
    sizes = {"feature_dim": 8, "hidden_dim": 8, "components": 2}
    model = GRASS(GRASSConfig(**sizes, settle=True))
    z = torch.randn(20, 8)
    decoded = decode_free(model.decoder, z, model.config.limits)
    for tree, boxes in zip(model.decode(z), decoded.settled().expanded(), strict=True):
        np.testing.assert_allclose(
            np.sort(tree.boxes()[:, :3], 0), np.sort(boxes[:, :3], 0), atol=1e-9
        )


def test_refined_codes_fit_their_shapes_better() -> None:
    torch.manual_seed(0)
    model = GRASS(GRASSConfig(feature_dim=16, hidden_dim=16, components=2))
    shapes = furniture(6, category="chair", seed=1)
    prepared = model.prepare(shapes)
    batch = prepared[torch.arange(6)]
    mean = model.posterior(prepared).mean
    torch.testing.assert_close(model.encode(shapes), mean)
    refined = model.refine(batch, mean, 30)
    before, after = (sum(model.losses(batch, z).values()) for z in (mean, refined))
    assert (after < before).all()
    alone = model.refine(prepared[torch.tensor([2])], mean[2:3], 30)
    torch.testing.assert_close(alone, refined[2:3], rtol=1e-3, atol=1e-3)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    "sym",
    [
        MIRROR_X,
        [-1.0, 0, 1, 0, 0.1, 0, 0.2, 1 / 3],
        [0.0, 0.5, 0, 0.1, 9, 9, 9, 0],
    ],
)
@pytest.mark.parametrize("stretch", [None, 0, 1, 2])
def test_a_copy_is_changed_through_its_generator(sym: list[float], stretch: int | None) -> None:
    """What is asked of the copy in its own axes happens to the copy."""
    tilted = [0.5, 0.7, 0.1, 0.2, 0.9, 0.1, 0.8, 0.6, 0, -0.48, 0.64, 0.6]
    shape = Generators(np.array([tilted]), np.array([sym]), np.array([2.0 if sym[0] < 1 else 1.0]))
    before, source = shape.expanded()
    part = len(before) - 1
    local = np.array([0.03, -0.05, 0.07])
    _change(shape, source, part, local, stretch=stretch)
    after = shape.expanded()[0]
    moved = local if stretch is None else np.eye(3)[stretch] * local[stretch] / 2
    frame = box_algebra.axes(before[part][None])[0]
    np.testing.assert_allclose(after[part, :3], before[part, :3] + moved @ frame, atol=1e-12)
    grown = np.zeros(3) if stretch is None else np.eye(3)[stretch] * abs(local[stretch])
    np.testing.assert_allclose(after[part, 3:6], before[part, 3:6] + grown, atol=1e-12)
