"""The likelihoods that an evaluation reports."""

import math

import pytest
import torch

from shapegen.points.normalisation import resample
from shapegen.points.pointflow_figures import gaussian_nats
from tests.points.pointflow_cases import clouds, stirred


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_figures_are_of_points_that_the_code_has_not_seen() -> None:
    model, held_out = stirred(), clouds(5, 40, seed=9)
    found = model.figures(held_out, rng=stream())
    drawn = resample(held_out.points, 40, replace=False, rng=stream())
    seen, others = drawn[:, :20], drawn[:, 20:]
    nats = model.nats_given(others, model.encode(seen)).mean(1)
    assert found["nll"] == pytest.approx(float(nats.mean()))
    assert found["nll standard error"] == pytest.approx(float(nats.std()) / math.sqrt(5))
    assert found["nll-rk4-16"] == pytest.approx(found["nll"], abs=1e-3)
    assert found["nll-gaussian"] == pytest.approx(
        float(gaussian_nats(model.normalise(seen), model.normalise(others)).mean())
    )


def test_a_gaussians_nats_are_those_of_scipy() -> None:
    from scipy.stats import multivariate_normal

    rng = torch.Generator().manual_seed(0)
    stretch = torch.tensor([3.0, 1.0, 0.2])
    seen, others = (torch.randn(2, 50, 3, generator=rng) * stretch + 1 for _ in range(2))
    found = gaussian_nats(seen, others)
    for cloud, x, nats in zip(seen.double().numpy(), others.double().numpy(), found, strict=True):
        normal = multivariate_normal(
            cloud.mean(0), ((cloud - cloud.mean(0)).T @ (cloud - cloud.mean(0))) / 50
        )
        torch.testing.assert_close(nats, -torch.from_numpy(normal.logpdf(x)), atol=1e-4, rtol=1e-4)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="clouds of at least 16 points; got 12"):
        stirred().figures(clouds(2, 12))
