"""Path lengths of maps whose lengths are known, and the penalty's gradients."""

from __future__ import annotations

import math

import pytest
import torch

from shapegen.core.latent import lerp, slerp
from shapegen.core.path_length import PathPenalty, path_length, path_lengths


def test_the_figure_of_a_linear_map_on_lines(rng: torch.Generator) -> None:
    """The speed is the difference of the ends, wherever on the walk."""
    matrix = torch.randn(12, 5, generator=rng)
    a, b = (torch.randn(20, 5, generator=rng) for _ in range(2))
    found = path_length(
        lambda z: (z @ matrix.T).view(-1, 1, 3, 4), (a, b), torch.rand(20, generator=rng), lerp
    )
    expected = ((b - a) @ matrix.T).square().mean().item()
    assert found == pytest.approx(expected, rel=1e-2)


def test_the_figure_of_an_arc_is_its_length_squared() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    arc, line = (
        path_length(lambda z: z.view(-1, 1, 1, 2), (a, b), torch.tensor([0.3]), walk)
        for walk in (slerp, lerp)
    )
    # Means over two numbers.
    assert arc == pytest.approx((math.pi / 2) ** 2 / 2, rel=1e-2)
    assert line == pytest.approx(2 / 2, rel=1e-2)


def test_features_are_compared_instead_of_pixels(rng: torch.Generator) -> None:
    a, b = (torch.randn(8, 2, generator=rng) for _ in range(2))
    t = torch.rand(8, generator=rng)

    def figure(features: object) -> float:
        return path_length(lambda z: z.view(-1, 1, 1, 2), (a, b), t, lerp, features=features)

    assert figure(lambda x: 3 * x) == pytest.approx(9 * figure(None), rel=1e-2)
    assert figure(torch.zeros_like) == 0


def test_lengths_of_a_linear_map(rng: torch.Generator) -> None:
    """E |J^T y|^2 is the squared Frobenius norm of J over the number of places."""
    matrix = torch.randn(1, 16, 3, generator=rng)

    def images_of(styles: torch.Tensor) -> torch.Tensor:
        return (matrix @ styles[:, 0, :, None]).view(-1, 1, 4, 4)

    styles = torch.randn(4000, 1, 3, generator=rng)
    lengths = path_lengths(images_of, styles, rng=rng)
    expected = matrix.square().sum().item() / 16
    assert lengths.square().mean().item() == pytest.approx(expected, rel=0.05)
    # A mean over layers: one that does nothing halves the squares.
    twice = path_lengths(images_of, styles.expand(-1, 2, -1).contiguous(), rng=rng)
    assert twice.square().mean().item() == pytest.approx(expected / 2, rel=0.05)


def test_the_penalty_is_0_where_all_lengths_are_the_mean_and_pulls_to_it(
    rng: torch.Generator,
) -> None:
    penalty, scale = PathPenalty().eval(), torch.tensor(2.0, requires_grad=True)

    def images_of(styles: torch.Tensor) -> torch.Tensor:
        return scale * styles[:, :, :, None]

    styles = torch.randn(5, 1, 1, generator=rng)
    # One pixel: the length is |2 y|.
    stream = torch.Generator().manual_seed(1)
    y = torch.randn(5, 1, 1, 1, generator=torch.Generator().manual_seed(1)).flatten()
    found = penalty(images_of, styles, rng=stream)
    torch.testing.assert_close(found, (2 * y.abs()).square().mean())
    (slope,) = torch.autograd.grad(found, scale)
    torch.testing.assert_close(slope, 4 * y.square().mean())
    with torch.no_grad():
        again = penalty(images_of, styles, rng=torch.Generator().manual_seed(1))
        torch.testing.assert_close(again, found)
        penalty.mean.fill_(float(2 * y[0].abs()))
        alone = penalty(images_of, styles[:1], rng=torch.Generator().manual_seed(1))
        assert alone.item() == pytest.approx(0, abs=1e-9)


def test_the_mean_follows_in_training_alone(rng: torch.Generator) -> None:
    penalty, styles = PathPenalty(), torch.randn(5, 1, 4, generator=rng)

    def images_of(styles: torch.Tensor) -> torch.Tensor:
        return styles.view(-1, 1, 2, 2)

    penalty(images_of, styles, rng=torch.Generator().manual_seed(1))
    lengths = path_lengths(images_of, styles, rng=torch.Generator().manual_seed(1))
    torch.testing.assert_close(penalty.mean, 0.01 * lengths.mean())
    before = penalty.eval().mean.clone()
    penalty(images_of, styles, rng=rng)
    assert torch.equal(penalty.mean, before)
