"""Encoders from point clouds and depth maps into a frozen StructureNet's latent."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import shapegen
from shapegen.config import to_dict
from shapegen.core import boxes as box_algebra
from shapegen.core.gaussian import DiagGaussian
from shapegen.core.pointnet import PointNet
from shapegen.core.seeding import seeded
from shapegen.data.furniture import furniture, vocabulary
from shapegen.structures.abstraction import Abstraction, AbstractionConfig, ViewData
from shapegen.structures.depth_map import SIZE, WINDOW, depth_map
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.structurenet import StructureNetConfig


@pytest.fixture(scope="module")
def shapes() -> PartTrees:
    return furniture(8, category="lamp", seed=2)


@pytest.fixture(params=["points", "depth"])
def model(request: pytest.FixtureRequest) -> Abstraction:
    structure = StructureNetConfig(
        labels=vocabulary("lamp"), feature_dim=16, hidden_dim=16, components=2, prior_rank=2
    )
    config = AbstractionConfig(
        structure=structure, source=request.param, hidden_dim=32, image_channels=4, points=256
    )
    with seeded(0):
        return Abstraction(config)


def test_codes_are_learned_and_the_structure_stays(model: Abstraction, shapes: PartTrees) -> None:
    before = {name: value.clone() for name, value in model.structure.state_dict().items()}
    # An untrained encoder gives all shapes the same code: these are far apart.
    spread = torch.randn(len(shapes), 16, generator=torch.Generator().manual_seed(1))
    data = ViewData(model.prepare(shapes).seen, DiagGaussian(spread, torch.zeros_like(spread)))
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(objective.module.parameters(), 3e-3)
    batch = data[torch.arange(len(shapes))]
    losses = []
    for step in range(60):
        loss, _ = objective.loss(batch, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] - 1 < 0.5 * (losses[0] - 1)
    for name, value in model.structure.state_dict().items():
        torch.testing.assert_close(value, before[name])
    seen = data.seen if model.config.source == "depth" else data.seen[:, :500]
    assert len(model.eval().reconstruct(seen)) == len(shapes)
    # A code is that of its own shape, not of the shapes' mean.
    distances = torch.cdist(model.encode(seen), data.codes.mean)
    assert distances.diagonal().mean() < 0.5 * distances.mean()


def test_saved_and_loaded_it_is_the_same(
    model: Abstraction, shapes: PartTrees, tmp_path: object
) -> None:
    seen = model.eval().prepare(shapes).seen[:, :300]
    shapegen.save(model, f"{tmp_path}/a.safetensors")
    again = shapegen.load(f"{tmp_path}/a.safetensors")
    torch.testing.assert_close(again.encode(seen), model.encode(seen))


def test_a_trained_structure_is_taken_over_once(
    model: Abstraction, shapes: PartTrees, tmp_path: Path
) -> None:
    """The run holds the weights from then on: it goes on, and is used, without their file."""
    trained = model.structure
    aim = tmp_path / "aim.safetensors"
    shapegen.save(trained, aim)
    sizes = {"source": model.config.source, "hidden_dim": 16, "image_channels": 2, "points": 64}
    fresh = shapegen.build("abstraction", structure_weights=str(aim), **sizes)
    assert isinstance(fresh, Abstraction)
    assert fresh.config.structure == trained.config
    settings = {"epochs": 2, "batch_size": 4, "max_minutes": 1e-9}
    shapegen.fit(fresh, shapes, settings, out=tmp_path / "run", progress=False)
    for name, value in trained.state_dict().items():
        assert torch.equal(fresh.structure.state_dict()[name], value), name
    again = shapegen.build("abstraction", **to_dict(fresh.config) | {"structure_weights": "gone"})
    aim.unlink()
    settings.pop("max_minutes")
    with pytest.raises(ValueError, match="no checkpoint `gone`"):
        shapegen.fit(again, shapes, settings, out=tmp_path / "other", progress=False)
    run = shapegen.fit(again, shapes, settings, out=tmp_path / "run", resume=True, progress=False)
    assert run.step == 4
    loaded = shapegen.load(tmp_path / "run")
    assert loaded.config.structure_weights == ""
    for name, value in trained.state_dict().items():
        assert torch.equal(loaded.structure.state_dict()[name], value), name


def test_weights_of_something_else_are_refused(model: Abstraction, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    shapegen.save(model, path)
    with pytest.raises(ValueError, match="holds the model `abstraction`; `structurenet` is due"):
        AbstractionConfig(structure_weights=str(path))
    other = replace(model.structure.config, feature_dim=8)
    shapegen.save(model.structure, path)
    config = AbstractionConfig(structure=other, structure_weights=str(path))
    with pytest.raises(ValueError, match="with other options than the configuration says"):
        Abstraction(config).initialise(resumed=False)


def test_bad_input_is_refused(model: Abstraction) -> None:
    for values in (torch.zeros(2, 5), torch.zeros(0, 10, 3), torch.zeros(1, 1, 8, 8)):
        with pytest.raises(ValueError, match="must be"):
            model.encode(values)
    shape = (1, 1, SIZE, SIZE) if model.config.source == "depth" else (1, 9, 3)
    with pytest.raises(ValueError, match="finite"):
        model.encode(torch.full(shape, torch.nan))
    with pytest.raises(ValueError, match="hidden_dim"):
        AbstractionConfig(hidden_dim=0)


def test_features_do_not_depend_on_the_order_of_points(rng: torch.Generator) -> None:
    with seeded(0):
        net = PointNet((3, 8, 16)).eval()
    points = torch.randn(2, 50, 3, generator=rng)
    order = torch.randperm(50, generator=rng)
    torch.testing.assert_close(net(points[:, order]), net(points))
    assert net(points).shape == (2, 16)


def test_depth_is_that_of_points_on_the_surface(shapes: PartTrees) -> None:
    """A pixel's depth is a point of the surface; nothing lies in front of it."""
    azimuth, elevation = 0.4, 0.3
    flat = np.cos(elevation)
    back = np.array([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)])
    right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
    up = np.cross(back, right)
    for tree in shapes:
        tree = tree.normalised()
        depth = depth_map(tree.boxes(), azimuth=azimuth, elevation=elevation)
        row, column = np.nonzero(depth > -1)
        assert len(row) > 20
        steps = WINDOW * (2 * (np.arange(SIZE) + 0.5) / SIZE - 1)
        toward = WINDOW * depth[row, column]
        points = steps[column, None] * right - steps[row, None] * up + toward[:, None] * back
        assert np.abs(outside(points, tree.boxes())).max() < 1e-6
        nearer = points + 0.01 * back
        assert outside(nearer, tree.boxes()).min() > -1e-6


def outside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How far points are outside all boxes along the axes; negative inside one."""
    local = np.einsum("bij,nbj->nbi", box_algebra.axes(boxes), points[:, None] - boxes[:, :3])
    distance: np.ndarray = (np.abs(local) - boxes[:, 3:6] / 2).max(2).min(1)
    return distance


def test_norms_are_measured_on_the_weights_that_are_saved(
    model: Abstraction, shapes: PartTrees
) -> None:
    data = model.prepare(shapes)
    seen = data.seen if model.config.source == "depth" else data.seen[:, : model.config.points]
    with torch.no_grad():
        for each in model.encoder.parameters():
            each.mul_(-2)
        model.encoder.train()
        wanted = model.encoder(seen)
    model.eval().calibrate(data, rng=torch.Generator().manual_seed(0))
    assert not model.encoder.training
    error = float((model.encode(seen) - wanted).square().mean())
    assert error < 0.2 * float(wanted.var())
