"""Tables of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shapegen.structures.part_tree import PartTree
from shapegen.structures.partnet_json import read_partnet
from shapegen.structures.vocabulary import Vocabulary, read_vocabulary, vocabulary_of

LABELS = ("chair", "chair/base", "chair/base/leg", "chair/seat")
TABLE = """1 chair subcomponents
2 chair/base subcomponents
3 chair/base/leg leaf
4 chair/seat leaf
"""


def tree(*labels: str) -> PartTree:
    count = len(labels)
    boxes = np.tile([0, 0, 0, 1, 1, 1, 1.0, 0, 0, 0, 1, 0], (count, 1))
    return PartTree(boxes, np.array([-1] + [0] * (count - 1)), labels, name="t")


def test_reading_and_writing(tmp_path: Path) -> None:
    path = tmp_path / "Chair.txt"
    path.write_text(TABLE)
    words = read_vocabulary(path)
    assert words.labels == LABELS
    assert words.leaves == {"chair/base/leg", "chair/seat"}
    words.write(tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == TABLE


def test_the_hierarchy() -> None:
    words = Vocabulary(LABELS)
    assert len(words) == 4
    assert words.roots == ("chair",)
    assert words.children("chair") == ("chair/base", "chair/seat")
    assert [label for label in LABELS if words.is_leaf(label)] == ["chair/base/leg", "chair/seat"]
    assert words.index("chair/seat") == 3
    assert "chair/arm" not in words


def test_an_unknown_label_names_the_nearest() -> None:
    words = Vocabulary(LABELS)
    with pytest.raises(ValueError, match=r"unknown label 'chair/seet'; .* 'chair/seat'"):
        words.index("chair/seet")
    with pytest.raises(ValueError, match="shape 't', node 1: unknown label 'chair/legs'"):
        words.indices(tree("chair", "chair/legs"))
    assert words.indices(tree("chair", "chair/seat", "chair/base")).tolist() == [0, 3, 1]


def test_a_vocabulary_of_trees_has_every_ancestor() -> None:
    words = vocabulary_of([tree("chair", "chair/base/leg", "chair/seat"), tree("lamp")])
    assert words.labels == (*LABELS, "lamp")
    assert words.roots == ("chair", "lamp")
    with pytest.raises(ValueError, match="at least one label"):
        vocabulary_of([])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 chair\n", "line 1: must be '1 full/label leaf|subcomponents'; got '1 chair'"),
        ("1 chair leaf\n3 chair/a leaf\n", "line 2: must be '2 "),
        ("1 chair branch\n", "line 1"),
        ("1 chair/seat leaf\n", "must follow its parent 'chair'"),
        ("1 chair leaf\n2 chair leaf\n", "listed once; got 'chair' twice"),
        ("1 chair// leaf\n", "words joined by '/'"),
        ("", "at least one label"),
        ("\xff", "UTF-8"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError) as caught:
        read_vocabulary(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "table"), [("chair", "Chair"), ("table", "Table"), ("storage", "StorageFurniture")]
)
def test_the_published_tables_are_those_of_the_shapes(
    data_path: Path, data: str, table: str
) -> None:
    folder = data_path / "partnet_boxes"
    words = read_vocabulary(folder / "part_semantics" / f"{table}.txt")
    trees = read_partnet(folder / f"{data}_val.jsonl.gz")
    for each in trees:
        words.indices(each)
        assert all(words.is_leaf(label) for label in each.labels())
    assert set(vocabulary_of(trees).labels) <= set(words.labels)
    if data == "chair":
        trees = [*trees, *read_partnet(folder / "chair_train.jsonl.gz")]  # type: ignore[assignment]
        assert vocabulary_of(trees) == words
