"""Layers that see the batch, and packing."""

from __future__ import annotations

import pytest
import torch

from shapegen.core.minibatch import MinibatchDiscrimination, MinibatchStddev, packed
from shapegen.core.seeding import seeded


def test_the_spread_of_a_group_is_added_as_a_channel() -> None:
    x = torch.randn(7, 3, 2, 2)
    out = MinibatchStddev(4)(x)
    assert out.shape == (7, 4, 2, 2)
    assert torch.equal(out[:, :3], x)
    for part in (slice(0, 4), slice(4, 7)):
        expected = x[part].std(0, correction=0).mean()
        torch.testing.assert_close(out[part, 3], expected.expand(part.stop - part.start, 2, 2))


def test_several_channels_are_of_their_own_shares() -> None:
    x = torch.randn(4, 4, 3)
    out = MinibatchStddev(4, channels=2)(x)
    spread = x.std(0, correction=0)
    torch.testing.assert_close(out[0, 4, 0], spread[:2].mean())
    torch.testing.assert_close(out[0, 5, 0], spread[2:].mean())


def test_equal_rows_have_no_spread_and_a_gradient() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    out = MinibatchStddev()(x)
    assert out[:, 2].abs().max() < 1e-3
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("layer", ["stddev", "discrimination"])
def test_the_order_of_a_batch_does_not_matter(layer: str) -> None:
    with seeded(0):
        network = MinibatchStddev(6) if layer == "stddev" else MinibatchDiscrimination(5, 3)
        x, order = torch.randn(6, 5), torch.randperm(6)
    torch.testing.assert_close(network(x)[order], network(x[order]))


def test_nearness_is_a_sum_over_the_others() -> None:
    with seeded(0):
        network = MinibatchDiscrimination(4, 2, 3)
        x = torch.randn(5, 4)
    found = network(x)
    projected = network.project(x).view(5, 2, 3)
    for row in range(5):
        for feature in range(2):
            expected = sum(
                (-(projected[row, feature] - projected[other, feature]).abs().sum()).exp()
                for other in range(5)
                if other != row
            )
            torch.testing.assert_close(found[row, 4 + feature], torch.as_tensor(expected))
    assert torch.equal(found[:, :4], x)
    same = network(x[:1].repeat(5, 1))
    torch.testing.assert_close(same[:, 4:], torch.full((5, 2), 4.0))


def test_packed_rows_stand_behind_one_another() -> None:
    x = torch.arange(10.0).view(5, 2)
    assert packed(x, 2).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    images = torch.randn(4, 3, 2, 2)
    found = packed(images, 2)
    assert found.shape == (2, 6, 2, 2)
    assert torch.equal(found[1, 3:], images[3])
    assert torch.equal(packed(images, 1), images)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="3 rows cannot be packed by 4"):
        packed(torch.zeros(3, 2), 4)
    with pytest.raises(ValueError, match="at least 2 rows and 1 channel; got 1 and 1"):
        MinibatchStddev(1)
