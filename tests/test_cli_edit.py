"""The verbs of ``shapegen edit``, in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

import shapegen
from shapegen.cli import app
from shapegen.cli.edit import node_of, nodes_of
from shapegen.core.seeding import seeded
from shapegen.data.furniture import furniture
from shapegen.structures.part_tree import PartTrees
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.vocabulary import vocabulary_of
from tests.structures.shelf import Shelf


def run(*words: object) -> Result:
    """A command that succeeds."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done


def refused(*words: object) -> str:
    """What a command says that ends with exit code 2."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 2, done.output
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


@pytest.fixture(scope="module")
def chairs() -> PartTrees:
    return furniture(8, category="chair", seed=6)


@pytest.fixture(scope="module")
def file(chairs: PartTrees, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edit") / "chairs.npz"
    chairs.write(path)
    return path


@pytest.fixture
def model(chairs: PartTrees, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a model that decodes to chairs."""
    shelf = Shelf(chairs)
    monkeypatch.setattr(shapegen, "load", lambda name, device=None: shelf)
    return "shelf"


def numbers(tree_label: tuple[str, ...], word: str) -> list[int]:
    return [node for node, label in enumerate(tree_label) if label.endswith(f"/{word}")]


def test_resample_keeps_what_is_fixed(
    chairs: PartTrees, file: Path, model: str, tmp_path: Path
) -> None:
    words = ("edit", "resample", model, f"{file}:1", "--fix", "chair_seat", "--fix", 1, "-n", 2)
    run(*words, "--seed", 3, "--out", tmp_path / "a", "-f", "json")
    run(*words, "--seed", 3, "--out", tmp_path / "b", "-f", "json")
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "0000.json", "0001.json", "samples.jsonl", "manifest.json", "contact.png",
    }  # fmt: skip
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    seat = numbers(chairs[1].label, "chair_seat")
    assert manifest["fixed"] == sorted({1, *seat})
    assert (manifest["seed"], manifest["valid"]) == (3, [True, True])
    assert manifest == json.loads((tmp_path / "b" / "manifest.json").read_text())
    for shape in shapegen.read(tmp_path / "a" / "samples.jsonl"):
        own = numbers(shape.label, "chair_seat")
        np.testing.assert_allclose(shape.box[own], chairs[1].box[seat], atol=1e-12)


def test_resample_says_what_is_not_valid(
    file: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shapegen.structures.resampling.ROUNDS", (1.0,))
    monkeypatch.setattr("shapegen.structures.resampling._STRAIN", -1.0)
    done = run("edit", "resample", model, file, "--fix", 1, "-n", 2, "--out", tmp_path / "a")
    assert "note: 2 of them do not hang together or stand" in done.stderr


def test_move_and_swap_write_a_shape_and_a_pair(
    chairs: PartTrees, file: Path, tmp_path: Path
) -> None:
    seat = numbers(chairs[0].label, "chair_seat")[0]
    run("edit", "move", file, "chair_seat", "--by", 0, -0.01, 0.02, "--out", tmp_path / "m",
        "-f", "npz")  # fmt: skip
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "0000.npz", "manifest.json", "contact.png", "pairs.png",
    }  # fmt: skip
    moved = shapegen.read(tmp_path / "m" / "0000.npz")[0]
    np.testing.assert_allclose(moved.box[seat, :3] - chairs[0].box[seat, :3], [0, -0.01, 0.02])
    run("edit", "move", file, seat, "--scale", 1.1, 1, 1, "--turn", 90, "--axis", "y",
        "--out", tmp_path / "t", "-f", "npz")  # fmt: skip
    turned = shapegen.read(tmp_path / "t" / "0000.npz")[0]
    np.testing.assert_allclose(turned.box[seat, 3:6], chairs[0].box[seat, 3:6] * [1.1, 1, 1])
    np.testing.assert_allclose(turned.box[seat, 6:9], [0, 0, -1], atol=1e-12)
    run("edit", "swap", file, "chair_back", f"{file}:2", "chair_back", "--out", tmp_path / "s",
        "-f", "npz")  # fmt: skip
    swapped = shapegen.read(tmp_path / "s" / "0000.npz")[0]
    wanted = [label for label in chairs[2].label if "chair_back" in label]
    assert [label for label in swapped.label if "chair_back" in label] == wanted


def test_arithmetic_adds_latents(tmp_path: Path) -> None:
    shapes = furniture(3, category="chair", seed=6)
    with seeded(0):
        model = StructureNet(
            StructureNetConfig(
                labels=vocabulary_of(shapes).labels, feature_dim=8, hidden_dim=8, max_children=20
            )
        )
    path = tmp_path / "model.safetensors"
    shapegen.save(model, path)
    run("edit", "arithmetic", path, 1, 1, 2, "--out", tmp_path / "a", "-f", "npz")
    found = shapegen.read(tmp_path / "a" / "0000.npz")[0]
    with torch.no_grad():
        code = model.sample_latent(1, rng=torch.Generator().manual_seed(2))
        wanted = model.decode(code)[0]
    np.testing.assert_allclose(found.box, wanted.box, atol=1e-5)


def test_mistakes_are_one_line(
    chairs: PartTrees, file: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ("--out", tmp_path / "x")
    assert "no part 'wing'; it has" in refused("edit", "move", file, "wing", *out)
    assert "nodes are 0 to" in refused("edit", "move", file, 99, *out)
    assert "numbered from 0; got number 8" in refused("edit", "move", f"{file}:8", 1, *out)
    text = refused("edit", "swap", file, "chair_base", file, 0, *out)
    assert "the root is the whole shape" in text
    assert "--fix" in refused("edit", "resample", model, file, *out)
    text = refused("edit", "resample", model, file, "--fix", 0, *out)
    assert "the root is fixed" in text
    assert "unknown format" in refused("edit", "move", file, 1, "-f", "doc", *out)
    grass = shapegen.build("grass", feature_dim=8, hidden_dim=8, components=1)
    monkeypatch.setattr(shapegen, "load", lambda name, device=None: grass)
    text = refused("edit", "resample", "grass", file, "--fix", 1, *out)
    assert "grass cannot resample parts" in text
    assert not (tmp_path / "x").exists()


def test_a_label_of_parts_that_are_no_images_is_ambiguous(chairs: PartTrees, file: Path) -> None:
    bars = next(
        (number, label)
        for number, tree in enumerate(chairs)
        for label in (
            "vertical_slat",
            "side_bar",
            "leg",
            "back_post",
            "rail",
            "panel",
            "disc_slab",
        )
        if len(numbers(tree.label, label)) > 1
    )
    tree = chairs[bars[0]]
    assert nodes_of(tree, bars[1]) == numbers(tree.label, bars[1])
    assert node_of(tree, bars[1]) == nodes_of(tree, bars[1])[0]
    with pytest.raises(ValueError, match=r"several parts .* say which of"):
        node_of(replace(tree, edges=()), bars[1])
