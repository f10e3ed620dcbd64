"""Closed forms against torch.distributions and against Monte Carlo."""

import pytest
import torch
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from shapegen.core.bounds import importance_weighted
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.mixture import GaussianMixture
from shapegen.core.noise import standard_normal


@pytest.fixture
def posterior(rng: torch.Generator) -> DiagGaussian:
    mean, logvar = torch.randn(2, 5, 7, generator=rng, dtype=torch.float64)
    return DiagGaussian(mean, logvar)


def reference(posterior: DiagGaussian) -> Independent:
    return Independent(Normal(posterior.mean, (0.5 * posterior.logvar).exp()), 1)


def test_mahalanobis_is_what_the_density_falls_by(posterior: DiagGaussian) -> None:
    x = posterior.mean + 0.3
    fall = posterior.log_prob(posterior.mean) - posterior.log_prob(x)
    torch.testing.assert_close(posterior.mahalanobis(x), 2 * fall)


def test_kl_is_that_of_torch(posterior: DiagGaussian) -> None:
    prior = Independent(Normal(torch.zeros(7).double(), torch.ones(7).double()), 1)
    wanted = kl_divergence(reference(posterior), prior)
    torch.testing.assert_close(posterior.kl_standard(), wanted)
    torch.testing.assert_close(posterior.kl_standard_per_dim().sum(1), wanted)


def test_log_prob_is_that_of_torch(posterior: DiagGaussian, rng: torch.Generator) -> None:
    x = torch.randn(5, 7, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(posterior.log_prob(x), reference(posterior).log_prob(x))


def test_draws_have_the_stated_moments_and_carry_gradients(rng: torch.Generator) -> None:
    mean = torch.tensor([1.0, -2.0], requires_grad=True)
    logvar = torch.tensor([0.0, 1.0], requires_grad=True)
    draws = DiagGaussian(mean.expand(100_000, 2), logvar.expand(100_000, 2)).rsample(rng=rng)
    # 100,000 draws: standard error .003 of the mean and about 1 % of the variance
    torch.testing.assert_close(draws.mean(0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(draws.var(0), logvar.exp(), rtol=0.02, atol=0)
    draws.sum().backward()
    assert mean.grad is not None
    assert (logvar.grad != 0).any()


def test_one_stream_gives_one_noise() -> None:
    like = torch.zeros(1)
    a = standard_normal((4, 2), like=like, rng=torch.Generator().manual_seed(5))
    b = standard_normal((4, 2), like=like, rng=torch.Generator().manual_seed(5))
    assert torch.equal(a, b)


def clusters(rng: torch.Generator) -> torch.Tensor:
    centres = torch.tensor([[0.0, 0.0, 5.0], [4.0, 0.0, 0.0], [0.0, -6.0, 0.0]])
    noise = torch.randn(3, 400, 3, generator=rng) * torch.tensor([0.3, 0.5, 1.0])
    return (centres[:, None] + noise).reshape(-1, 3)


def test_a_mixture_finds_clusters_and_their_widths(rng: torch.Generator) -> None:
    x = clusters(rng)
    mixture = GaussianMixture(3, 3)
    mixture.fit(x, rng=rng, shrinkage=0.0)
    order = (mixture.centre + mixture.mean @ mixture.basis).argmax(0)
    # 400 points a cluster: standard error of a mean up to 1 / 20
    means = mixture.centre + mixture.mean @ mixture.basis
    torch.testing.assert_close(means[order[2]], torch.tensor([0.0, 0.0, 5.0]), atol=0.2, rtol=0)
    torch.testing.assert_close(
        mixture.log_weight.exp(), torch.full((3,), 1 / 3), atol=0.01, rtol=0
    )
    tril = mixture.basis.T @ mixture.scale_tril
    widths = (tril @ tril.mT).diagonal(dim1=1, dim2=2).sqrt()
    torch.testing.assert_close(widths, torch.tensor([[0.3, 0.5, 1.0]] * 3), atol=0.1, rtol=0)


def test_a_mixtures_density_is_that_of_torch(rng: torch.Generator) -> None:
    x = clusters(rng)
    mixture = GaussianMixture(4, 3)
    mixture.fit(x, rng=rng)
    wanted = MixtureSameFamily(
        Categorical(logits=mixture.log_weight),
        MultivariateNormal(
            mixture.centre + mixture.mean @ mixture.basis,
            mixture.basis.T @ mixture.scale_tril @ mixture.scale_tril.mT @ mixture.basis,
        ),
    )
    torch.testing.assert_close(mixture.log_prob(x), wanted.log_prob(x), rtol=1e-4, atol=1e-4)


def test_more_iterations_never_fit_worse(rng: torch.Generator) -> None:
    x = clusters(rng)
    scores = []
    for iterations in (1, 3, 30):
        mixture = GaussianMixture(6, 3)
        seeded = torch.Generator().manual_seed(1)
        mixture.fit(x, rng=seeded, iterations=iterations, shrinkage=0.0, floor=0.0)
        scores.append(float(mixture.log_prob(x).mean()))
    assert scores == sorted(scores)
    assert scores[-1] > scores[0]


def test_a_mixtures_draws_follow_its_density(rng: torch.Generator) -> None:
    mixture = GaussianMixture(3, 3)
    mixture.fit(clusters(rng), rng=rng)
    draws = mixture.sample(20_000, rng=rng)
    # Mean log-density of own draws is minus the entropy; a refit reaches the same within noise.
    again = GaussianMixture(3, 3)
    again.fit(draws, rng=rng, shrinkage=0.0)
    assert abs(float(mixture.log_prob(draws).mean() - again.log_prob(draws).mean())) < 0.05


def test_a_temperature_scales_draws_about_the_means_of_their_components(
    rng: torch.Generator,
) -> None:
    mixture = GaussianMixture(3, 3, rank=2)
    mixture.fit(clusters(rng), rng=rng)
    means = mixture.centre + mixture.mean @ mixture.basis
    apart = []
    for temperature in (1.0, 0.5, 1e-9):
        draws = mixture.sample(500, temperature=temperature, rng=torch.Generator().manual_seed(1))
        apart.append(draws - means[torch.cdist(draws, means).argmin(1)])
    torch.testing.assert_close(apart[1], 0.5 * apart[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(apart[2], torch.zeros_like(apart[2]), atol=1e-5, rtol=0)


def test_a_subspace_mixture_is_a_density_and_keeps_the_directions_that_vary(
    rng: torch.Generator,
) -> None:
    x = clusters(rng) * torch.tensor([1.0, 1.0, 0.01])
    mixture = GaussianMixture(3, 3, rank=2)
    mixture.fit(x, rng=rng, shrinkage=0.0)
    draws = mixture.sample(20_000, rng=rng)
    torch.testing.assert_close(draws.mean(0), x.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(draws.std(0), x.std(0), rtol=0.05, atol=0)
    # The integral of the density over a box around the data is 1, by importance sampling.
    low, high = x.min(0).values - 2, x.max(0).values + 2
    low[2], high[2] = -0.3, 0.3
    points = low + (high - low) * torch.rand(400_000, 3, generator=rng)
    integral = mixture.log_prob(points).exp().mean() * (high - low).prod()
    torch.testing.assert_close(integral, torch.ones(()), atol=0.05, rtol=0)


def test_too_few_or_bad_vectors_are_refused(rng: torch.Generator) -> None:
    with pytest.raises(ValueError, match="5 components need that many finite vectors; got 3"):
        GaussianMixture(5, 2).fit(torch.zeros(3, 2), rng=rng)
    with pytest.raises(ValueError, match="finite"):
        GaussianMixture(1, 2).fit(torch.full((3, 2), float("inf")), rng=rng)
    with pytest.raises(ValueError, match="at least one component"):
        GaussianMixture(0, 2)
    with pytest.raises(ValueError, match="rank must be from 1 to 2; got 3"):
        GaussianMixture(1, 2, rank=3)


def test_entropy_is_that_of_torch(posterior: DiagGaussian) -> None:
    torch.testing.assert_close(posterior.entropy(), reference(posterior).entropy())


def test_a_bound_of_many_draws_comes_to_the_likelihood(rng: torch.Generator) -> None:
    # x = z + noise, both N(0, 1): x is N(0, 2), and any posterior gives it, in the limit.
    x = torch.tensor([0.5, -1.0, 2.0])
    posterior = DiagGaussian(0.4 * x[:, None], torch.full((3, 1), -0.3))
    z = torch.stack([posterior.rsample(rng=rng) for _ in range(5000)])
    prior, noise = Normal(0.0, 1.0), Normal(z[..., 0], 1.0)
    weights = prior.log_prob(z[..., 0]) + noise.log_prob(x) - posterior.log_prob(z)
    right = Normal(0.0, 2**0.5).log_prob(x)
    torch.testing.assert_close(importance_weighted(weights), right, atol=0.01, rtol=0)
    elbo = weights.mean(0)
    torch.testing.assert_close(importance_weighted(weights[:1]), weights[0])
    tenth = importance_weighted(weights.view(10, 500, 3)).mean(0)
    assert ((elbo < tenth) & (tenth < right + 0.01)).all()
