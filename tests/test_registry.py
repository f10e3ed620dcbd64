"""Models by name."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from shapegen import registry
from shapegen.base import Autoencoder, GenerativeModel, LatentModel
from tests import toy_model


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODELS, "toy", toy_model.ENTRY)


def test_models_have_one_line_each() -> None:
    lines = registry.models()
    assert set(lines) == set(registry.MODELS)
    for name, line in lines.items():
        assert "\n" not in line
        assert registry.MODELS[name].family in line
        assert registry.MODELS[name].paper in line


@pytest.mark.parametrize("name", list(registry.MODELS))
def test_entries_are_true(name: str) -> None:
    entry, cls = registry.MODELS[name], registry.model_class(name)
    assert issubclass(cls, GenerativeModel)
    assert cls.name == name
    assert dataclasses.is_dataclass(registry.config_class(name))
    assert "name" not in {field.name for field in dataclasses.fields(registry.config_class(name))}
    assert ("interpolate" in entry.capabilities) == issubclass(cls, LatentModel)
    assert ("encode" in entry.capabilities) == issubclass(cls, Autoencoder)
    assert ("reconstruct" in entry.capabilities) == issubclass(cls, Autoencoder)


def test_build_takes_plain_values() -> None:
    model = registry.build("toy", width=5, labels=["a"])
    assert model.config == toy_model.ToyConfig(width=5, labels=("a",))


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("tyo", {}, "unknown model `tyo`; did you mean `toy`?"),
        ("zzz", {}, "unknown model `zzz`; accepted: grass, "),
        ("toy", {"widht": 3}, "unknown key `toy.widht`; did you mean `toy.width`?"),
        ("toy", {"width": "a"}, "`toy.width` must be an integer; got 'a' (text)"),
    ],
)
def test_wrong_names_are_told_the_nearest(name: str, fields: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        registry.build(name, **fields)
    assert message in str(caught.value)


def test_seeded_weights_depend_on_the_seed_alone() -> None:
    config = toy_model.ToyConfig()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    a, b, c = (registry.build_seeded("toy", config, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.state_dict()["encoder.0.weight"] for model in (a, b, c)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
