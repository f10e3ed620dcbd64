"""Checkpoints of point clouds in the authors' layout; no recordings exist to compare with."""

from typing import Any

import pytest
import torch
from torch import Tensor

from shapegen.core.seeding import seeded
from shapegen.interop import load_official
from shapegen.interop.part_geometry import LINEAR, NORMS, SAMPLER
from shapegen.interop.structurenet import split_official
from shapegen.structures.part_geometry import PartGeometry, PartGeometryConfig
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.structurenet_points import GeometryConfig

LABELS = ("chair", "chair/back", "chair/leg")
PART = PartGeometryConfig(points=9, feature_dim=5, widths=(4, 6, 7))
States = dict[str, dict[str, Tensor]]


def theirs(part: PartGeometry) -> States:
    """A part autoencoder under the authors' names."""
    names = {f"encoder.layers.{k}": f"conv{k + 1}" for k in range(4)}
    names |= {f"encoder.norms.{k}": f"bn{k + 1}" for k in range(4)}
    found: States = {"encoder": {}, "decoder": {}}
    for name, value in part.state_dict().items():
        layer, _, kind = name.rpartition(".")
        into = "decoder" if layer.startswith("decoder") else "encoder"
        if "layers" in layer and kind == "weight":
            value = value[:, :, None]
        found[into][f"{(names | LINEAR | NORMS | SAMPLER)[layer]}.{kind}"] = value.clone()
    return found


@pytest.fixture(scope="module")
def part() -> PartGeometry:
    with seeded(1):
        model = PartGeometry(PART)
        model.posterior(torch.randn(6, 20, 3))  # statistics that are not the first ones
    return model.eval()


@pytest.fixture(scope="module")
def model(part: PartGeometry) -> StructureNet:
    with seeded(0):
        config = StructureNetConfig.official(
            labels=LABELS,
            feature_dim=8,
            hidden_dim=8,
            max_children=3,
            geometry=GeometryConfig(part=PART),
        )
        model = StructureNet(config)
    model.head.geometry.load_state_dict(part.state_dict())
    return model


def states(model: StructureNet, part: PartGeometry) -> States:
    found: States = {"encoder": {}, "decoder": {"unit_cube": torch.zeros(150, 3)}}
    for name, value in split_official(model.state_dict(), model).items():
        into, _, rest = name.partition(".")
        found[into][rest] = value.clone()
    for into, inner in theirs(part).items():
        prefix = f"node_{into}.part_{into}."
        found[into] |= {f"{prefix}{name}": value for name, value in inner.items()}
    return found


def test_a_part_autoencoder_comes_back(part: PartGeometry, rng: torch.Generator) -> None:
    found = load_official("partgeometry", theirs(part), kl_weight=0.5)
    assert isinstance(found, PartGeometry)
    assert (found.config.points, found.config.feature_dim) == (9, 5)
    assert (found.config.widths, found.config.kl_weight) == ((4, 6, 7), 0.5)
    points = torch.randn(3, 9, 3, generator=rng)
    assert torch.equal(found.features(points), part.features(points))
    assert torch.equal(found.clouds(found.features(points)), part.clouds(part.features(points)))


def test_a_model_of_points_comes_back(model: StructureNet, part: PartGeometry) -> None:
    found = load_official("structurenet", states(model, part), vocabulary=LABELS)
    assert found.config == model.config
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    assert not found.training


def test_what_does_not_fit_is_refused(model: StructureNet, part: PartGeometry) -> None:
    def refused(words: str, name: str, checkpoint: Any, **options: Any) -> None:
        with pytest.raises(ValueError, match=words) as caught:
            load_official(name, checkpoint, **options)
        assert "\n" not in str(caught.value)

    for name in ("conv2.weight", "bn4.running_var", "sampler.mlp2mu.bias"):
        given = theirs(part)
        value = given["encoder"].pop(name)
        refused(f"lacks {name}", "partgeometry", given)
        given["encoder"][name] = torch.full_like(value, torch.nan)
        refused("must be finite", "partgeometry", given)
    given = theirs(part)
    given["decoder"]["mlp4.bias"] = torch.zeros(3)
    refused(r"unknown tensors: .*mlp4", "partgeometry", given)
    given = states(model, part)
    del given["decoder"]["node_decoder.mlp3.weight"]
    refused("lacks node_decoder.mlp3.weight", "structurenet", given, vocabulary=LABELS)
