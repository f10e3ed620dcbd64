"""Projection into latents: against least squares, and what it keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shapegen.core.latent_projection import ProjectionOptions, project
from shapegen.core.seeding import seeded


def drawing(seed: int, size: int) -> Any:
    rng = torch.Generator().manual_seed(seed)
    return lambda n: torch.randn(n, size, generator=rng)


def linear() -> Tensor:
    return torch.randn(12, 3, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("prior", [0.0, 0.5])
def test_a_linear_generator_against_ridge_regression(prior: float) -> None:
    matrix = linear()
    targets = torch.randn(6, 12, generator=torch.Generator().manual_seed(6))
    options = ProjectionOptions(steps=400, prior=prior)
    found = project(lambda z: z @ matrix.T, targets, drawing(0, 3), options)
    # (A'A / m + lambda / (2 d) 2 / 2 I) z = A'x / m
    left = matrix.T @ matrix / 12 + prior / (2 * 3) * torch.eye(3)
    expected = torch.linalg.solve(left, matrix.T @ targets.T / 12).T
    torch.testing.assert_close(found.latents, expected, atol=1e-3, rtol=0)
    errors = (expected @ matrix.T - targets).square().mean(1)
    torch.testing.assert_close(found.residuals, errors, atol=1e-4, rtol=0)


def test_latents_of_generated_shapes_are_recovered() -> None:
    with seeded(0):
        network = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 30)).eval()
    latents = torch.randn(10, 4, generator=torch.Generator().manual_seed(1))
    targets = network(latents).detach()
    found = project(network, targets, drawing(0, 4), ProjectionOptions(prior=0.0))
    assert (found.latents - latents).abs().max() < 0.05  # of a standard deviation of 1
    assert found.residuals.max() < 1e-4 * found.nearest.min()
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_nearest_sample_is_where_it_starts() -> None:
    matrix, targets = linear(), torch.ones(2, 12)
    found = project(
        lambda z: z @ matrix.T, targets, drawing(0, 3), ProjectionOptions(steps=0, prior=0.0)
    )
    z = drawing(0, 3)(256)
    errors = (z @ matrix.T - 1).square().mean(1)
    torch.testing.assert_close(found.nearest, errors.min().expand(2))
    torch.testing.assert_close(found.residuals, errors.min().expand(2))
    assert torch.equal(found.latents[0], z[errors.argmin()])


def test_a_target_does_not_depend_on_those_beside_it() -> None:
    with seeded(0):
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 6))
    targets = torch.randn(70, 6, generator=torch.Generator().manual_seed(1))
    options = ProjectionOptions(steps=20)
    all_of_them = project(network, targets, drawing(3, 4), options)
    alone = project(network, targets[66:68], drawing(3, 4), options)
    torch.testing.assert_close(all_of_them.latents[66:68], alone.latents)
    torch.testing.assert_close(all_of_them.residuals[66:68], alone.residuals)


def test_restarts_leave_a_valley_that_is_not_the_deepest() -> None:
    """Two valleys, at -1 and 2, the second one deeper: one search from the left misses it."""

    def bumps(z: Tensor) -> Tensor:
        return torch.where(z < 0.4, (z + 1).square() + 0.3, (z - 2).square())

    def starts(n: int) -> Tensor:
        return torch.tensor([[-1.0], [0.5]])

    results = [
        project(bumps, torch.zeros(1, 1), starts, ProjectionOptions(
            restarts=restarts, candidates=2, prior=0.0
        ))
        for restarts in (1, 2)
    ]  # fmt: skip
    assert results[0].latents.item() == pytest.approx(-1, abs=1e-2)
    assert results[1].latents.item() == pytest.approx(2, abs=0.05)


def test_features_say_what_is_compared() -> None:
    """Of the sum alone: another point of the same sum will do, and the nearest is on the line."""
    found = project(
        lambda z: z,
        torch.tensor([[3.0, 1.0]]),
        drawing(0, 2),
        ProjectionOptions(prior=0.0),
        features=lambda shapes: shapes.sum(1, keepdim=True),
    )
    assert found.latents.sum().item() == pytest.approx(4, abs=1e-3)
    assert (found.latents - torch.tensor([[3.0, 1.0]])).abs().max() > 0.1


def test_choices_stay() -> None:
    def draw(n: int) -> Tensor:
        return torch.cat([drawing(0, 2)(n), torch.eye(2)[torch.arange(n) % 2]], 1)

    targets = torch.tensor([[2.0, 3.0, 0.4, 0.3]])
    found = project(lambda z: z, targets, draw, choices=slice(2, 4))
    assert sorted(found.latents[0, 2:].tolist()) == [0, 1]
    torch.testing.assert_close(found.latents[:, :2], targets[:, :2], atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": -1}, "steps must be at least 0; got -1"),
        ({"restarts": 0}, "restarts must be at least 1; got 0"),
        ({"restarts": 8, "candidates": 7}, "candidates must be at least 8; got 7"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0; got 0.0"),
        ({"prior": -1.0}, "prior must be at least 0; got -1.0"),
    ],
)
def test_settings_of_no_search(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProjectionOptions(**fields)


def test_targets_of_another_shape() -> None:
    for targets in (torch.zeros(2, 5), torch.zeros(0, 4)):
        with pytest.raises(ValueError, match=r"targets must be \(n, 4\); got \("):
            project(lambda z: z, targets, drawing(0, 4))
