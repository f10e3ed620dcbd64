"""Images that are moved a little."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import shapegen
from shapegen.images.warping import warped
from tests.images.image_cases import blobs


def test_nothing_moves_nothing() -> None:
    pixels = blobs(4, channels=3).pixels
    torch.testing.assert_close(warped(pixels, 0.0), pixels)


def test_what_comes_in_is_black_and_levels_stay_in_range() -> None:
    white = torch.ones(200, 1, 8, 8)
    found = warped(white, 0.2, rng=torch.Generator().manual_seed(0))
    assert found.min() >= -1
    assert found.max() <= 1
    assert found[:, 0, 0, 0].min() < -0.9
    assert (found[:, 0, 3:5, 3:5] > 0.99).float().mean() > 0.95


def test_a_disc_moves_by_the_stated_amount_and_in_no_direction() -> None:
    size, amount = 33, 0.1
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    disc = torch.exp(-((x - 16) ** 2 + (y - 16) ** 2) / 8) * 2 - 1
    found = warped(disc.expand(2000, 1, -1, -1), amount, rng=torch.Generator().manual_seed(0))
    mass = (found[:, 0] + 1) / 2
    mass = mass / mass.sum((1, 2), keepdim=True)
    for axis in (x, y):
        moved = (mass * (axis - 16)).sum((1, 2))
        assert abs(moved.mean()) < 0.15
        # A shift of 1 is half an image.
        torch.testing.assert_close(moved.std(), torch.tensor(amount * size / 2), rtol=0.05, atol=0)


def test_every_image_has_a_map_of_its_own_from_the_stream() -> None:
    pixels = blobs(1).pixels.expand(2, -1, -1, -1)
    one, other = (warped(pixels, 0.1, rng=torch.Generator().manual_seed(s)) for s in (0, 0))
    assert torch.equal(one, other)
    assert not torch.allclose(one[0], one[1])


def test_an_autoencoder_sees_moved_images_in_training_alone() -> None:
    sizes: dict[str, Any] = {"size": [8, 8], "latent_dim": 2, "hidden": [16]}
    still = shapegen.build("autoencoder", **sizes)
    moving = shapegen.build("autoencoder", warp=0.2, **sizes)
    moving.load_state_dict(still.eval().state_dict())
    moving.eval()
    pixels = blobs(6).pixels

    def loss(model: Any, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        (objective,) = model.objectives(rng=rng)
        return objective.loss(images, 0)[0].detach()

    seeded = torch.Generator().manual_seed
    assert torch.equal(loss(moving, pixels, seeded(1)), loss(still, pixels, seeded(1)))
    rng = torch.Generator().manual_seed(1)
    expected = loss(still.train(), warped(pixels, 0.2, rng=rng), rng)
    torch.testing.assert_close(loss(moving.train(), pixels, seeded(1)), expected)
    with pytest.raises(ValueError, match="warp must be at least 0; got -1"):
        shapegen.build("autoencoder", warp=-1.0, **sizes)


def test_bends_move_places_by_the_stated_amount_and_smoothly() -> None:
    size, bend = 33, 0.1
    # Brightness says how far right a place is: what it changes by is how far it was moved.
    ramp = torch.linspace(-0.5, 0.5, size).expand(4000, 1, size, size)
    found = warped(ramp, 0.0, bend=bend, rng=torch.Generator().manual_seed(0))
    # From border to border is 2, between the middles of the outer pixels a 33rd less; the middle
    # is a knot.
    moved = 2 * (1 - 1 / size) * (found - ramp)[:, 0]
    middle = moved[:, size // 2, size // 2]
    torch.testing.assert_close(middle.std(), torch.tensor(bend), rtol=0.05, atol=0)
    assert abs(middle.mean()) < 0.01
    neighbour = moved[:, size // 2, size // 2 + 1]
    assert (neighbour - middle).std() < 0.3 * bend
    # At the next knot it is another shift.
    other = moved[:, size // 2, size // 2 + 8]
    assert abs(torch.corrcoef(torch.stack([middle, other]))[0, 1]) < 0.1


def test_without_a_bend_the_stream_gives_the_same_maps() -> None:
    pixels = blobs(3).pixels
    plain, none = (
        warped(pixels, 0.1, **options, rng=torch.Generator().manual_seed(0))
        for options in ({}, {"bend": 0.0})
    )
    assert torch.equal(plain, none)
    bent = warped(pixels, 0.1, bend=0.1, rng=torch.Generator().manual_seed(0))
    assert not torch.allclose(bent, plain)
