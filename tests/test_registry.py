"""Models by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from shapegen import registry
from shapegen.base import Autoencoder, GenerativeModel, LatentModel
from shapegen.checkpoint import load, save
from shapegen.config import run_from_dict, run_to_dict
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
    # Another name for a setting of a class that has its own.
    assert cls.name == name or (entry.options and cls.name in registry.MODELS)
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


def test_a_name_may_be_a_setting_of_a_class(tmp_path: Path) -> None:
    model = registry.build("dcgan", size=[8, 8], hidden=[4, 8], game={"lazy": 2})
    assert isinstance(model, registry.model_class("gan"))
    assert (model.config.network, model.config.noise_dim) == ("dcgan", 100)
    # What is given comes before the name's own options, section by section.
    assert model.config.hidden == (4, 8)
    assert (model.config.game.r1, model.config.game.lazy) == (0.0, 2)
    assert registry.build("gan").config.game.r1 == 1.0
    save(model.eval(), tmp_path / "a.safetensors")
    for expect in ("dcgan", "gan", None):
        loaded = load(tmp_path / "a.safetensors", expect=expect)
        assert loaded.config == model.config
        images = [
            each.sample(2, rng=torch.Generator().manual_seed(0)).pixels for each in (model, loaded)
        ]
        assert torch.equal(*images)
    with pytest.raises(ValueError, match="holds the model `gan`; `infogan` is due"):
        load(tmp_path / "a.safetensors", expect="infogan")


def test_a_run_of_a_setting_says_all_of_it() -> None:
    values = {"model": {"name": "dcgan"}, "data": {"name": "digits", "count": 9}}
    run = run_from_dict(values)
    assert run.model.fields == registry.build("dcgan").config
    assert run_to_dict(run)["model"]["noise_dim"] == 100
    assert run_from_dict(run_to_dict(run)) == run
