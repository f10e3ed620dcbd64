"""Distances in features: laws, closed forms, torchmetrics, and what the shipped network sees."""

from __future__ import annotations

import gzip
import os
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from shapegen.data.catalog import make
from shapegen.formats.tensors import write_tensors
from shapegen.images.images import Images
from shapegen.metrics import FeatureDistances, image_features
from shapegen.metrics.feature_extractors import (
    NetworkFeatures,
    extractor,
    read_features,
    shipped_features,
)
from shapegen.metrics.feature_network import SIZE, FeatureNetwork, prepared
from shapegen.metrics.image_figures import PcaImages
from shapegen.metrics.kernel_distance import kernel_distance, squared_mmd

DIGITS = Path(os.environ.get("SHAPEGEN_DATA", "../shared/data")) / "images"
WEIGHTS = resources.files("shapegen") / "weights"


class Rows(nn.Module):
    """The pixels themselves: features whose distribution a test chooses."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


ROWS = NetworkFeatures(Rows(), "pixels")


def gaussian(n: int, seed: int, shift: float = 0.0, scale: float = 0.1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (shift + scale * torch.randn(n, 1, 2, 3, generator=rng)).clamp(-1, 1)


# Laws, in features that are the pixels ------------------------------------------------------


def test_gaussians_are_as_far_apart_as_the_closed_form_says() -> None:
    a, b = gaussian(2000, 0), gaussian(2000, 1, shift=0.2, scale=0.05)
    found = FeatureDistances(b, ROWS)(a)["frechet"]
    # Six independent numbers: squared shift, and the squared difference of the deviations.
    assert found == pytest.approx(6 * (0.2**2 + 0.05**2), rel=0.03)


def test_a_set_is_at_no_distance_from_itself_and_the_distance_is_symmetric() -> None:
    a, b = gaussian(60, 0), gaussian(60, 1, shift=0.1)
    ab, ba = FeatureDistances(b, ROWS)(a), FeatureDistances(a, ROWS)(b)
    assert ab["frechet"] == pytest.approx(ba["frechet"], rel=1e-9)
    assert ab["precision"] == ba["recall"]
    itself = FeatureDistances(a, ROWS)(a)
    assert itself["frechet"] == pytest.approx(0, abs=1e-9)
    assert itself["precision"] == itself["recall"] == itself["coverage"] == 1
    assert ab["frechet"] > 0.01


def test_the_kernel_distance_is_its_definition() -> None:
    a, b = ROWS(gaussian(7, 0)), ROWS(gaussian(5, 1, shift=0.1))

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 6 + 1) ** 3)

    inside = [
        np.mean([kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j])
        for rows in (a, b)
    ]
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert squared_mmd(a, b) == pytest.approx(sum(inside) - 2 * across, rel=1e-9)


def test_two_samples_of_one_distribution_are_within_the_error_of_nothing() -> None:
    found = [
        kernel_distance(
            ROWS(gaussian(200, 2 * seed, scale=0.3)),
            ROWS(gaussian(200, 2 * seed + 1, scale=0.3)),
            rng=torch.Generator().manual_seed(seed),
        )
        for seed in range(12)
    ]
    assert all(abs(one.value) < 3 * one.error for one in found)
    # Without bias: on either side of nothing.
    assert min(one.value for one in found) < 0 < max(one.value for one in found)
    other = kernel_distance(ROWS(gaussian(200, 0)), ROWS(gaussian(200, 1, shift=0.3)))
    assert other.value > 10 * other.error


def test_figures_are_those_of_torchmetrics_in_the_same_network() -> None:
    network = shipped_features()._network
    a, b = (Images.of(make("digits", count=90, seed=seed)).pixels for seed in (0, 1))
    b = (b + 0.3).clamp(-1, 1)

    class Whole(nn.Module):
        """As torchmetrics asks for it: it tries its network with bytes first."""

        num_features = 64

        def forward(self, images: Tensor) -> Tensor:
            return network(images.float()).double()

    theirs = FrechetInceptionDistance(feature=Whole(), normalize=True)
    kernel = KernelInceptionDistance(feature=Whole(), subsets=1, subset_size=90, normalize=True)
    for metric in (theirs, kernel):
        metric.update(b, real=True)
        metric.update(a, real=False)
    found = FeatureDistances(b)(a)
    assert found["frechet"] == pytest.approx(float(theirs.compute()), rel=1e-3)
    mean, _ = kernel.compute()
    assert squared_mmd(image_features(a), image_features(b)) == pytest.approx(
        float(mean), rel=1e-3
    )


# What the shipped network sees ----------------------------------------------------------------


def mnist() -> tuple[Tensor, Tensor]:
    """The first 3000 test digits, 28 x 28, and their labels; the network never saw any."""
    files = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    if not all((DIGITS / file).is_file() for file in files):
        pytest.skip(f"no MNIST digits in {DIGITS}; set SHAPEGEN_DATA")
    pixels, labels = (
        np.frombuffer(gzip.decompress((DIGITS / file).read_bytes()), np.uint8, offset=offset)
        for file, offset in zip(files, (16, 8), strict=True)
    )
    images = torch.from_numpy(pixels.reshape(-1, 1, 28, 28)[:3000].copy()).float() / 127.5 - 1
    return images, torch.from_numpy(labels[:3000].copy()).long()


def renders() -> tuple[Tensor, Tensor]:
    """Furniture from one direction, of a seed that the network did not see, and categories."""
    images = Images.of(make("furniture-images", count=400, seed=9))
    assert images.labels is not None
    return images.pixels, images.labels


@pytest.fixture(scope="module", params=[mnist, renders], ids=["mnist", "renders"])
def halves(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, Tensor]:
    """Reference, as many other images, and their labels."""
    images, labels = request.param()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    a, b = order[:200], order[200:400]
    return images[a], images[b], labels[b]


def rises(figures: list[dict[str, float]], name: str) -> bool:
    values = [one[name] for one in figures]
    return all(low < high for low, high in pairwise(values))


def test_distances_rise_with_noise_and_blur(halves: tuple[Tensor, Tensor, Tensor]) -> None:
    reference, others, _ = halves
    measure = FeatureDistances(reference)
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(others.shape, generator=rng)
    noisy = [measure((others + sd * noise).clamp(-1, 1)) for sd in (0.0, 0.1, 0.2, 0.4, 0.8)]
    assert rises(noisy, "frechet")
    assert rises(noisy, "kernel")
    soft, blurs = others, [measure(others)]
    for _ in range(3):
        for _ in range(2):
            soft = functional.avg_pool2d(
                functional.pad(soft, (1, 1, 1, 1), mode="replicate"), 3, stride=1
            )
        blurs.append(measure(soft))
    assert rises(blurs, "frechet")
    assert rises(blurs, "kernel")
    # Real images are told from all of them, and noise and blur are not what fills the balls.
    assert noisy[1]["frechet"] > 1.5 * noisy[0]["frechet"]
    assert blurs[1]["frechet"] > 1.5 * blurs[0]["frechet"]
    assert noisy[-1]["precision"] < 0.2 < noisy[0]["precision"]


def test_distances_rise_with_dropped_modes(halves: tuple[Tensor, Tensor, Tensor]) -> None:
    reference, others, labels = halves
    measure = FeatureDistances(reference)
    count = int(labels.max()) + 1
    found = []
    for kept in (count, (count + 1) // 2, 1):
        some = others[labels < kept]
        found.append(measure(some.repeat(len(others) // len(some) + 1, 1, 1, 1)[: len(others)]))
    assert rises(found, "frechet")
    assert rises(found, "kernel")
    # What is left are real images: precision stays, recall and coverage fall.
    assert found[0]["coverage"] > found[1]["coverage"] > found[2]["coverage"]
    assert found[2]["precision"] > found[2]["coverage"]


def test_distances_rise_with_the_share_of_other_images(
    halves: tuple[Tensor, Tensor, Tensor],
) -> None:
    reference, others, _ = halves
    strange = functional.interpolate(
        Images.of(make("scenes", count=200, seed=3)).pixels, size=others.shape[-1]
    )[:, : others.shape[1]]
    measure = FeatureDistances(reference)
    found = [measure(torch.cat([strange[:n], others[n:]])) for n in (0, 20, 60, 200)]
    assert rises(found, "frechet")
    assert rises(found, "kernel")
    assert found[-1]["precision"] == found[-1]["coverage"] == 0


def test_a_gaussian_of_components_is_between_real_images_and_noise(
    halves: tuple[Tensor, Tensor, Tensor],
) -> None:
    reference, others, _ = halves
    measure, rng = FeatureDistances(reference), torch.Generator().manual_seed(0)
    drawn = PcaImages(others).sample(200, rng=rng)
    noise = torch.rand(others.shape, generator=rng) * 2 - 1
    real, pca, worst = (measure(each) for each in (others, drawn, noise))
    for name in ("frechet", "kernel"):
        assert real[name] < pca[name] < worst[name]
    assert abs(real["kernel"]) < 4 * real["kernel error"] < pca["kernel"]


# The network and its file -------------------------------------------------------------------


def test_grey_images_are_grey_in_colour_and_every_size_is_looked_at() -> None:
    grey = Images.of(make("digits", count=20)).pixels
    np.testing.assert_array_equal(image_features(grey), image_features(grey.expand(-1, 3, -1, -1)))
    assert image_features(grey).shape == (20, 64)
    large = Images.of(make("scenes", count=4)).pixels
    assert prepared(large) is not None
    assert torch.equal(prepared(large), large)
    half = functional.interpolate(large, scale_factor=2, mode="nearest")
    # Antialiased: every pixel of the small image is a mean, so that doubling changes little.
    assert float((prepared(half) - large).abs().mean()) < 0.05
    assert prepared(half[..., : SIZE + 5]).shape == large.shape


def test_features_of_an_image_do_not_depend_on_its_company() -> None:
    pixels = Images.of(make("scenes", count=200, seed=2)).pixels
    together = image_features(pixels)
    np.testing.assert_allclose(image_features(pixels[150:153]), together[150:153], atol=1e-4)
    assert np.array_equal(image_features(pixels), together)
    # In units of the spread over what it was trained on.
    assert 0.2 < together.std() < 3
    first, second = (FeatureDistances(pixels[:100])(pixels[100:]) for _ in range(2))
    assert first == second


def test_the_shipped_network_is_small_and_has_its_card() -> None:
    file = WEIGHTS / "image-features.safetensors"
    assert file.stat().st_size < 1_000_000
    card = (WEIGHTS / "image-features.md").read_text()
    for word in ("held-out", "python -m benchmarks.image_features", "procedural", "Not good at"):
        assert word in card
    network = shipped_features()
    digest = network.name.split("sha256 ")[1].rstrip(")")
    assert digest in card
    assert "32 x 32" in network.resize


def test_settings_say_whose_features_and_how_many_images() -> None:
    measure = FeatureDistances(gaussian(30, 0), ROWS, neighbours=3)
    assert measure.settings({"samples": 20, "reference": 30}) == {
        "extractor": "pixels",
        "resize": "none",
        "dimensions": 6,
        "neighbours": 3,
        "samples": 20,
        "reference": 30,
    }
    assert extractor(ROWS) is ROWS
    assert "kernel error" not in FeatureDistances(gaussian(2, 0), ROWS, neighbours=1)(
        gaussian(2, 1)
    )


class Map(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the reference must be more than 5 images.*got 5"):
        FeatureDistances(gaussian(5, 0), ROWS)
    with pytest.raises(ValueError, match=r"the samples must be more than 5 images.*got 1"):
        FeatureDistances(gaussian(6, 0), ROWS)(gaussian(1, 0))
    with pytest.raises(ValueError, match="neighbours must be at least 1; got 0"):
        FeatureDistances(gaussian(6, 0), ROWS, neighbours=0)
    with pytest.raises(ValueError, match="images must have 1 or 3 channels; got 2"):
        shipped_features()(torch.zeros(1, 2, 8, 8))
    with pytest.raises(ValueError, match="at least one image; got none"):
        shipped_features()(torch.zeros(0, 3, 8, 8))
    with pytest.raises(ValueError, match=r"map must give features \(4, d\); got \(4, 1, 2, 3\)"):
        NetworkFeatures(Map(), "map")(gaussian(4, 0))
    with pytest.raises(TypeError, match="images are needed; got dict"):
        image_features({})
    path = tmp_path / "old.safetensors"
    header = {"kind": "image-features", "version": 0}
    write_tensors(path, FeatureNetwork().state_dict(), header)
    with pytest.raises(ValueError, match=r"holds 'image-features', version 0; .* 1, is due"):
        read_features(path)
