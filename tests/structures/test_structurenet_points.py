"""StructureNet of point clouds: against its recursion, and what must hold of it."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import shapegen
from shapegen.base import Initialised
from shapegen.core.seeding import seeded
from shapegen.structures.part_clouds import with_points
from shapegen.structures.part_geometry import PartGeometry, PartGeometryConfig
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.stretching import stretched
from shapegen.structures.structurenet import StructureNet
from shapegen.structures.structurenet_points import GeometryConfig, GeometryWeights
from tests.structures.structurenet_cases import (
    KINDS,
    OFFICIAL,
    alone,
    chain,
    random_tree,
    small,
    star,
)
from tests.structures.structurenet_points_recursion import PointRecursion
from tests.structures.test_structurenet import mirrored_order

PART = PartGeometryConfig(points=14, feature_dim=6, widths=(5, 7))
GEOMETRY = GeometryConfig(part=PART, weights=GeometryWeights(unmatched=0.7))
SETTINGS: dict[str, dict[str, Any]] = {
    "ours": {},
    "official": OFFICIAL,
    "other sizes": {"hidden_dim": 10, "max_children": 6, "context": False, "match_exists": 0.0},
}
CASES: dict[str, list[PartTree]] = {
    "random": [*(random_tree(seed) for seed in range(1, 4)), alone()],
    "nothing but roots": [alone(), alone()],
    "no relations": [star(3), chain(5)],
    "all relations": [star(4, *KINDS)],
}


def build(**changes: Any) -> StructureNet:
    """A small model whose part autoencoder has seen some data."""
    model = small(geometry=GEOMETRY, **changes)
    part = model.head.geometry
    assert isinstance(part, PartGeometry)
    part.encoder.train(), part.decoder.train()
    with torch.no_grad():
        rng = torch.Generator().manual_seed(5)
        codes = torch.randn(40, PART.feature_dim, generator=rng, dtype=torch.float64)
        part.encoder(part.clouds(codes))
    part.eval()
    return model


def cloudy(trees: list[PartTree]) -> PartTrees:
    rng = torch.Generator().manual_seed(0)
    return PartTrees(with_points(trees, PART.points, rng=rng))


@pytest.mark.parametrize(
    ("setting", "case"),
    [("other sizes", "random"), *itertools.product(["ours", "official"], CASES)],
)
def test_values_and_gradients_are_those_of_the_recursion(setting: str, case: str) -> None:
    model, trees = build(**SETTINGS[setting]), cloudy(CASES[case])
    batch = model.prepare(trees).all
    assert batch.points is not None
    batch = replace(batch, points=batch.points.double())
    rows, label = model.head.rows(batch), batch.label + 1
    kinds = model.kind_number[batch.edge_kind]
    features = model.encoder.root_features(batch, rows, label, kinds)
    found = model.raw_losses(batch, model.posterior(batch).mean)
    plain, expected = PointRecursion(model), []
    for number, tree in enumerate(trees):
        plain.clouds = torch.from_numpy(tree.part_points).double()
        feature = plain.encode(tree, plain.rows())
        torch.testing.assert_close(features[number], feature)
        z = model.encoder.posterior(feature[None]).mean[0]
        expected.append(plain.losses(tree, plain.rows(), z))
    for name, values in found.items():
        torch.testing.assert_close(
            values, torch.stack([each[name] for each in expected]), msg=lambda m, n=name: n + m
        )
    assert set(found) == set(expected[0])
    learned = {n: p for n, p in model.named_parameters() if p.requires_grad}
    totals = (
        torch.stack([value.sum() for value in found.values()]).sum(),
        torch.stack([value for each in expected for value in each.values()]).sum(),
    )
    ours, theirs = (
        torch.autograd.grad(total, list(learned.values()), allow_unused=True) for total in totals
    )
    for name, one, other in zip(learned, ours, theirs, strict=True):
        other = torch.zeros_like(one) if other is None and one is not None else other
        torch.testing.assert_close(
            one, other, rtol=1e-6, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_the_order_of_siblings_does_not_matter() -> None:
    model = build().float()
    for tree in cloudy(CASES["random"]):
        turned = mirrored_order(tree)
        order = (turned.box[:, None] == tree.box[None]).all(2).argmax(1)
        turned = replace(turned, part_points=tree.part_points[order])
        torch.testing.assert_close(model.encode([turned]), model.encode([tree]), atol=1e-5, rtol=0)


def test_a_batch_is_its_shapes_one_by_one() -> None:
    model = build().float()
    data = model.prepare(cloudy(CASES["random"]))
    codes = model.posteriors(data).mean
    whole = model.losses(data.all, codes)
    for number in range(len(data)):
        one = model.losses(data[torch.tensor([number])], codes[number : number + 1])
        for name, value in one.items():
            torch.testing.assert_close(value[0], whole[name][number], rtol=1e-4, atol=1e-5)


def test_losses_are_weighted_as_the_configs_say() -> None:
    weights = GeometryWeights(latent=2.0, geo=3.0, centre=5.0, scale=7.0)
    model = small(geometry=replace(GEOMETRY, weights=weights)).float()
    batch = model.prepare(cloudy(CASES["random"])).all
    codes = model.posterior(batch).mean
    raw, weighted = model.raw_losses(batch, codes), model.losses(batch, codes)
    for name, factor in {"latent": 2, "geo": 3, "centre": 5, "scale": 7, "semantic": 0.1}.items():
        torch.testing.assert_close(weighted[name], factor * raw[name])


def test_the_part_autoencoder_is_frozen_and_all_else_learns() -> None:
    model = build().float().train()
    assert model.decoder.training
    frozen = model.head.geometry
    assert not any(module.training for module in frozen.modules())
    assert not any(value.requires_grad for value in frozen.parameters())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    (objective,) = model.objectives(rng=torch.Generator().manual_seed(0))
    learned = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.Adam(learned, 1e-3)
    objective.loss(model.prepare(cloudy(CASES["random"])).all, 0)[0].backward()
    optimizer.step()
    after = model.state_dict()
    for name, value in before.items():
        still = torch.equal(after[name], value)
        mixture = name.startswith("mixture.")
        assert still == (name.startswith("head.") or mixture), name


def test_stretched_shapes_have_stretched_points(rng: torch.Generator) -> None:
    batch = build().prepare(cloudy(CASES["random"])).all
    moved = stretched(batch, 0.3, rng=rng)
    assert batch.points is not None
    assert moved.points is not None
    for shape in range(batch.num_shapes):
        own = batch.shape == shape
        ratio = (moved.points[own] / batch.points[own]).view(-1, 3)
        torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-4, atol=1e-4)
        assert (ratio[0] - 1).abs().max() < 0.3


def test_decoded_shapes_have_points_and_boxes_around_them(rng: torch.Generator) -> None:
    model = build().float()
    codes = 3 * torch.randn(6, model.latent_dim, generator=rng)
    with torch.no_grad():
        model.decoder.leaf_classifier["mlp2"].bias -= 2
        model.decoder.child_decoder.mlp_exists.bias += 1
    decoded = model.decode_structures(codes)
    assert decoded.points is not None
    with torch.no_grad():
        points = model.head.points(model.decoder.box_decoder(decoded.latent))
    np.testing.assert_allclose(decoded.points, points.numpy(), atol=1e-5)
    trees = decoded.part_trees()
    assert sum(map(len, trees)) > 12
    for tree in trees:
        assert tree.part_points is not None
        assert tree.part_points.shape == (len(tree), PART.points, 3)
        for box, cloud in zip(tree.box, tree.part_points, strict=True):
            local = (cloud - box[:3]) @ np.stack(
                [box[6:9], box[9:], np.cross(box[6:9], box[9:])]
            ).T
            assert (np.abs(local) <= box[3:6] / 2 + 1e-4).all()
            assert (np.ptp(local, axis=0) >= box[3:6] - 1e-4).all()


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    geometry = replace(GEOMETRY, part_weights=str(tmp_path / "gone"))
    model = small(geometry=geometry).float().eval()
    model.calibrate(model.prepare(cloudy(CASES["random"])), rng=torch.Generator().manual_seed(0))
    shapegen.save(model, tmp_path / "a.safetensors")
    again = shapegen.load(tmp_path / "a.safetensors")
    assert again.config == model.config
    drawn = [each.sample(3, rng=torch.Generator().manual_seed(1)) for each in (model, again)]
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one.part_points, other.part_points)
        np.testing.assert_array_equal(one.box, other.box)


def test_it_takes_the_weights_that_its_config_names(tmp_path: Path) -> None:
    with seeded(3):
        part = PartGeometry(PART)
    shapegen.save(part, tmp_path / "last.safetensors")
    for path in (tmp_path, tmp_path / "last.safetensors"):
        model = small(geometry=replace(GEOMETRY, part_weights=str(path)))
        assert isinstance(model, Initialised)
        model.initialise(resumed=False)
        for name, value in part.state_dict().items():
            assert torch.equal(model.head.geometry.state_dict()[name].float(), value.float())
    small().initialise(resumed=False)  # boxes take none


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    shapegen.save(PartGeometry(replace(PART, points=15)), tmp_path / "other.safetensors")
    shapegen.save(small().float(), tmp_path / "boxes.safetensors")
    for path, words in (
        (None, "geometry.part_weights is due"),
        ("nowhere", "no checkpoint `.*nowhere`"),
        ("boxes.safetensors", "holds the model `structurenet`; `partgeometry` is due"),
        ("other.safetensors", r"other options than the configuration says: .*points=15"),
    ):
        given = None if path is None else str(tmp_path / path)
        model = small(geometry=replace(GEOMETRY, part_weights=given))
        with pytest.raises(ValueError, match=words) as caught:
            model.initialise(resumed=False)
        assert "\n" not in str(caught.value)


def test_bad_input_is_refused() -> None:
    model = build().float()
    few = with_points([alone()], PART.points - 1)
    with pytest.raises(ValueError, match="13 points a part; the model needs 14"):
        model.prepare(few)
    bare = replace(model.prepare([alone()]).all, points=None)
    with pytest.raises(ValueError, match="no points of its parts"):
        model.posterior(bare)
    with pytest.raises(ValueError, match="excludes geometry"):
        replace(model.config, project=True)
