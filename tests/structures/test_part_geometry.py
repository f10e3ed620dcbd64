"""The autoencoder of single parts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.core.point_sets import chamfer
from shapegen.core.seeding import seeded
from shapegen.data.furniture import furniture
from shapegen.structures.part_clouds import with_points
from shapegen.structures.part_geometry import PartGeometry, PartGeometryConfig
from shapegen.structures.part_tree import PartTree

SMALL = PartGeometryConfig(points=64, feature_dim=24, widths=(16, 32))


def small(**changes: Any) -> PartGeometry:
    with seeded(0):
        return PartGeometry(replace(SMALL, **changes))


@pytest.fixture(scope="module")
def shapes() -> list[PartTree]:
    trees = furniture(2, category="chair", seed=4)
    return with_points(trees, 64, rng=torch.Generator().manual_seed(0))


def test_eight_parts_are_learned(shapes: list[PartTree]) -> None:
    model = small()
    batch = model.prepare(shapes)[:8]
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    # The mean of all parts is what a decoder without a latent gives.
    dull = chamfer(batch.mean(0, keepdim=True).expand_as(batch), batch).mean()
    for step in range(250):
        loss, terms = objective.loss(batch, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        found = chamfer(model.clouds(model.features(batch)), batch).mean()
    assert found < 0.1 * dull
    assert terms["kl"] > 0


def test_the_loss_is_the_chamfer_distance_and_the_divergence(shapes: list[PartTree]) -> None:
    model = small(chamfer_weight=7.0, kl_weight=0.5).eval()
    batch = model.prepare(shapes)[:5]
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(3))
    loss, terms = objective.loss(batch, 0)
    posterior = model.posterior(batch)
    z = posterior.rsample(rng=torch.Generator().manual_seed(3))
    half = torch.stack(
        [0.5 * chamfer(a[None], b[None]) for a, b in zip(model.clouds(z), batch, strict=True)]
    )
    torch.testing.assert_close(terms["chamfer"], 7 * half.mean().detach())
    torch.testing.assert_close(terms["kl"], 0.5 * posterior.kl_standard().mean().detach())
    torch.testing.assert_close(loss.detach(), terms["chamfer"] + terms["kl"])
    (plain,) = small(variational=False).objectives()
    assert plain.name == "ae"
    assert set(plain.loss(batch, 0)[1]) == {"chamfer"}


def test_all_parts_are_prepared_each_in_its_own_frame(shapes: list[PartTree]) -> None:
    data = small().prepare(shapes)
    assert data.shape == (sum(map(len, shapes)), 64, 3)
    moved = [tree.transformed(scale=3.0, translation=(5.0, 0, 0)) for tree in shapes]
    torch.testing.assert_close(small().prepare(moved), data, atol=1e-5, rtol=0)


def test_shapes_are_one_cloud_in_any_order_of_points(shapes: list[PartTree]) -> None:
    model = small().eval()
    codes = model.encode(shapes)
    assert codes.shape == (2, 24)
    torch.testing.assert_close(codes, model.features(model.prepare(shapes)[[0, len(shapes[0])]]))
    turned = [replace(tree, part_points=tree.part_points[:, ::-1]) for tree in shapes]
    torch.testing.assert_close(model.encode(turned), codes)
    assert len(model.interpolate(shapes[0], shapes[1], 4)) == 4


def test_what_is_decoded_has_points_and_a_box_around_them(rng: torch.Generator) -> None:
    (part,) = small().eval().sample(1, rng=rng)
    assert part.part_points is not None
    assert part.part_points.shape == (1, 64, 3)
    low, high = part.part_points[0].min(0), part.part_points[0].max(0)
    assert (part.box[0, 3:6].prod() <= (high - low).prod() * (1 + 1e-6)).all()


def test_saved_and_loaded_it_is_the_same(tmp_path: Path, shapes: list[PartTree]) -> None:
    model = small()
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    objective.loss(model.prepare(shapes), 0)  # running statistics of the batch
    shapegen.save(model.eval(), tmp_path / "a.safetensors")
    again = shapegen.load(tmp_path / "a.safetensors")
    drawn = [each.sample(2, rng=torch.Generator().manual_seed(1)) for each in (model, again)]
    np.testing.assert_array_equal(drawn[0][1].part_points, drawn[1][1].part_points)
    assert torch.equal(model.encode(shapes), again.encode(shapes))


def test_bad_input_is_refused(shapes: list[PartTree]) -> None:
    model = small()
    for call in (model.prepare, model.encode):
        with pytest.raises(ValueError, match="at least one is needed"):
            call([])
    with pytest.raises(ValueError, match="64 points a part; the model needs 65"):
        small(points=65).prepare(shapes)
    with pytest.raises(ValueError, match=r"codes must be \(n, 24\); got \(2, 5\)"):
        model.decode(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="codes must be finite"):
        model.decode(torch.full((1, 24), torch.inf))
    for changes, words in (({"points": 0}, "points"), ({"widths": (3, 0)}, "widths")):
        with pytest.raises(ValueError, match=f"{words} must be at least 1"):
            small(**changes)


def test_norms_are_measured_on_the_weights_that_are_saved() -> None:
    model = small(variational=False)
    prepared = model.prepare(furniture(6, category="lamp", seed=2))
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(-2)
        wanted = model.train().clouds(model.posterior(prepared).mean)
    model.eval().calibrate(prepared, rng=torch.Generator().manual_seed(0))
    assert not model.decoder.training
    with torch.no_grad():
        found = model.clouds(model.posterior(prepared).mean)
    assert float((found - wanted).square().mean()) < 0.3 * float(wanted.var())
