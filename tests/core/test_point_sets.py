"""Chamfer distances against all pairs of points, in values and gradients."""

import pytest
import torch
from torch import Tensor

from shapegen.core import point_sets
from shapegen.core.point_sets import (
    chamfer,
    chamfer_of_pairs,
    gaps_of_pairs,
    nearest,
    nearest_squares,
)

SIZES = [(1, 1, 1), (3, 7, 5), (2, 5, 40), (5, 33, 33)]


def naive(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    squares = (a[:, :, None] - b[:, None]).square().sum(3)
    return squares.min(2).values, squares.min(1).values


def clouds(n: int, p: int, q: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    a, b = (torch.randn(n, k, 3, generator=rng, dtype=torch.float64) for k in (p, q))
    return a.requires_grad_(), b.requires_grad_()


@pytest.fixture(params=[1, 16, 200, 2**21])
def _block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_sets, "_BLOCK", request.param)


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_are_those_of_all_pairs(
    size: tuple[int, int, int], rng: torch.Generator
) -> None:
    a, b = clouds(*size, rng)
    weights = [torch.rand(size[0], k, generator=rng, dtype=torch.float64) for k in size[1:]]
    found, expected = nearest_squares(a, b), naive(a, b)
    for ours, other in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, other)
    ours, other = (
        torch.autograd.grad((w0 * d0).sum() + (w1 * d1).sum(), (a, b))
        for (d0, d1) in (found, expected)
        for w0, w1 in [weights]
    )
    torch.testing.assert_close(ours, other)
    both = expected[0].mean(1) + expected[1].mean(1)
    torch.testing.assert_close(chamfer(a, b), both)
    assert torch.equal(nearest(b, a).forth, nearest(a, b).back)


@pytest.mark.usefixtures("_block")
def test_chosen_pairs(rng: torch.Generator) -> None:
    a, b = clouds(6, 9, 11, rng)
    first, second = (torch.randint(6, (25,), generator=rng) for _ in range(2))
    expected = chamfer(a[first], b[second])
    torch.testing.assert_close(chamfer_of_pairs(a, b, first, second), expected.detach())
    gaps = naive(a[first], b[second])[0].amin(1)
    torch.testing.assert_close(gaps_of_pairs(a, b, first, second), gaps.detach())
    assert chamfer_of_pairs(a, b, first[:0], second[:0]).shape == (0,)


def test_gradients_are_finite_differences(rng: torch.Generator) -> None:
    a, b = clouds(2, 6, 5, rng)
    assert torch.autograd.gradcheck(chamfer, (a, b))


def test_far_from_the_origin_it_is_as_exact(rng: torch.Generator) -> None:
    a, b = (torch.rand(2, 50, 3, generator=rng) for _ in range(2))
    far = torch.tensor([300.0, -200.0, 100.0])
    moved = chamfer(a + far, b + far)
    torch.testing.assert_close(moved, chamfer(a, b), rtol=1e-3, atol=1e-4)
    rows = torch.arange(2)
    torch.testing.assert_close(
        chamfer_of_pairs(a + far, b + far, rows, rows), moved, rtol=1e-3, atol=1e-5
    )


def test_equal_sets_are_at_distance_0_with_no_gradient(rng: torch.Generator) -> None:
    a = torch.randn(2, 30, 3, generator=rng)
    other = a.flip(1).requires_grad_()
    distance = chamfer(a, other)
    assert distance.tolist() == [0, 0]
    assert not torch.autograd.grad(distance.sum(), other)[0].any()


def test_empty_sets_are_refused() -> None:
    for a, b in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match=f"at least one point; got {a} and {b}"):
            chamfer(torch.zeros(1, a, 3), torch.zeros(1, b, 3))
    assert chamfer(torch.zeros(0, 3, 3), torch.zeros(0, 2, 3)).shape == (0,)
