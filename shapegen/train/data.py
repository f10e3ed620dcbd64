"""The shapes of a run: read or made, and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shapegen.base import Shapes
from shapegen.config import DataConfig, expand


@dataclass(frozen=True)
class DataSplit:
    """Shapes by their use."""

    train: Shapes
    validation: Shapes | None
    """To choose the best checkpoint by."""
    holdout: Shapes | None
    """For evaluation only."""


def load_data(config: DataConfig) -> DataSplit:
    """Read or make the shapes that a configuration names, and split them.

    Hold-out first, then validation from the rest, both by the same rule. A random split keeps the
    order of the permutation, a family split that of the file. Renders are split by the shape that
    they are of, stacked digits by the digits.

    Raises:
        ValueError: Missing or bad file, unknown procedural set, an environment variable that is
            not set, or too few shapes for the split.
    """
    shapes = _all(config)
    rest = np.arange(_count(shapes))
    rest, holdout = _hold_out(shapes, rest, config.holdout, config)
    rest, chosen = _hold_out(shapes, rest, config.validation, config)
    validation = _taken(shapes, chosen, config) if len(chosen) else None
    if config.validation_path is not None:
        validation = _seen(_read(config.validation_path, config), config, config.seed + 1)
    return DataSplit(
        _taken(shapes, rest, config),
        validation,
        _taken(shapes, holdout, config) if len(holdout) else None,
    )


def read_as(path: str | Path, config: DataConfig) -> Shapes:
    """Read other shapes as a run saw its own: renders are taken of those that are no images yet.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
        ValueError: It cannot be read, or holds what has no surface where renders are due.
    """
    from shapegen.data.files import read
    from shapegen.images.render_files import holds_renders

    if config.render is None or holds_renders(path):
        return read(path)
    return _seen(_read(str(path), config), config, config.seed + 1)


Index = NDArray[np.int64]


def _all(config: DataConfig) -> Shapes:
    if config.paths:
        parts = [_read(path, config) for path in config.paths]
        kind: Any = type(parts[0])  # every container that is read can join its like
        joined: Shapes = parts[0] if len(parts) == 1 else kind.join(parts)
        return joined
    from shapegen.data.catalog import make

    assert config.name is not None
    assert config.count is not None
    cells = {} if config.voxels is None else {"voxels": config.voxels}
    made = make(config.name, count=config.count, seed=config.seed, **cells)
    return _converted(made, config)


def _read(path: str, config: DataConfig) -> Shapes:
    if config.points is not None:
        from shapegen.data.point_sets import read_clouds

        return read_clouds(expand(path), config.points, seed=config.seed)
    if config.render is not None:
        from shapegen.data.rendering import read_surfaces

        return read_surfaces(expand(path))
    if config.image_size is not None:
        from shapegen.images.files import read_images
        from shapegen.images.pictures import Fit

        return read_images(expand(path), Fit(config.image_size, config.image_crop))
    from shapegen.data.files import read

    shapes = read(expand(path))
    if config.part_points is None:
        return _converted(shapes, config)
    from shapegen.data.part_points import with_geometry
    from shapegen.structures.part_tree import PartTrees

    if not isinstance(shapes, PartTrees):
        raise ValueError(f"part_points belongs to part trees; {path} holds point clouds")
    return with_geometry(expand(config.part_points), shapes)


def _converted(shapes: Shapes, config: DataConfig) -> Shapes:
    """Shapes as the clouds or the voxels that the configuration asks for, if it does."""
    if config.points is not None:
        from shapegen.data.point_sets import as_clouds

        return as_clouds(shapes, config.points, seed=config.seed)
    if config.voxels is not None:
        from shapegen.data.voxel_sets import as_voxels

        return as_voxels(shapes, config.voxels)
    return shapes


def _hold_out(
    shapes: Shapes, among: Index, amount: int | float, config: DataConfig
) -> tuple[Index, Index]:
    total = _count(shapes)
    count = round(amount * total) if isinstance(amount, float) else amount
    if not count:
        return among, among[:0]
    if count >= len(among):
        raise ValueError(f"cannot hold {count} of {len(among)} shapes out and train on the rest")
    from shapegen.metrics.splits import family_split, random_split

    if config.split == "random" and len(among) == total:
        rest, out = random_split(len(among), held_out=count, seed=config.split_seed)
    elif config.split == "random":
        # What is left of the permutation is in random order already.
        rest, out = np.arange(len(among) - count), np.arange(len(among) - count, len(among))
    else:
        boxes = [_boxes(shapes[int(index)]) for index in among]
        rest, out = family_split(boxes, held_out=count, seed=config.split_seed)
    return among[rest], among[out]


def _boxes(shape: Any) -> Any:
    from shapegen.structures.part_tree import PartTree

    if not isinstance(shape, PartTree):
        raise ValueError(f"a family split is of part trees; got {type(shape).__name__}")
    return shape.boxes()


def _count(shapes: Shapes) -> int:
    from shapegen.images.renders import Renders

    return shapes.num_shapes if isinstance(shapes, Renders) else len(shapes)


def _taken(shapes: Shapes, indices: Index, config: DataConfig) -> Shapes:
    from shapegen.images.renders import Renders

    numbers = indices.tolist()
    if isinstance(shapes, Renders):
        return shapes if numbers == list(range(_count(shapes))) else shapes.of_shapes(numbers)
    taken: Shapes = shapes[numbers]
    return _seen(taken, config, config.seed, numbers)


def _seen(
    shapes: Shapes, config: DataConfig, seed: int, numbers: Sequence[int] | None = None
) -> Shapes:
    """Views of shapes, or stacks of digits, if they are asked for.

    A shape's poses depend on its number alone.
    """
    if config.stack is not None:
        import torch

        from shapegen.images.images import Images
        from shapegen.images.stacked import StackedDigits

        digits, rng = Images.of(shapes), torch.Generator().manual_seed(seed)
        count = config.stack.each * len(digits)
        return StackedDigits.draw(digits, count, config.stack.size, rng=rng)
    if config.render is None:
        return shapes
    from shapegen.data.rendering import render_shapes

    return render_shapes(shapes, config.render, seed=seed, numbers=numbers)
