"""Patches: where they are, what is read there, and how their scale is annealed."""

from __future__ import annotations

import math

import pytest
import torch

from shapegen.core.patch import PatchSampler, extract, patches_at, pixel_coordinates

LIKE = torch.zeros(1, dtype=torch.float64)


def test_the_whole_image_is_a_patch() -> None:
    images = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    whole = patches_at(7, torch.ones(2, dtype=torch.float64), torch.zeros(2, 2).double())
    torch.testing.assert_close(extract(images, whole.places), images)


def test_columns_are_x_and_rows_are_y() -> None:
    ramp = torch.arange(5.0).expand(1, 1, 5, 5)
    patch = patches_at(3, torch.tensor([0.5]), torch.tensor([[0.5, -0.5]]))
    torch.testing.assert_close(extract(ramp, patch.places)[0, 0, 0], torch.tensor([2.0, 3.0, 4.0]))
    torch.testing.assert_close(
        extract(ramp.mT.contiguous(), patch.places)[0, 0, :, 0], torch.tensor([0.0, 1.0, 2.0])
    )
    found = pixel_coordinates(patch.places, 5, 5)
    torch.testing.assert_close(found[0, 0, :, 0], torch.tensor([2.0, 3.0, 4.0]))
    torch.testing.assert_close(found[0, :, 0, 1], torch.tensor([0.0, 1.0, 2.0]))


def test_patches_are_read_between_pixels_linearly() -> None:
    """An image that is linear in its pixels has at every place what its formula says."""
    sampler = PatchSampler(side=6, min_scale=0.2, anneal=0.0)
    patches = sampler.draw(20, step=0, like=LIKE, rng=torch.Generator().manual_seed(0))
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(11.0), indexing="ij")
    images = (2 * columns - 3 * rows).double().expand(20, 1, 9, 11)
    at = pixel_coordinates(patches.places, 9, 11)
    torch.testing.assert_close(
        extract(images, patches.places)[:, 0], 2 * at[..., 0] - 3 * at[..., 1]
    )


def test_patches_stay_inside_and_fill_their_ranges() -> None:
    sampler = PatchSampler(side=4, min_scale=0.3, max_scale=0.8, anneal=0.0)
    patches = sampler.draw(4000, step=0, like=LIKE, rng=torch.Generator().manual_seed(0))
    assert patches.places.abs().max() <= 1
    assert patches.scale.min() == pytest.approx(0.3, abs=2e-3)
    assert patches.scale.max() == pytest.approx(0.8, abs=2e-3)
    assert patches.scale.mean() == pytest.approx(0.55, abs=0.01)
    # Offsets are uniform in what the scale leaves, each way.
    shares = patches.offset / (1 - patches.scale[:, None])
    for axis in (0, 1):
        assert shares[:, axis].mean() == pytest.approx(0, abs=0.03)
        assert shares[:, axis].var() == pytest.approx(1 / 3, abs=0.02)
    assert torch.corrcoef(shares.T)[0, 1].abs() < 0.05
    width = patches.places[:, 0, -1, 0] - patches.places[:, 0, 0, 0]
    torch.testing.assert_close(width, 2 * patches.scale)
    torch.testing.assert_close(patches.places.mean((1, 2)), patches.offset)


def test_the_smallest_scale_is_annealed_as_in_grafs_code() -> None:
    sampler = PatchSampler()
    assert sampler.low(0) == 0.9
    assert sampler.low(999) == 0.9
    assert sampler.low(20_000) == pytest.approx(math.exp(-60 * 0.0025))
    # It is reached at iteration 185000.
    assert sampler.low(184_999) > 0.25
    assert sampler.low(185_000) == 0.25
    finer = PatchSampler(min_scale=0.125, anneal=0.0019)
    assert finer.low(364_999) > 0.125
    assert finer.low(365_000) == 0.125
    assert PatchSampler(anneal=0.0).low(0) == 0.25


def test_the_smallest_scale_can_fall_evenly(rng: torch.Generator) -> None:
    sampler = PatchSampler(side=4, min_scale=0.5, anneal_steps=900)
    steps = (0, 300, 450, 900, 5000)
    assert [sampler.low(step) for step in steps] == pytest.approx([1.0, 5 / 6, 0.75, 0.5, 0.5])
    scales = sampler.draw(500, step=450, like=torch.zeros(()), rng=rng).scale
    assert 0.75 <= scales.min() < 0.76 < 0.99 < scales.max() <= 1
    assert sampler.draw(3, step=0, like=torch.zeros(()), rng=rng).scale.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"side": 1}, "side must be at least 2 pixels; got 1"),
        ({"min_scale": 0.0}, "0 < min_scale <= max_scale <= 1; got 0.0 and 1.0"),
        ({"min_scale": 0.5, "max_scale": 0.4}, "got 0.5 and 0.4"),
        ({"anneal": -1.0}, "anneal must be at least 0; got -1.0"),
        ({"anneal_steps": -1}, "anneal_steps must be at least 0; got -1"),
    ],
)
def test_settings_that_make_no_patch(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PatchSampler(**fields)
