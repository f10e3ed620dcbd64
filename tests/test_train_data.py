"""Which shapes a run trains on, and which it never sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shapegen.config import DataConfig
from shapegen.config.render import RenderConfig
from shapegen.data.catalog import make
from shapegen.data.part_points import write_geometry
from shapegen.data.rendering import render_shapes
from shapegen.images.renders import Renders
from shapegen.structures.part_tree import PartTrees
from shapegen.train import load_data

COUNT = 20


@pytest.fixture(scope="module")
def shapes() -> PartTrees:
    return make("furniture-chairs", count=COUNT, seed=3)


def numbers(part: object, shapes: PartTrees) -> list[int]:
    """The place of every shape in the whole set."""
    keys = [tree.box.tobytes() for tree in shapes]
    assert isinstance(part, PartTrees)
    return [keys.index(tree.box.tobytes()) for tree in part]


def test_everything_is_trained_on_unless_held_out(shapes: PartTrees) -> None:
    split = load_data(DataConfig(name="furniture-chairs", count=COUNT, seed=3))
    assert numbers(split.train, shapes) == list(range(COUNT))
    assert split.validation is None
    assert split.holdout is None


def test_a_random_split_is_the_end_of_the_permutation(shapes: PartTrees) -> None:
    config = DataConfig(
        name="furniture-chairs", count=COUNT, seed=3, holdout=4, validation=0.1, split_seed=7
    )
    split = load_data(config)
    order = np.random.RandomState(7).permutation(COUNT).tolist()
    assert numbers(split.holdout, shapes) == order[-4:]
    assert numbers(split.validation, shapes) == order[-6:-4]
    assert numbers(split.train, shapes) == order[:-6]
    # Without a hold-out, validation is the end.
    split = load_data(
        DataConfig(name="furniture-chairs", count=COUNT, seed=3, validation=3, split_seed=7)
    )
    assert numbers(split.validation, shapes) == order[-3:]


def test_a_family_split_keeps_families_together(shapes: PartTrees) -> None:
    from shapegen.metrics.splits import families

    config = DataConfig(
        name="furniture-chairs", count=COUNT, seed=3, holdout=4, validation=2, split="family"
    )
    split = load_data(config)
    family = families([tree.boxes() for tree in shapes])
    parts = [numbers(part, shapes) for part in (split.train, split.validation, split.holdout)]
    assert sorted(number for part in parts for number in part) == list(range(COUNT))
    assert len(parts[1]) >= 2
    assert len(parts[2]) >= 4
    members = [set(family[part].tolist()) for part in parts]
    assert not members[0] & members[2]
    assert not members[0] & members[1]


def test_files_and_validation_files(shapes: PartTrees, tmp_path: Path) -> None:
    shapes[:5].write(tmp_path / "a.jsonl")
    shapes[5:7].write(tmp_path / "b.jsonl")
    split = load_data(
        DataConfig(path=str(tmp_path / "a.jsonl"), validation_path=str(tmp_path / "b.jsonl"))
    )
    assert len(split.train) == 5
    assert split.validation is not None
    assert len(split.validation) == 2
    both = load_data(DataConfig(path=(str(tmp_path / "b.jsonl"), str(tmp_path / "a.jsonl"))))
    assert numbers(both.train, shapes) == [5, 6, 0, 1, 2, 3, 4]


def test_points_of_parts_go_with_their_shapes(shapes: PartTrees, tmp_path: Path) -> None:
    trees = [replace(tree, name=f"s{number}") for number, tree in enumerate(shapes[:6])]
    clouds = [np.full((len(tree), 4, 3), number, np.float32) for number, tree in enumerate(trees)]
    (tmp_path / "hier").mkdir()
    for tree in trees:
        tree.write(tmp_path / "hier" / f"{tree.name}.json")
    trees[5].write(tmp_path / "last.json")
    write_geometry(tmp_path / "geo", trees, clouds)
    config = DataConfig(
        path=str(tmp_path / "hier"),
        validation_path=str(tmp_path / "last.json"),
        part_points=str(tmp_path / "geo"),
        holdout=2,
    )
    split = load_data(config)
    for part, count in ((split.train, 4), (split.validation, 1), (split.holdout, 2)):
        assert isinstance(part, PartTrees)
        assert len(part) == count
        for tree in part:
            assert tree.part_points is not None
            assert tree.part_points.shape == (len(tree), 4, 3)
            assert (tree.part_points == int(tree.name[1:])).all()
    np.savez(tmp_path / "geo" / "s5.npz", parts=clouds[5][1:])
    with pytest.raises(ValueError, match=r"s5.npz: 'parts' must have one row a node of shape"):
        load_data(config)


def test_points_of_parts_belong_to_part_trees(tmp_path: Path) -> None:
    np.savez(tmp_path / "clouds.npz", points=np.random.default_rng(0).normal(size=(2, 16, 3)))
    config = DataConfig(path=str(tmp_path / "clouds.npz"), part_points=str(tmp_path))
    with pytest.raises(ValueError, match=r"part_points belongs to part trees; .* point clouds"):
        load_data(config)


def test_points_belong_to_a_file() -> None:
    with pytest.raises(ValueError, match="part_points belongs to the shapes of a file `path`"):
        DataConfig(name="furniture", count=3, part_points="geo")


def test_views_are_split_by_their_shapes(shapes: PartTrees, tmp_path: Path) -> None:
    render = RenderConfig(size=8, views=3)
    config = DataConfig(
        name="furniture-chairs", count=COUNT, seed=3, render=render, holdout=4, validation=2
    )
    split = load_data(config)
    whole = render_shapes(shapes, render, seed=3)
    order = np.random.RandomState(0).permutation(COUNT)
    for part, chosen in (
        (split.train, order[:14]),
        (split.validation, order[14:16]),
        (split.holdout, order[16:]),
    ):
        assert isinstance(part, Renders)
        assert torch.equal(part.pixels, whole.of_shapes(chosen.tolist()).pixels)
        assert torch.equal(part.poses, whole.of_shapes(chosen.tolist()).poses)
    # Renders that are read are split in the same way, and shapes that are read are rendered.
    whole.write(tmp_path / "renders.npz")
    again = load_data(DataConfig(path=str(tmp_path / "renders.npz"), holdout=4, validation=2))
    assert isinstance(again.holdout, Renders)
    assert isinstance(split.holdout, Renders)
    assert torch.equal(again.holdout.pixels, split.holdout.pixels)
    shapes.write(tmp_path / "chairs.npz")
    read = load_data(DataConfig(path=str(tmp_path / "chairs.npz"), seed=3, render=render))
    assert isinstance(read.train, Renders)
    assert torch.equal(read.train.pixels, whole.pixels)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig(name="furnitrue", count=3), "furniture"),
        (DataConfig(name="furniture", count=3, holdout=3), "cannot hold 3 of 3 shapes out"),
        (DataConfig(name="furniture", count=3, holdout=1, validation=2), "cannot hold 2 of 2"),
        (DataConfig(path="${NO_SUCH_VARIABLE}/a.npz"), "NO_SUCH_VARIABLE in .* is not set"),
    ],
)
def test_bad_data_sections(config: DataConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_data(config)
