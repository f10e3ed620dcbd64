"""Unrolled discriminators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from shapegen.core.seeding import seeded
from shapegen.core.unrolled import Call, unrolled


@pytest.fixture
def judge() -> nn.Module:
    with seeded(0):
        return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def test_no_steps_are_the_module(judge: nn.Module) -> None:
    x = torch.randn(3, 2, dtype=torch.float64)
    ahead = unrolled(judge, lambda at: at(x).square().mean(), steps=0, rate=0.1)
    assert torch.equal(ahead(x), judge(x))


@pytest.mark.parametrize("steps", [1, 4])
def test_steps_are_those_of_gradient_descent(judge: nn.Module, steps: int) -> None:
    x = torch.randn(3, 2, dtype=torch.float64)
    before = {name: value.clone() for name, value in judge.state_dict().items()}
    ahead = unrolled(judge, lambda at: (at(x) - 1).square().mean(), steps=steps, rate=0.1)
    found = ahead(x)
    for name, value in judge.state_dict().items():
        assert torch.equal(value, before[name])
    optimizer = torch.optim.SGD(judge.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (judge(x) - 1).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(found, judge(x))


def test_gradients_run_through_the_steps(judge: nn.Module) -> None:
    """Against finite differences; the direct part alone is another gradient."""
    for parameter in judge.parameters():
        parameter.requires_grad_(False)  # as in the generator's step
    real = torch.randn(3, 2, dtype=torch.float64)

    def value(fake: Tensor) -> Tensor:
        def loss(at: Call) -> Tensor:
            return (
                nn.functional.softplus(-at(real)).mean() + nn.functional.softplus(at(fake)).mean()
            )

        return nn.functional.softplus(-unrolled(judge, loss, steps=3, rate=0.5)(fake)).mean()

    fake = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(value, (fake,))
    (through,) = torch.autograd.grad(value(fake), fake)
    (direct,) = torch.autograd.grad(nn.functional.softplus(-judge(fake)).mean(), fake)
    assert not torch.allclose(through, direct, rtol=1e-2)
    assert all(parameter.grad is None for parameter in judge.parameters())
