"""Checkpoints in the authors' layout, and what is refused."""

import argparse
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

import shapegen
from shapegen.cli import app
from shapegen.core.seeding import seeded
from shapegen.interop import load_official
from shapegen.interop.namespaces import read_namespace
from shapegen.interop.structurenet import layers_of, split_official
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.vocabulary import Vocabulary

LABELS = ("chair", "chair/back", "chair/back/bar", "chair/leg")
States = dict[str, dict[str, Tensor]]


@pytest.fixture(scope="module")
def model() -> StructureNet:
    with seeded(0):
        return StructureNet(
            StructureNetConfig.official(
                labels=LABELS, feature_dim=8, hidden_dim=8, max_children=3, encoder_passes=1
            )
        )


@pytest.fixture
def states(model: StructureNet) -> States:
    """The model's weights under the authors' names."""
    pieces = split_official(model.state_dict(), model)
    found: States = {"encoder": {}, "decoder": {"anchor": torch.zeros(6, 3)}}
    for name, value in pieces.items():
        part, _, rest = name.partition(".")
        found[part][rest] = value.clone()
    return found


def test_weights_come_back_with_the_sizes_read_off_them(
    model: StructureNet, states: States
) -> None:
    found = load_official("structurenet", states, vocabulary=LABELS)
    assert isinstance(found, StructureNet)
    assert found.config == model.config
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value)
    assert not found.training


def test_a_folder_of_the_authors(tmp_path: Path, model: StructureNet, states: States) -> None:
    for part, state in states.items():
        torch.save(state, tmp_path / f"180_net_{part}.pth")
    conf = argparse.Namespace(
        node_symmetric_type="sum", edge_symmetric_type="max", non_variational=True, lr=0.001
    )
    torch.save(conf, tmp_path / "conf.pth")
    found = load_official("structurenet", tmp_path, vocabulary=LABELS)
    assert (found.config.node_pool, found.config.edge_pool) == ("sum", "max")
    assert not found.config.variational
    again = load_official("structurenet", tmp_path, vocabulary=LABELS, node_pool="avg")
    assert again.config.node_pool == "avg"


def test_what_does_not_fit_is_refused(states: States) -> None:
    def refused(words: str, checkpoint: Any, **options: Any) -> None:
        with pytest.raises(ValueError, match=words) as caught:
            load_official("structurenet", checkpoint, **({"vocabulary": LABELS} | options))
        assert "\n" not in str(caught.value)

    refused("knows 4 labels", states, vocabulary=LABELS[:3])
    refused("4 kinds of relations", states, edge_kinds=["ADJ"])
    lost = {k: v for k, v in states["encoder"].items() if k != "child_encoder.child_op.weight"}
    refused(r"lacks child_encoder\.child_op\.weight", states | {"encoder": lost})
    more = states["decoder"] | {"more": torch.zeros(1)}
    refused("unknown tensors", states | {"decoder": more})
    wrong = states["encoder"] | {"box_encoder.encoder.weight": torch.zeros(8, 9)}
    refused("must be", states | {"encoder": wrong})


def test_every_layer_of_ours_has_its_originals(model: StructureNet) -> None:
    layers = layers_of(1, 2, 4)
    ours = {f"{part}.{name}" for part, joined in layers.items() for name in joined}
    assert ours == {name.rpartition(".")[0] for name in model.state_dict()}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


@pytest.mark.parametrize("legacy", [False, True])
def test_settings_are_read_without_executing_them(
    tmp_path: Path, legacy: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "conf.pth"
    values = {
        "a": 1,
        "b": [1.5, "x", None, True],
        "c": ("ADJ",),
        "d": {"e": -70000},
        "device": torch.device("cuda:0"),
    }
    save = {"_use_new_zipfile_serialization": not legacy}
    torch.save(argparse.Namespace(**values), path, **save)
    assert read_namespace(path) == values | {"device": "cuda:0"}
    torch.save(argparse.Namespace(a=Evil()), path, **save)
    with pytest.raises(ValueError, match="print"):
        read_namespace(path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps([1, 2]), pickle.dumps({})])
def test_other_files_are_no_settings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "conf.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Namespace"):
        read_namespace(path)


def test_convert_takes_the_table_of_labels(
    tmp_path: Path, model: StructureNet, states: States
) -> None:
    for part, state in states.items():
        torch.save(state, tmp_path / f"{part}.pth")
    table = tmp_path / "Chair.txt"
    Vocabulary(LABELS).write(table)
    out = tmp_path / "ours.safetensors"
    words = ["convert", str(tmp_path), "--model", "structurenet", "--out", str(out)]
    done = CliRunner().invoke(app, [*words, "--labels", str(table)])
    assert done.exit_code == 0, done.output
    found = shapegen.load(out)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value)
    assert CliRunner().invoke(app, words).exit_code == 2
