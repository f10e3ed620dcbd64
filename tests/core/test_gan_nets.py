"""Networks of the adversarial game: shapes, norms, labels."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from shapegen.core.gan_nets import (
    Condition,
    GanNetwork,
    LabelHead,
    LabelJudge,
    ResidualBlock,
    gan_features,
    gan_generator,
    one_hot_planes,
)
from shapegen.core.seeding import seeded

NETWORKS = get_args(GanNetwork)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (28, 28)])
def test_images_come_out_and_go_in(network: GanNetwork, size: tuple[int, int]) -> None:
    with seeded(0):
        make = gan_generator(network, 5, size, (6, 8), 3)
        features, length = gan_features(network, 3, size, (6, 8))
    images = make(torch.randn(4, 5))
    assert images.shape == (4, 3, *size)
    assert images.abs().max() <= 1
    assert images.std(0).mean() > 1e-4  # other noise, another image
    assert features(images).shape == (4, length)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_logit_is_of_its_own_image_alone(network: GanNetwork) -> None:
    """Unless the spread of the batch is shown."""
    with seeded(0):
        x = torch.randn(4, 1, 8, 8)
        plain = LabelJudge(network, 1, (8, 8), (6, 8))
        beside = LabelJudge(network, 1, (8, 8), (6, 8), stddev=True)
    torch.testing.assert_close(plain(x)[:2], plain(x[:2]))
    assert not torch.allclose(beside(x)[:2], beside(x[:2]))


@pytest.mark.parametrize("network", NETWORKS)
def test_spectral_norm_bounds_every_layer(network: GanNetwork) -> None:
    with seeded(0):
        judge = LabelJudge(network, 1, (8, 8), (6, 8), spectral=True)
        for _ in range(100):
            judge(torch.randn(2, 1, 8, 8))
    layers = [m for m in judge.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    assert layers
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("condition", get_args(Condition))
def test_a_label_changes_the_logit(condition: Condition) -> None:
    with seeded(0):
        judge = LabelJudge("dcgan", 1, (8, 8), (4,), classes=3, condition=condition)
        x = torch.randn(2, 1, 8, 8)
    found = torch.stack([judge(x, torch.full((2,), label)) for label in range(3)])
    assert (found[0] != found[1]).all()
    assert (found[1] != found[2]).all()


def test_projection_is_its_formula() -> None:
    with seeded(0):
        head, rows = LabelHead(4, 3), torch.randn(5, 4)
    labels = torch.tensor([0, 1, 2, 1, 0])
    assert head.classes is not None
    vectors = head.classes.weight[labels] + head.linear.weight
    torch.testing.assert_close(head(rows, labels), (rows * vectors).sum(1) + head.linear.bias)


def test_planes_are_one_where_the_class_is() -> None:
    planes = one_hot_planes(torch.tensor([2, 0]), 3, torch.zeros(2, 1, 2, 2))
    assert planes[0].flatten(1).sum(1).tolist() == [0, 0, 4]
    assert planes[1].flatten(1).sum(1).tolist() == [4, 0, 0]


def test_a_residual_block_begins_near_the_identity() -> None:
    with seeded(0):
        block, x = ResidualBlock(4, 4), torch.randn(2, 4, 5, 5)
    difference = (block(x) - x).abs().mean() / x.abs().mean()
    assert 0 < difference < 0.1
