"""Checkpoints in the authors' layout, and what is refused."""

import argparse
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
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
    return states_of(model)


def states_of(model: StructureNet) -> States:
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


def test_a_folder_of_the_authors(tmp_path: Path, states: States) -> None:
    for part, state in states.items():
        torch.save(state, tmp_path / f"180_net_{part}.pth")
    conf = argparse.Namespace(
        node_symmetric_type="sum",
        edge_symmetric_type="max",
        edge_types=["REF_SYM", "ADJ", "TRANS_SYM", "ROT_SYM"],
        non_variational=True,
        lr=0.001,
    )
    torch.save(conf, tmp_path / "conf.pth")
    found = load_official("structurenet", tmp_path, vocabulary=LABELS)
    assert (found.config.node_pool, found.config.edge_pool) == ("sum", "max")
    assert list(map(str, found.config.edge_kinds)) == conf.edge_types
    assert not found.config.variational
    again = load_official("structurenet", tmp_path, vocabulary=LABELS, node_pool="avg")
    assert again.config.node_pool == "avg"
    paths = {part: tmp_path / f"180_net_{part}.pth" for part in states}
    for pair in (paths, (paths["encoder"], str(paths["decoder"]))):
        assert load_official("structurenet", pair, vocabulary=LABELS).config == found.config
    refused("an encoder and a decoder; got 1", [paths["encoder"]])
    torch.save({}, tmp_path / "199_net_encoder.pth")
    with pytest.raises(ValueError, match="180_net_encoder"):
        load_official("structurenet", tmp_path, vocabulary=LABELS)


def refused(words: str, checkpoint: Any, **options: Any) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        load_official("structurenet", checkpoint, **({"vocabulary": LABELS} | options))
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused(states: States) -> None:
    refused("knows 4 labels", states, vocabulary=LABELS[:3])
    refused("knows 4 labels", states, vocabulary="chair")
    refused("know one category", states, vocabulary=["a", "b", "c", "d"])
    refused("4 kinds of relations", states, edge_kinds=["ADJ"])
    refused("NEXT_TO", states, edge_kinds=["ADJ", "NEXT_TO", "TRANS_SYM", "ROT_SYM"])
    refused("node_pool", states, node_pool="median")
    refused("unknown key", states, node_symmetric_type="sum")
    for part in states:
        more = states[part] | {"child_encoder.node_edge_op": torch.zeros(1)}
        refused(f"{part} has unknown tensors", states | {part: more})


def test_features_of_another_length_than_hidden_layers_are_refused() -> None:
    for feature, hidden in ((6, 8), (8, 6)):
        config = StructureNetConfig(
            labels=LABELS, feature_dim=feature, hidden_dim=hidden, context=False, prior="normal"
        )
        words = f"feature_dim equal to hidden_dim; got {feature} and {hidden}"
        refused(words, states_of(StructureNet(config)))


def test_every_missing_or_misshaped_tensor_is_refused(states: States) -> None:
    for part, state in states.items():
        for name, value in state.items():
            if name == "anchor":
                continue
            rest = {key: each for key, each in state.items() if key != name}
            # The last of several layers side by side leaves fewer of them.
            refused(r"lacks|kinds of relations", states | {part: rest})
            wider = torch.zeros([size + 1 for size in value.shape])
            for other in (wider, value[None], value.long(), value.clone().fill_(torch.nan)):
                refused(r"must|do not fit|knows", states | {part: rest | {name: other}})


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


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickles_is_read(tmp_path: Path, protocol: int) -> None:
    values = {"a": (1, 2, 3, 4), "b": [True, None], "c": -1.5, "d": "é", "e": 10**30, "f": {}}
    path = tmp_path / "conf.pth"
    path.write_bytes(pickle.dumps(argparse.Namespace(**values), protocol=protocol))
    assert read_namespace(path) == values


def doubled() -> list[Any]:
    """A list that is short in memory and endless when it is written out."""
    found: list[Any] = []
    for _ in range(60):
        found = [found, found]
    return found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        pickle.dumps([1, 2]),
        pickle.dumps({}),
        pickle.dumps(argparse.Namespace(a=argparse.Namespace())),
        pickle.dumps(argparse.Namespace(a=argparse.Namespace)),
        pickle.dumps(argparse.Namespace(a={1, 2})),
        pickle.dumps(argparse.Namespace(a=Path("x"))),
        pickle.dumps(argparse.Namespace(a=doubled())),
        pickle.dumps(argparse.Namespace(a=1))[:-1],
        b"cos\nsystem\n(S'true'\ntR.",
        bytes(2**20 + 1),
    ],
)
def test_other_files_are_no_settings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "conf.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Namespace") as caught:
        read_namespace(path)
    assert len(str(caught.value)) < 400


def test_archives_that_are_no_settings(tmp_path: Path) -> None:
    path = tmp_path / "conf.pth"
    for name, content in (("other", b""), ("a/data.pkl", bytes(2**21))):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        with pytest.raises(ValueError, match=r"0 files named|more than"):
            read_namespace(path)


def test_damaged_settings_are_settings_or_refused(tmp_path: Path) -> None:
    values = {"a": [1, (2, 3)], "b": {"c": 1.5}, "device": torch.device("cpu")}
    whole = pickle.dumps(argparse.Namespace(**values), protocol=2)
    path = tmp_path / "conf.pth"
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            read_namespace(path)
        except ValueError:
            refused += 1
    assert refused > 300


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
