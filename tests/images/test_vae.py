"""VAE of images: exact quantities, bounds, and that it learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import shapegen
from shapegen.core.likelihoods import binarised
from shapegen.images.images import Images
from shapegen.images.vae import VAE, VAEConfig
from shapegen.images.validity import binarised_once
from tests.images.image_cases import blobs
from tests.monte_carlo import kl_by_draws

SMALL: dict[str, Any] = {"size": (8, 8), "latent_dim": 2, "hidden": (16,)}


def build(**changes: Any) -> VAE:
    torch.manual_seed(0)
    return VAE(VAEConfig(**(SMALL | changes))).eval()


@pytest.mark.parametrize("head", ["bernoulli", "gaussian", "logistic"])
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_gradients_reach_every_weight(head: Any, network: Any) -> None:
    model = build(head=head, network=network, hidden=(8, 16), size=(7, 6), channels=3).train()
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    loss, terms = objective.loss(model.prepare(blobs(4, 3, (7, 6))), 0)
    loss.backward()
    # A residual block begins as the identity: only its last layer has a gradient at first.
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
    assert all(value.isfinite() for value in terms.values())


def test_the_loss_is_minus_the_bound() -> None:
    model = build(binarise=False)
    pixels = binarised_once(blobs(6).pixels)
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(3))
    loss, terms = objective.loss(pixels, 0)
    posterior = model.posterior(pixels)
    z = posterior.rsample(rng=torch.Generator().manual_seed(3))
    expected = model.log_prob_given(pixels, z) - posterior.kl_standard()
    torch.testing.assert_close(loss, -expected.mean())
    torch.testing.assert_close(terms["kl"], posterior.kl_standard().mean())
    doubled = build(binarise=False, beta=2.0)
    (objective,) = doubled.objectives(rng=torch.Generator().manual_seed(3))
    more, _ = objective.loss(pixels, 0)
    torch.testing.assert_close(more - loss, posterior.kl_standard().mean())


def test_the_divergence_is_warmed_up_in_training_alone() -> None:
    model = build(binarise=False, kl_warmup=4, beta=2.0).train()
    pixels = binarised_once(blobs(6).pixels)

    def loss(step: int) -> float:
        (objective,) = model.objectives(rng=torch.Generator().manual_seed(3))
        return float(objective.loss(pixels, step)[0].detach())

    kl = model.posterior(pixels).kl_standard().mean().item()
    whole = loss(3)
    assert [whole - loss(step) for step in (0, 1, 2, 99)] == pytest.approx(
        [1.5 * kl, kl, 0.5 * kl, 0], abs=1e-4
    )
    model.eval()
    assert loss(0) == whole


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_what_the_loss_charges_for_codes_is_the_divergence_of_their_draws(network: Any) -> None:
    model = build(binarise=False, network=network, hidden=(8, 16)).double()
    pixels = binarised_once(blobs(6).pixels).double()
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.mul_(2)
    loss, terms = model.objectives(rng=torch.Generator().manual_seed(3))[0].loss(pixels, 0)
    expected, error = kl_by_draws(model.posterior(pixels))
    assert expected > 50 * error
    assert loss.item() + terms["log_prob"].item() == pytest.approx(expected, abs=5 * error)
    assert float(terms["kl"]) == pytest.approx(expected, abs=5 * error)


def test_free_bits_cost_nothing() -> None:
    model = build(binarise=False, free_bits=5.0)
    pixels = blobs(6).pixels
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(3))
    loss, terms = objective.loss(pixels, 0)
    per_dim = model.posterior(pixels).kl_standard_per_dim().mean(0)
    assert (per_dim < 5).all()
    torch.testing.assert_close(loss, 10.0 - terms["log_prob"])


def test_bounds_tighten_and_the_plane_tells_the_truth() -> None:
    """Evidence bound <= importance-weighted ones <= the integral over the plane of codes."""
    model = build()
    pixels = binarised_once(blobs(5).pixels)
    rng = torch.Generator().manual_seed(0)
    bounds = [
        torch.stack([model.importance_bound(pixels, draws, rng=rng) for _ in range(repeats)])
        for draws, repeats in ((1, 400), (5, 100), (20000, 2))
    ]
    means = [float(each.mean()) for each in bounds]
    assert means[0] < means[1] < means[2]
    side = torch.linspace(-6, 6, 121)
    grid = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).view(-1, 2)
    prior = -0.5 * grid.square().sum(1) - math.log(2 * math.pi) + 2 * math.log(0.1)
    with torch.no_grad():
        outputs = model.decoder(grid)
        exact = torch.stack(
            [
                (prior + model.head.log_prob(outputs, image.expand(len(grid), 1, 8, 8))).logsumexp(
                    0
                )
                for image in pixels
            ]
        )
    torch.testing.assert_close(bounds[2].mean(0), exact, atol=0.05, rtol=0)
    naive = model.naive_log_likelihood(pixels, 20000, rng=rng)
    torch.testing.assert_close(naive, exact, atol=0.1, rtol=0)
    assert means[2] <= float(exact.mean()) + 0.02


def test_a_linear_vae_is_probabilistic_principal_components() -> None:
    """With a linear Gaussian decoder at its optimum the bound is the exact log-likelihood."""
    model = build(network="mlp", head="gaussian", hidden=(4,))
    rng = torch.Generator().manual_seed(0)
    # Orthogonal factors, for which the posterior has no correlations.
    factors, noise = 3 * torch.linalg.qr(torch.randn(64, 2, generator=rng))[0], 0.3
    decoder = torch.nn.Linear(2, 128)
    with torch.no_grad():
        decoder.weight.zero_()
        decoder.weight[:64] = factors
        decoder.bias.zero_()
        # The head adds log(1/2) to what it is given.
        decoder.bias[64:] = math.log(noise) - math.log(0.5)
    model.decoder = torch.nn.Sequential(decoder, torch.nn.Unflatten(1, (2, 8, 8)))
    gain = factors.T / (9 + noise**2)
    logvar = math.log(noise**2 / (9 + noise**2))

    class Exact(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mean = x.flatten(1) @ gain.T
            return torch.cat([mean, torch.full_like(mean, logvar)], 1)

    model.encoder = Exact()
    pixels = (0.2 * torch.randn(5, 1, 8, 8, generator=rng)).clamp(-1, 1)
    covariance = factors @ factors.T + noise**2 * torch.eye(64)
    exact = torch.distributions.MultivariateNormal(torch.zeros(64), covariance)
    expected = exact.log_prob(pixels.flatten(1))
    for draws in (1, 7):
        found = model.importance_bound(pixels, draws, rng=rng)
        torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-4)


def test_it_learns_and_a_file_gives_the_same_samples(tmp_path: Path) -> None:
    model = build(latent_dim=4, hidden=(64,))
    images = blobs(64)
    before = model.figures(images, rng=torch.Generator().manual_seed(0))
    settings = {"epochs": 60, "batch_size": 16, "learning_rate": 5e-3}
    shapegen.fit(model, images, settings, out=tmp_path / "run", progress=False)
    after = model.figures(images, rng=torch.Generator().manual_seed(0))
    assert after["-elbo"] < 0.72 * before["-elbo"]  # which is dark already, as the images are
    assert after["-bound-500"] < after["-elbo"]
    assert after["active dims"] >= 2
    shapegen.save(model, tmp_path / "a.safetensors")
    again = shapegen.load(tmp_path / "a.safetensors")
    a, b = (each.sample(3, rng=torch.Generator().manual_seed(1)) for each in (model, again))
    assert torch.equal(a.pixels, b.pixels)
    walk = model.interpolate(images[0], images[1], 5)
    assert walk.pixels.shape == (5, 1, 8, 8)


def test_importance_weights_are_trained() -> None:
    model = build(draws=5, binarise=False)
    pixels = binarised_once(blobs(4).pixels)
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    loss, _ = objective.loss(pixels, 0)
    expected = model.importance_bound(pixels, 5, rng=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss, -expected.mean())


def test_draws_have_the_decoders_mean() -> None:
    model = build(latent_dim=2)
    z = torch.zeros(1, 2)
    drawn = model.draw(z.expand(4000, 2), rng=torch.Generator().manual_seed(0)).pixels
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(drawn.mean(0), model.decode(z).pixels[0], atol=0.06, rtol=0)


def test_the_manifold_is_a_grid_of_equal_cells() -> None:
    model = build()
    grid = model.manifold(3)
    assert len(grid) == 9
    centre = model.decode(torch.zeros(1, 2)).pixels
    torch.testing.assert_close(grid.pixels[4:5], centre)
    corner = torch.special.ndtri(torch.tensor([[1 / 6, 5 / 6]]))
    torch.testing.assert_close(grid.pixels[:1], model.decode(corner).pixels)
    with pytest.raises(ValueError, match="2 dimensions; the codes have 3"):
        build(latent_dim=3).manifold(3)


def test_a_binary_test_set_is_always_the_same() -> None:
    grey = torch.full((2, 1, 4, 4), 0.5)
    once = binarised_once(grey)
    assert torch.equal(once, binarised_once(grey))
    assert set(once.flatten().tolist()) == {-1.0, 1.0}
    assert torch.equal(binarised(once), once)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"latent_dim": 0}, "latent_dim must be at least 1; got 0"),
        ({"channels": 2}, "channels must be 1 or 3; got 2"),
        ({"size": (0, 8)}, r"at least 1; got \[0, 8\]"),
        ({"hidden": ()}, r"hidden must be widths of at least 1; got \[\]"),
        ({"draws": 5, "kl_warmup": 9}, "beta 1, no free bits, no kl_warmup"),
        ({"kl_warmup": -1}, "kl_warmup must be at least 0; got -1"),
        ({"draws": 5, "beta": 2.0}, "beta 1, no free bits"),
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VAEConfig(**fields)


def test_images_of_another_size_are_refused() -> None:
    model = build()
    with pytest.raises(ValueError, match=r"of images 1 x 8 x 8 .*; got 1 x 9 x 8"):
        model.prepare(blobs(2, size=(9, 8)))
    with pytest.raises(ValueError, match="at least one image"):
        model.encode(Images(torch.zeros(1, 1, 8, 8))[:0])
    with pytest.raises(ValueError, match="at least one draw; got 0"):
        model.importance_bound(blobs(2), 0)
