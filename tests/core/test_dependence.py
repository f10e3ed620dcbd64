"""What vectors say of their classes."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from shapegen.core.dependence import BANDWIDTHS, class_discrepancy


def test_it_is_the_mean_over_pairs_of_classes_written_as_loops(rng: torch.Generator) -> None:
    labels = torch.tensor([0, 2, 0, 1, 2, 0, 1, 4, 2])
    codes = torch.randn(9, 3, generator=rng, dtype=torch.float64) + labels[:, None]
    scaled = (codes - codes.mean(0)) / codes.std(0)

    def similar(i: int, j: int) -> float:
        squared = float((scaled[i] - scaled[j]).square().sum())
        return sum(math.exp(-squared / (width * 3)) for width in BANDWIDTHS)

    def mean(a: list[int], b: list[int]) -> float:
        found = [similar(i, j) for i in a for j in b if i != j]
        return sum(found) / len(found)

    # Class 4 has one member and does not count.
    members = [[i for i in range(9) if labels[i] == label] for label in range(3)]
    found = [
        mean(a, a) + mean(b, b) - 2 * mean(a, b) for a, b in itertools.combinations(members, 2)
    ]
    expected = sum(found) / len(found)
    assert class_discrepancy(codes, labels).item() == pytest.approx(expected, rel=1e-9)


def test_two_points_far_from_each_other() -> None:
    codes, labels = torch.tensor([1.0, -1.0]).repeat(50)[:, None], torch.tensor([0, 1]).repeat(50)
    squared = 4 * 99 / 100
    apart = sum(math.exp(-squared / width) for width in BANDWIDTHS)
    assert class_discrepancy(codes, labels).item() == pytest.approx(6 - 2 * apart, rel=1e-5)


def test_units_do_not_count_and_order_neither(rng: torch.Generator) -> None:
    codes, labels = torch.randn(30, 2, generator=rng), torch.arange(30) % 3
    codes = codes + 0.5 * labels[:, None]
    order = torch.randperm(30, generator=rng)
    found = class_discrepancy(codes, labels)
    moved = codes * torch.tensor([0.01, 30.0]) - 5
    torch.testing.assert_close(
        class_discrepancy(moved[order], labels[order]), found, rtol=1e-3, atol=0
    )


def test_it_is_zero_on_average_where_classes_are_drawn_blindly(rng: torch.Generator) -> None:
    codes = torch.randn(24, 2, generator=rng)
    draws = torch.stack(
        [
            class_discrepancy(codes, (torch.arange(24) % 3)[torch.randperm(24, generator=rng)])
            for _ in range(400)
        ]
    )
    error = float(draws.std() / 20)
    assert abs(float(draws.mean())) < 4 * error
    # A class that is told from the first number has more than any draw.
    telling = class_discrepancy(codes, codes[:, 0].argsort().argsort() // 8)
    assert telling > draws.max()


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 2], [0, 0, 1]])
def test_where_there_are_no_two_classes_it_is_zero(labels: list[int]) -> None:
    codes = torch.randn(3, 2, requires_grad=True)
    found = class_discrepancy(codes, torch.tensor(labels))
    found.backward()
    assert found == 0
    assert codes.grad is not None


def test_codes_that_do_not_vary_have_finite_gradients() -> None:
    codes = torch.zeros(6, 2, requires_grad=True)
    class_discrepancy(codes, torch.arange(6) % 2).backward()
    assert codes.grad is not None
    assert codes.grad.isfinite().all()
