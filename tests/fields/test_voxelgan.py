"""3D-GAN: the players' losses written out, what is decoded, and learning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.core.adversarial import Kind
from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.fields.voxel_surface import pieces
from shapegen.fields.voxelgan import VoxelGAN, VoxelGANConfig
from shapegen.fields.voxels import Voxels

SMALL: dict[str, Any] = {"size": 8, "noise_dim": 5, "hidden": (4, 8)}


def build(**changes: Any) -> VoxelGAN:
    with seeded(0):
        return VoxelGAN(VoxelGANConfig(**(SMALL | changes))).eval()


def cubes(n: int) -> Voxels:
    """Blocks at the bottom whose height alternates between two and six cells."""
    cells = torch.zeros(n, 8, 8, 8, dtype=torch.bool)
    for number in range(n):
        cells[number, 2:6, : 2 + 4 * (number % 2), 2:6] = True
    return Voxels(cells)


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_discriminator_is_shown_full_as_1_and_empty_as_minus_1() -> None:
    model = build()
    seen: list[Tensor] = []
    model.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    data = cubes(4)
    model.objectives(rng=stream(0))[0].loss(model.prepare(data), 1)
    real, fake = seen
    assert torch.equal(real, 2.0 * data.occupancy[:, None] - 1)
    assert fake.shape == (4, 1, 8, 8, 8)
    assert torch.equal(fake, model.generator(model.sample_latent(4, rng=stream(0))))


@pytest.mark.parametrize("loss", ["non_saturating", "hinge"])
def test_the_generator_is_to_be_taken_for_real(loss: Kind) -> None:
    model = build(game=GameOptions(loss=loss))
    batch = model.prepare(cubes(6))
    found, _ = model.objectives(rng=stream(3))[1].loss(batch, 0)
    logits = model.discriminator(model.generator(model.sample_latent(6, rng=stream(3))))
    expected = -logits if loss == "hinge" else -logits.sigmoid().log()
    torch.testing.assert_close(found, expected.mean())


def test_the_discriminator_pays_half_gamma_for_squared_slopes_at_voxels() -> None:
    batch = build().prepare(cubes(6))
    plain, penalised = (
        build(game=GameOptions(r1=gamma)).objectives(rng=stream(3))[0].loss(batch, 0)[0]
        for gamma in (0.0, 3.0)
    )
    cells = (2.0 * batch[:, None] - 1).requires_grad_()
    (slope,) = torch.autograd.grad(build().discriminator(cells).sum(), cells)
    expected = 1.5 * slope.square().flatten(1).sum(1).mean()
    torch.testing.assert_close(penalised - plain, expected, rtol=1e-4, atol=1e-6)


def test_gradients_reach_every_parameter() -> None:
    model = build().train()
    batch = model.prepare(cubes(6))
    for objective in model.objectives(rng=stream(0)):
        model.zero_grad()
        objective.loss(batch, 0)[0].backward()
        for name, parameter in objective.module.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_cells_above_the_threshold_are_full() -> None:
    model = build(extent=2.0)
    z = model.sample_latent(70, rng=stream(1))
    share = model.occupancy(z)
    assert share.shape == (70, 8, 8, 8)
    assert 0 < share.min() < 0.5 < share.max() < 1
    voxels = model.decode(z)
    assert voxels.extent == 2.0
    some = share.flatten(1).amax(1) > 0.5
    assert some.any()
    assert torch.equal(voxels.occupancy[some], share[some] > 0.5)
    middle = float(share[0].median())
    half = build(threshold=middle).decode(z[:1])
    assert torch.equal(half.occupancy, share[:1] > middle)


def test_the_fullest_cell_is_full_whatever_the_threshold() -> None:
    model = build(threshold=0.999)
    z = model.sample_latent(3, rng=stream(1))
    found = model.decode(z).occupancy.flatten(1)
    assert found.sum(1).tolist() == [1, 1, 1]
    assert torch.equal(found.int().argmax(1), model.occupancy(z).flatten(1).argmax(1))


def test_the_largest_piece_alone_on_demand() -> None:
    z = build().sample_latent(3, rng=stream(1))
    whole, kept = (build(largest=largest).decode(z).occupancy for largest in (False, True))
    assert min(pieces(grid.numpy())[1] for grid in whole) > 1
    assert [pieces(grid.numpy())[1] for grid in kept] == [1, 1, 1]
    assert not (kept & ~whole).any()
    sizes = [np.bincount(pieces(grid.numpy())[0].ravel())[1:].max() for grid in whole]
    assert kept.flatten(1).sum(1).tolist() == sizes


def test_ends_of_a_walk_are_their_latents() -> None:
    model = build()
    a, b = model.sample_latent(2, rng=stream(4))
    walk = model.interpolate(a, b, 5)
    assert len(walk) == 5
    ends = model.decode(torch.stack([a, b])).occupancy
    assert torch.equal(walk.occupancy[[0, -1]], ends)


def test_packing_shows_several_grids_at_once() -> None:
    model = build(game=GameOptions(pack=2), stddev=True)
    seen: list[Tensor] = []
    model.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    data = cubes(6)
    model.objectives(rng=stream(0))[0].loss(model.prepare(data), 1)
    assert seen[0].shape == (3, 2, 8, 8, 8)
    assert torch.equal(seen[0][0] > 0, data.occupancy[:2])


def test_blocks_are_learnt() -> None:
    """Two blocks of different heights: samples are near one or the other, and both are there."""
    model = build(hidden=(16, 16), game=GameOptions(r1=0.1))
    batch = model.prepare(cubes(32))
    objectives = model.objectives(rng=stream(0))
    optimizers = [
        torch.optim.Adam(each.module.parameters(), 3e-3, (0.0, 0.99)) for each in objectives
    ]
    model.train()
    for step in range(150):
        for objective, optimizer in zip(objectives, optimizers, strict=True):
            optimizer.zero_grad()
            objective.loss(batch, step)[0].backward()
            optimizer.step()
    found = model.eval().sample(64, rng=stream(1)).occupancy.flatten(1)
    wrong = torch.stack([(found ^ own).sum(1) for own in cubes(2).occupancy.flatten(1)], 1)
    # The blocks have 32 and 96 cells and differ in 64.
    assert wrong.min(1).values.float().mean() < 8
    assert set(wrong.argmin(1).tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 12, "hidden": (4, 4, 4)}, "size must be a multiple of 8, as it is halved 3"),
        ({"noise_dim": 0}, "noise_dim must be at least 1; got 0"),
        ({"extent": -1.0}, "extent must be positive and finite; got -1"),
        ({"threshold": 1.0}, "threshold must be between 0 and 1; got 1"),
        ({"hidden": ()}, r"hidden must be widths of at least 1; got \[\]"),
    ],
)
def test_settings_that_make_no_model(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VoxelGANConfig(**(SMALL | fields))


def test_mistakes() -> None:
    model = build()
    with pytest.raises(ValueError, match="of 8 x 8 x 8 cells; got 4 x 8 x 8"):
        model.prepare(Voxels(np.zeros((1, 4, 8, 8))))
    with pytest.raises(ValueError, match="with extent 1; got 2"):
        model.prepare(Voxels(np.zeros((1, 8, 8, 8)), 2.0))
    with pytest.raises(TypeError, match="voxels are needed; got int"):
        model.prepare(3)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        model.sample(0)
    with pytest.raises(ValueError, match=r"codes must be \(n, 5\)"):
        model.decode(torch.zeros(2, 4))
    with pytest.raises(TypeError, match="voxelgan has no encoder"):
        model.interpolate(cubes(1)[0], cubes(1)[0], 3)
