"""The authors' checkpoints from dicts and files; what is not one is refused in one line."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from shapegen.interop import load_official
from shapegen.interop.grass import split_official
from shapegen.structures.grass import GRASS, GRASSConfig

FEATURE, HIDDEN = 5, 7
Checkpoint = dict[str, dict[str, Tensor]]


@pytest.fixture
def checkpoint() -> Checkpoint:
    """Random weights under the authors' names."""
    torch.manual_seed(0)
    model = GRASS(GRASSConfig.official(feature_dim=FEATURE, hidden_dim=HIDDEN))
    parts: Checkpoint = {"encoder": {}, "decoder": {}}
    for name, value in split_official(dict(model.named_parameters())).items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value.detach().clone()
    return parts


def same(a: GRASS, b: GRASS) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_sizes_are_read_off_the_weights(checkpoint: Checkpoint) -> None:
    model = load_official("grass", checkpoint)
    assert (model.config.feature_dim, model.config.hidden_dim) == (FEATURE, HIDDEN)
    assert model.config.compat == "official"
    assert not model.training


def test_side_by_side_layers_are_joined_in_order(checkpoint: Checkpoint) -> None:
    model, encoder = load_official("grass", checkpoint), checkpoint["encoder"]
    left, right = torch.randn(2, 3, FEATURE)
    wanted = (
        nn.functional.linear(left, encoder["adj_encoder.left.weight"])
        + encoder["adj_encoder.left.bias"]
        + nn.functional.linear(right, encoder["adj_encoder.right.weight"])
    )
    torch.testing.assert_close(model.encoder.adj.hidden(torch.cat([left, right], 1)), wanted)
    sym = torch.randn(3, 8)
    wanted = nn.functional.linear(left, encoder["sym_encoder.left.weight"])
    wanted = wanted + nn.functional.linear(sym, encoder["sym_encoder.right.weight"])
    wanted = wanted + encoder["sym_encoder.left.bias"] + encoder["sym_encoder.right.bias"]
    torch.testing.assert_close(model.encoder.sym.hidden(torch.cat([left, sym], 1)), wanted)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_files_folders_and_dicts_are_one(
    checkpoint: Checkpoint, tmp_path: Path, suffix: str
) -> None:
    paths = {part: tmp_path / f"vae_{part}_model{suffix}" for part in checkpoint}
    for part, state in checkpoint.items():
        if suffix == ".pth":
            torch.save(state, paths[part])
        else:
            save_file(state, paths[part])
    model = load_official("grass", checkpoint)
    assert same(load_official("grass", tmp_path), model)
    assert same(load_official("grass", paths), model)
    assert same(load_official("grass", str(tmp_path)), model)


def test_a_pickled_module_is_refused_and_not_run(checkpoint: Checkpoint, tmp_path: Path) -> None:
    for part in checkpoint:
        torch.save(nn.Linear(2, 2), tmp_path / f"{part}.pkl")
    with pytest.raises(ValueError, match="would run its code"):
        load_official("grass", tmp_path)


def test_damage_is_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    for part in checkpoint:
        (tmp_path / f"{part}.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"encoder\.pth"):
        load_official("grass", tmp_path)
    (tmp_path / "encoder2.pth").write_bytes(b"")
    with pytest.raises(ValueError, match=re.escape("must hold one file named *encoder*")):
        load_official("grass", tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        load_official("grass", tmp_path / "nowhere")


def test_missing_unknown_and_misshaped_tensors(checkpoint: Checkpoint) -> None:
    encoder = checkpoint["encoder"]
    lost = {k: v for k, v in encoder.items() if k != "adj_encoder.second.weight"}
    with pytest.raises(ValueError, match=r"lacks adj_encoder\.second\.weight"):
        load_official("grass", checkpoint | {"encoder": lost})
    with pytest.raises(ValueError, match="unknown tensors"):
        load_official("grass", checkpoint | {"encoder": encoder | {"more": torch.zeros(1)}})
    wrong = encoder | {"sample_encoder.mlp1.weight": torch.zeros(HIDDEN, FEATURE + 1)}
    with pytest.raises(ValueError, match=r"encoder\.root\.weight must be"):
        load_official("grass", checkpoint | {"encoder": wrong})
    with pytest.raises(ValueError, match="give \\['decoder', 'encoder'\\]"):
        load_official("grass", {"encoder": encoder})
    with pytest.raises(ValueError, match="tensors only"):
        load_official("grass", checkpoint | {"encoder": {"a": 1}})
    with pytest.raises(ValueError, match="known: \\['graf', 'grass'"):
        load_official("gras", checkpoint)
