"""Principal components of rows that are many or long, against a singular value decomposition."""

from __future__ import annotations

import pytest
import torch

from shapegen.metrics.principal import GaussianRows


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (9, 9)])
def test_components_are_singular_vectors(shape: tuple[int, int], rng: torch.Generator) -> None:
    rows = torch.randn(shape, generator=rng, dtype=torch.float64) + 3
    found = GaussianRows(rows, 4)
    _, values, axes = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    torch.testing.assert_close(found.spread.flip(0), values[:4] / (len(rows) - 1) ** 0.5)
    cosines = (found.axes.flip(1).T @ axes[:4].T).abs()
    torch.testing.assert_close(cosines, torch.eye(4).double(), atol=1e-6, rtol=0)
    exact = GaussianRows(rows, 40).reconstruct(rows)
    torch.testing.assert_close(exact, rows)


def test_draws_have_the_rows_mean_and_covariance(rng: torch.Generator) -> None:
    rows = torch.randn(5, 3, generator=rng, dtype=torch.float64) * torch.tensor([1.0, 2, 3])
    drawn = GaussianRows(rows).sample(40_000, rng=rng)
    torch.testing.assert_close(drawn.mean(0), rows.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), rows.T.cov(), atol=0.4, rtol=0.05)
    with pytest.raises(ValueError, match="at least 2 shapes; got 1"):
        GaussianRows(rows[:1])
