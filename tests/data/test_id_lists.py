"""Splits depend on ids alone, and lists of ids are read as the shapes on them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shapegen.config import DataConfig
from shapegen.data.files import read
from shapegen.data.id_lists import (
    SplitRule,
    given_splits,
    read_ids,
    split_ids,
    write_ids,
)
from shapegen.structures.files import write_part_trees
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.partnet_writing import write_partnet
from shapegen.train.data import load_data
from tests.hand_made import stools

IDS = [f"chair/{number}" for number in range(2000)]


def named(count: int) -> list[PartTree]:
    return [replace(tree, name=f"id{n}") for n, tree in enumerate(stools(count))]


def test_a_split_has_the_shares_and_every_id_once() -> None:
    parts = split_ids(IDS, SplitRule(val=0.1, test=0.2))
    assert sorted(each for ids in parts.values() for each in ids) == sorted(IDS)
    for name, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
        # Five standard deviations of a binomial count.
        assert abs(len(parts[name]) - share * 2000) < 5 * np.sqrt(2000 * share * (1 - share))


def test_other_shapes_change_nothing() -> None:
    rule = SplitRule(seed=3)
    few, many = split_ids(IDS[::7], rule), split_ids(IDS[::-1], rule)
    for name, ids in few.items():
        assert set(ids) <= set(many[name])


def test_the_seed_makes_another_split_and_shares_keep_the_test_set() -> None:
    base = split_ids(IDS, SplitRule())
    assert base != split_ids(IDS, SplitRule(seed=1))
    assert base["test"] == split_ids(IDS, SplitRule(val=0.3))["test"]
    assert set(base["val"]) < set(split_ids(IDS, SplitRule(val=0.3))["val"])


def test_the_rule_is_frozen() -> None:
    # By hand: `printf 0:7 | sha256sum` starts with 2bef8f, which is 0.17 of the range.
    rule = SplitRule(val=0.1, test=0.1)
    assert [rule.split_of(each) for each in ("7", "15", "42")] == ["val", "test", "train"]


@pytest.mark.parametrize("shares", [(-0.1, 0.1), (0.1, 1.0), (0.5, 0.5)])
def test_shares_that_leave_nothing_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"share from 0, below 1|leave some to train on"):
        SplitRule(val=shares[0], test=shares[1])


def test_given_lists_hold() -> None:
    parts = split_ids(["a", "b", "c"], SplitRule(), {"train": ["c"], "test": ["a", "z"]})
    assert parts == {"train": ("c",), "val": (), "test": ("a",)}


def test_a_list_is_written_and_read(tmp_path: Path) -> None:
    write_ids(tmp_path / "a.txt", ["Big chair", "sub/x", "7"])
    assert (tmp_path / "a.txt").read_bytes() == b"Big chair\nsub/x\n7\n"
    assert read_ids(tmp_path / "a.txt") == ("Big chair", "sub/x", "7")
    (tmp_path / "b.txt").write_bytes(b"7\r\n\r\n 8 \r\n")
    assert read_ids(tmp_path / "b.txt") == ("7", "8")
    for bad in ("", " a", "a\nb"):
        with pytest.raises(ValueError, match="an id is a line of text"):
            write_ids(tmp_path / "c.txt", [bad])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "lists no ids"),
        (b"7\n8\n7\n", r"line 3: id '7' is in line 1 too"),
        (b"\xff\xfe", "UTF-8 text"),
    ],
)
def test_a_bad_list_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read_ids(tmp_path / "a.txt")
    assert str(tmp_path / "a.txt") in str(caught.value)


def hier(folder: Path, count: int = 4) -> Path:
    folder.mkdir()
    for tree in named(count):
        write_partnet([tree], folder / f"{tree.name}.json")
    return folder


def test_a_split_of_structurenets_folder_is_read(tmp_path: Path) -> None:
    folder = hier(tmp_path / "chair_hier")
    write_ids(folder / "train_no_other_less_than_10_parts.txt", ["id3", "id0"])
    trees = read(folder / "train_no_other_less_than_10_parts.txt")
    assert [tree.name for tree in trees] == ["id3", "id0"]
    # The lists are no shapes, nor is a report.
    (folder / "x.report.json").write_text(json.dumps({}))
    assert len(read(folder)) == 4
    write_ids(folder / "val.txt", ["id1", "id9", "id8"])
    with pytest.raises(ValueError, match=r"val\.txt lists 'id9' and 1 more, which is not among"):
        read(folder / "val.txt")


@pytest.mark.parametrize("file", ["set.jsonl.gz", "set.npz", "set.json", "set"])
def test_a_list_beside_a_file_of_its_name_is_read(tmp_path: Path, file: str) -> None:
    write_part_trees(named(4), tmp_path / file)
    write_ids(tmp_path / "set.val.txt", ["id2", "id1"])
    trees = read(tmp_path / "set.val.txt")
    assert [tree.name for tree in trees] == ["id2", "id1"]
    np.testing.assert_array_equal(trees[0].box, named(4)[2].box)


def test_a_list_without_its_shapes_says_where_they_were_looked_for(tmp_path: Path) -> None:
    for name, said in (("set.val.txt", r"set\.jsonl\.gz"), ("val.txt", r"NAME\.train\.txt")):
        write_ids(tmp_path / name, ["../a"])
        with pytest.raises(ValueError, match=said):
            read(tmp_path / name)


def test_a_file_with_a_name_twice_cannot_be_listed(tmp_path: Path) -> None:
    write_part_trees(PartTrees([named(2)[1], named(2)[1]]), tmp_path / "set.jsonl")
    write_ids(tmp_path / "set.val.txt", ["id1"])
    with pytest.raises(ValueError, match="two shapes are called 'id1'"):
        read(tmp_path / "set.val.txt")


def test_the_lists_are_data_of_a_training(tmp_path: Path) -> None:
    write_part_trees(named(6), tmp_path / "set.jsonl.gz")
    write_ids(tmp_path / "set.train.txt", ["id0", "id5", "id2"])
    write_ids(tmp_path / "set.val.txt", ["id1"])
    config = DataConfig(
        path=str(tmp_path / "set.train.txt"), validation_path=str(tmp_path / "set.val.txt")
    )
    split = load_data(config)
    assert [tree.name for tree in split.train] == ["id0", "id5", "id2"]
    assert split.validation is not None
    assert [tree.name for tree in split.validation] == ["id1"]


def test_the_split_files_of_a_folder(tmp_path: Path) -> None:
    assert given_splits(tmp_path) == {}
    write_ids(tmp_path / "train_small.txt", ["a"])
    assert given_splits(tmp_path) == {"train": ("a",)}
    write_ids(tmp_path / "train.txt", ["a", "b"])
    write_ids(tmp_path / "test.txt", ["c"])
    write_ids(tmp_path / "notes.txt", ["x"])
    assert given_splits(tmp_path) == {"train": ("a", "b"), "test": ("c",)}
    assert given_splits(tmp_path, "small") == {"train": ("a",)}
    with pytest.raises(ValueError, match="must be one of 'small'; got 'large'"):
        given_splits(tmp_path, "large")
    write_ids(tmp_path / "val.txt", ["b"])
    with pytest.raises(ValueError, match="id 'b' is in"):
        given_splits(tmp_path)
