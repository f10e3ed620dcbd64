"""Checkpoints of the original GRAF: sizes off the weights, files, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from shapegen.fields.graf import GRAF
from shapegen.fields.graf_config import GRAFConfig
from shapegen.interop import load_official
from shapegen.interop.graf import names_of

Tensors = dict[str, Tensor]


def states(**config: Any) -> tuple[GRAF, Tensors, Tensors]:
    """A model of random weights, and its tensors under the original's names."""
    torch.manual_seed(0)
    model = GRAF(GRAFConfig.official(**config))
    pieces: dict[str, dict[str, list[Tensor]]] = {"generator": {}, "discriminator": {}}
    own = model.state_dict()
    for ours, (network, theirs, _) in names_of(model).items():
        pieces[network].setdefault(theirs, []).append(own[ours])
    generator, discriminator = (
        # One layer of colour and density has the colour first.
        {key: torch.cat(sorted(rows, key=len, reverse=True)) for key, rows in each.items()}
        for each in pieces.values()
    )
    return model, generator, discriminator


CASES: dict[str, dict[str, Any]] = {
    "paper": {},
    "birds": {"view_directions": False},
    "deep": {"depth": 10, "width": 32, "skips": (2, 6)},
    "flat": {"depth": 4, "width": 32, "skips": ()},
}


@pytest.mark.parametrize("name", CASES)
def test_sizes_are_read_off_the_weights(name: str) -> None:
    model, generator, discriminator = states(**CASES[name])
    found = load_official("graf", {"generator": generator, "discriminator": discriminator})
    wanted = {"skips": (4,), **CASES[name]}
    for key in ("depth", "width", "view_directions", "latent_dim", "appearance_dim"):
        assert getattr(found.config, key) == getattr(model.config, key)
    assert found.config.skips == wanted["skips"]
    assert found.config.compat == "official"
    assert found.config.sampling.open_end
    assert not found.training
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value)


@pytest.mark.parametrize(
    "config",
    [
        {"latent_dim": 12, "appearance_dim": 4, "frequencies": 3, "view_frequencies": 1},
        {"latent_dim": 12, "appearance_dim": 0, "view_directions": False, "frequencies": 2},
    ],
)
def test_lengths_of_codes_say_the_frequencies(config: dict[str, Any]) -> None:
    _, generator, _ = states(width=16, **config)
    codes = {key: config[key] for key in ("latent_dim", "appearance_dim")}
    found = load_official("graf", {"generator": generator}, **codes).config
    for key, value in config.items():
        assert getattr(found, key) == value


def test_a_file_of_the_original_is_read_by_its_average(tmp_path: Path) -> None:
    _, generator, discriminator = states(width=16)
    average = {key: value + 1 for key, value in generator.items()}
    content = {
        "generator": generator,
        "generator_test": average,
        "discriminator": discriminator,
        "g_optimizer": {"state": {}, "param_groups": [{"lr": 5e-4}]},
        "it": 3,
        "fid_best": np.float64(41.5),
    }
    path = tmp_path / "model_best.pt"
    torch.save(content, path)
    found = load_official("graf", path)
    name = "trunk.0.weight"
    assert torch.equal(found.generator.state_dict()[name], average["pts_linears.0.weight"])
    plain = load_official("graf", path, average=False)
    assert torch.equal(plain.generator.state_dict()[name], generator["pts_linears.0.weight"])


def test_what_does_not_fit_is_refused() -> None:
    _, generator, discriminator = states(width=16)
    both = {"generator": generator, "discriminator": discriminator}
    for changed, message in (
        ({"discriminator": discriminator}, "give a state dict `generator`"),
        (both | {"generator_fine": generator}, "second network for fine samples"),
        ({"generator": generator | {"extra.weight": torch.ones(1)}}, "unknown tensors: \\['extra"),
        (
            {"generator": generator | {"alpha_linear.bias": torch.tensor([float("nan")])}},
            "alpha_linear.bias must be finite",
        ),
        ({"generator": {k: v for k, v in generator.items() if k != "rgb_linear.bias"}}, "lacks"),
    ):
        with pytest.raises(ValueError, match=message):
            load_official("graf", changed)
    with pytest.raises(ValueError, match="discriminator is of patches of 32; got 64"):
        load_official("graf", both, patch={"side": 64})
    with pytest.raises(ValueError, match="does not fit"):
        load_official("graf", both, latent_dim=20, appearance_dim=4)
