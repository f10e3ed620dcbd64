"""Figures of images: floors, baselines, and what tells a generator from an autoencoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import Tensor

import shapegen
from shapegen.base import GenerativeModel
from shapegen.core.noise import standard_normal
from shapegen.core.seeding import seeded
from shapegen.images.images import Images
from shapegen.metrics.image_evaluation import evaluate_images
from shapegen.metrics.image_figures import ImageMetrics, PcaImages, distances


class Copier(GenerativeModel):
    """Samples are images that it has seen."""

    name = "copier"
    config = None

    def __init__(self, pixels: Tensor) -> None:
        super().__init__()
        self.pixels = pixels

    def prepare(self, shapes: Any) -> Tensor:
        return self.pixels

    def objectives(self, *, rng: torch.Generator | None = None) -> Any:
        return ()

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Images:
        return Images(self.pixels[torch.randperm(len(self.pixels), generator=rng)[:n]])


@pytest.fixture(scope="module")
def digits() -> Images:
    found = load_digits()
    images = Images(torch.tensor(found.images, dtype=torch.float32)[:, None] / 8 - 1, found.target)
    return images[np.random.default_rng(0).permutation(len(images)).tolist()]


def test_components_are_those_of_scikit_learn(digits: Images) -> None:
    rows = digits.pixels.flatten(1).double().numpy()
    theirs = PCA(8, svd_solver="full").fit(rows)
    ours = PcaImages(digits.pixels, 8)
    rebuilt = ours.reconstruct(digits.pixels).flatten(1).numpy()
    expected = theirs.inverse_transform(theirs.transform(rows)).clip(-1, 1)
    np.testing.assert_allclose(rebuilt, expected, atol=1e-6)
    spread = np.sort(ours.encode(digits.pixels).numpy().std(0, ddof=1))
    np.testing.assert_allclose(spread, np.sort(theirs.explained_variance_**0.5), rtol=1e-6)


def test_distances_are_of_brightness(digits: Images) -> None:
    a, b = digits.pixels[:3], digits.pixels[3:7]
    plain = [[float(((x - y) / 2).square().sum().sqrt()) for y in b] for x in a]
    np.testing.assert_allclose(distances(a, b), plain, rtol=1e-6)


def test_a_copier_of_training_images_is_at_the_floor_and_is_found_out(digits: Images) -> None:
    train, test = digits[:1000], digits[1000:1400]
    found = evaluate_images(Copier(train.pixels), train, test, draws=3, n=200)
    for name in ("1nna-l2", "cov-l2"):
        assert found["metrics"][name] == pytest.approx(found["floor"][name], abs=0.06)
        assert found["intervals"][name][0] <= found["intervals"][name][1]
    assert found["memorisation"]["ratio"] < 0.5
    assert found["memorisation"]["ratio_features"] < 0.5
    assert found["metrics"]["frechet"] == pytest.approx(found["floor"]["frechet"], rel=0.3)
    # Images that were never seen are no nearer to the training set.
    honest = evaluate_images(Copier(digits[1400:].pixels), train, test, n=200)
    assert honest["memorisation"]["ratio"] > 0.9
    assert honest["memorisation"]["ratio_features"] > 0.85
    # A Gaussian of principal components is told from digits.
    assert found["baseline"]["1nna-l2"] > found["floor"]["1nna-l2"] + 0.1
    assert found["baseline"]["frechet"] > 1.3 * found["floor"]["frechet"]
    used = found["settings"]["features"]
    assert used["extractor"].startswith("shapegen image-features 1 (sha256 ")
    assert (used["samples"], used["reference"], used["floor_samples"]) == (200, 200, 200)


@pytest.mark.parametrize(("draws", "n"), [(0, 10), (1, 1), (1, 500)])
def test_what_cannot_be_measured_is_refused(digits: Images, draws: int, n: int) -> None:
    model = Copier(digits.pixels)
    with pytest.raises(ValueError, match="draws must be at least 1 and n 2 to 400"):
        evaluate_images(model, digits[:1000], digits[1000:1400], draws=draws, n=n)


# An autoencoder is no generator ------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(digits: Images, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = {"epochs": 40, "batch_size": 50, "learning_rate": 3e-3, "schedule": "cosine"}
    models = {}
    for name in ("autoencoder", "vae"):
        with seeded(0):
            model = shapegen.build(name, size=[8, 8], latent_dim=8, hidden=[128, 64])
        out = tmp_path_factory.mktemp(name)
        shapegen.fit(model, digits[:1400], settings, out=out, progress=False)
        models[name] = model
    return models


def test_decoded_noise_is_an_image_of_a_vae_alone(trained: Any, digits: Images) -> None:
    """The negative test: codes of an autoencoder are anywhere, N(0, I) is not where they are."""
    test = digits.pixels[1400:]
    noise = standard_normal((len(test), 8), like=test, rng=torch.Generator().manual_seed(0))
    measure = ImageMetrics(test)
    found = {name: measure(model.decode(noise).pixels) for name, model in trained.items()}
    assert found["vae"]["1nna-l2"] < found["autoencoder"]["1nna-l2"] - 0.05


def test_codes_of_a_vae_follow_the_prior_and_an_autoencoders_do_not(
    trained: Any, digits: Images
) -> None:
    test = digits[1400:]
    rng = torch.Generator().manual_seed(0)
    prior = standard_normal((len(test), 8), like=test.pixels, rng=rng)
    posterior = trained["vae"].posterior(test.pixels).rsample(rng=rng).detach()
    assert kernel_mmd(posterior, prior) < 0.02
    assert kernel_mmd(trained["autoencoder"].encode(test), prior) > 0.1


def kernel_mmd(a: Tensor, b: Tensor) -> float:
    """Squared maximum mean discrepancy under a Gaussian kernel as wide as N(0, I) is."""

    def mean(x: Tensor, y: Tensor) -> float:
        return float(torch.exp(-torch.cdist(x, y).square() / (2 * x.shape[1])).mean())

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)
