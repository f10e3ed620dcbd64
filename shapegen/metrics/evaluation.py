"""Measure a structure model: reconstruction and generation, with trivial rivals beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from shapegen.metrics import baselines, reconstruction
from shapegen.metrics.boxes import nearest
from shapegen.metrics.cloud_comparison import is_clouds
from shapegen.metrics.cloud_evaluation import evaluate_clouds
from shapegen.metrics.comparison import (
    SetMetrics,
    box_sets,
    official_reading,
    trivial_baseline,
)
from shapegen.metrics.draws import Figures, mean_of_draws
from shapegen.metrics.feature_extractors import Extractor
from shapegen.metrics.graph_comparison import is_graphs
from shapegen.metrics.graph_evaluation import evaluate_graphs
from shapegen.metrics.image_evaluation import evaluate_images
from shapegen.metrics.image_figures import is_images
from shapegen.metrics.reconstruction import unexpanded
from shapegen.metrics.teacher_forcing import teacher_forced
from shapegen.metrics.translation_evaluation import evaluate_translation, is_translation
from shapegen.metrics.validity import validity_shares
from shapegen.metrics.voxel_comparison import is_voxels
from shapegen.metrics.voxel_evaluation import evaluate_voxels
from shapegen.structures.merge_tree import MergeTree
from shapegen.structures.part_tree import PartTree

CODES = 1000
"""Codes a draw; their first valid ones are the generated set."""
DRAWS = 5
MAX_NODES, MAX_BOXES = 100, 200
"""A decode with as many nodes, or with more boxes, is invalid."""

COUNTS = (
    "mean_boxes",
    "mean_nodes",
    "distinct_op_sequences",
    "known_op_sequence_share",
    "sym_type_unexpanded_share",
)


@runtime_checkable
class StructureModel(Protocol):
    """What is asked of a model: codes in, part trees with merge trees out."""

    def encode(self, shapes: Any) -> Tensor:
        """Posterior means ``(n, d)``."""
        ...

    def sample_latent(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        """Codes ``(n, d)`` from the prior."""
        ...

    def decode_trees(self, z: Tensor) -> Any:
        """Merge trees, and as ``complete`` whether the decoder ended each by itself."""
        ...

    def decode(self, z: Tensor) -> Any:
        """The same as part trees."""
        ...


@dataclass(frozen=True)
class Decoded:
    """What codes decoded to; None where that is not a shape."""

    trees: list[PartTree | None]

    @property
    def valid(self) -> list[PartTree]:
        """The shapes."""
        return [tree for tree in self.trees if tree is not None]

    @property
    def merges(self) -> list[MergeTree | None]:
        """Their merge trees."""
        return [None if tree is None else tree.merge for tree in self.trees]


def evaluate(
    model: Any,
    data_train: Any,
    data_test: Any,
    *,
    draws: int | None = None,
    n: int | None = None,
    seed: int = 0,
    features: str | Path | Extractor | None = None,
) -> dict[str, Any]:
    """Measure a model that generates part trees, such as GRASS.

    A StructureNet is measured by its hierarchies (:mod:`shapegen.metrics.hierarchy_evaluation`), a
    model of point clouds as :mod:`shapegen.metrics.cloud_evaluation` says, one of images as
    :mod:`shapegen.metrics.image_evaluation`, one of graphs as
    :mod:`shapegen.metrics.graph_evaluation`, one of voxels as
    :mod:`shapegen.metrics.voxel_evaluation`, one of pairs of images as
    :mod:`shapegen.metrics.translation_evaluation`.

    Args:
        model: In eval mode.
        data_train: Part trees that it was trained on; merge trees are inferred where missing.
        data_test: Held-out part trees, the same.
        draws: Generation figures are means of so many draws of :data:`CODES` codes; default
            :data:`DRAWS`, and 1 for all but part trees.
        n: Generated shapes a draw, the first valid ones; default as many as are held out.
        seed: Draw i is seeded ``seed + i``.
        features: Of images alone: what gives the features that are compared; a path is one of
            Inception weights; default: the shipped network.

    Returns:
        ``metrics``: the model's figures, of generation (:mod:`shapegen.metrics.sets`, and
        ``finite_share``) and of reconstruction (:mod:`shapegen.metrics.reconstruction`).
        ``floor`` (training shapes as samples), ``baseline`` (PCA Gaussian) and ``jitter``:
        generation figures. ``retrieval``: reconstruction figures of the nearest training shape.
        ``validity`` and ``structures`` (counts of trees): for ``samples`` and ``data``.
        ``settings``. Figures that do not exist are None.

    Raises:
        ValueError: Empty data, or fewer than two samples asked for.
        TypeError: A model of another kind.
    """
    if is_images(data_test):
        return evaluate_images(
            model, data_train, data_test, draws=draws or 1, n=n, seed=seed, features=features
        )
    if features is not None:
        raise ValueError(f"features are of images; got {type(data_test).__name__}")
    if is_clouds(data_test):
        return evaluate_clouds(model, data_train, data_test, draws=draws or 1, n=n, seed=seed)
    if is_translation(data_test):
        return evaluate_translation(model, data_train, data_test, draws=draws or 1, n=n, seed=seed)
    if is_graphs(data_test):
        return evaluate_graphs(model, data_train, data_test, draws=draws or 1, n=n, seed=seed)
    if is_voxels(data_test):
        return evaluate_voxels(model, data_train, data_test, draws=draws or 1, n=n, seed=seed)
    draws = DRAWS if draws is None else draws
    if hasattr(model, "decode_structures"):
        # The model's own modules, torch_geometric among them, are loaded by now.
        from shapegen.metrics.hierarchy_evaluation import evaluate_hierarchies

        return _without_nan(
            evaluate_hierarchies(model, data_train, data_test, draws=draws, n=n, seed=seed)
        )
    if not isinstance(model, StructureModel):
        raise TypeError(
            "evaluate measures models that decode part trees, such as grass, on part trees, "
            "models of graphs on graphs and models of point clouds on clouds; got "
            f"{type(model).__name__} and {type(data_test).__name__}"
        )
    train, test = _boxes_and_merges(data_train, "train"), _boxes_and_merges(data_test, "test")
    size = len(data_test) if n is None else n
    if draws < 1:
        raise ValueError(f"draws must be at least 1; got {draws}")
    if size < 2:
        raise ValueError(f"n must be at least 2 shapes; got {size}")
    measure = SetMetrics(test[0])
    drawn = [
        _decode(model, model.sample_latent(max(CODES, size), rng=_stream(seed + draw)))
        for draw in range(draws)
    ]
    generation = _mean([_generation_figures(one, size, measure) for one in drawn])
    baseline, rivals = _rivals(train, size, measure, draws, seed)
    found, _ = nearest(test[0], train[0])
    retrieved = [(train[0][i], train[1][i]) for i in found]
    result: dict[str, Any] = {
        "metrics": generation
        | _reconstruction_figures(model, data_test, test)
        | teacher_forced(model, data_test),
        **rivals,
        "retrieval": _pairs_figures(retrieved, test),
        "validity": {
            "samples": _mean([validity_shares(one.trees[:size]) for one in drawn]),
            "data": validity_shares(list(data_test)),
        },
        "structures": {
            "samples": _mean([_counts(one.valid, one.merges, train[1]) for one in drawn]),
            "data": _counts(data_test, test[1], train[1]),
        },
        "settings": {
            "samples": size,
            "reference": len(test[0]),
            "train": len(train[0]),
            "codes": max(CODES, size),
            "points": None,
            "normalisation": "none",
            "distance": "boxes",
            "emd": None,
            "seed": seed,
            "draws": draws,
            "preset": "structures",
            "baseline": baseline,
        },
    }
    return {key: _without_nan(value) for key, value in result.items()}


def _decode(model: StructureModel, z: Tensor) -> Decoded:
    trees: list[PartTree | None] = [None] * len(z)
    ended = np.flatnonzero(model.decode_trees(z).complete)
    if len(ended):
        # What did not end by itself may not even have finite boxes.
        for row, tree in zip(ended, model.decode(z[torch.from_numpy(ended)]), strict=True):
            small = tree.merge is not None and len(tree.merge) < MAX_NODES
            if small and len(tree.boxes()) <= MAX_BOXES:
                trees[row] = tree.facing("+z")
    return Decoded(trees)


def _generation_figures(decoded: Decoded, size: int, measure: SetMetrics) -> Figures:
    share = {"finite_share": len(decoded.valid) / len(decoded.trees)}
    samples = decoded.valid[:size]
    if len(samples) < 2:
        return dict.fromkeys(measure.metrics, float("nan")) | share
    return measure(box_sets(samples)) | share


def _rivals(
    train: tuple[list[Any], list[MergeTree]],
    size: int,
    measure: SetMetrics,
    draws: int,
    seed: int,
) -> tuple[str, dict[str, Figures]]:
    boxes, merges = train
    floor_size = min(size, len(boxes))
    name, baseline = trivial_baseline(merges, boxes)
    official = official_reading(merges, boxes)
    return name, {
        "floor": mean_of_draws(
            lambda rng: measure(
                [boxes[i] for i in baselines.draw(floor_size, len(boxes), rng=rng)]
            ),
            draws,
            seed,
        ),
        "baseline": mean_of_draws(lambda rng: measure(baseline(size, rng)), draws, seed),
        "jitter": mean_of_draws(
            lambda rng: measure(baselines.jitter(merges, size, official=official, rng=rng)),
            draws,
            seed,
        ),
    }


def _reconstruction_figures(
    model: StructureModel, data_test: Any, test: tuple[list[Any], list[MergeTree]]
) -> Figures:
    decoded = _decode(model, model.encode(data_test))
    pairs = [
        (None if tree is None else tree.boxes(), merge)
        for tree, merge in zip(decoded.trees, decoded.merges, strict=True)
    ]
    figures = _pairs_figures(pairs, test)
    return figures | {"reconstructed_share": len(decoded.valid) / len(decoded.trees)}


def _pairs_figures(
    predicted: Sequence[tuple[Any, MergeTree | None]], test: tuple[list[Any], list[MergeTree]]
) -> Figures:
    boxes, merges = zip(*predicted, strict=True)
    return reconstruction.structure(
        list(zip(merges, test[1], strict=True))
    ) | reconstruction.matched(list(zip(boxes, test[0], strict=True)))


def _counts(
    trees: Sequence[PartTree], merges: Sequence[MergeTree | None], known: Sequence[MergeTree]
) -> Figures:
    """Numbers of trees; ``known`` are the training set's."""
    kept = [merge for merge in merges if merge is not None]
    if not kept:
        return dict.fromkeys(COUNTS, float("nan"))
    sequences = [merge.ops.tobytes() for merge in kept]
    seen = {merge.ops.tobytes() for merge in known}
    dropped = unexpanded(np.concatenate([merge.syms[:, 0] for merge in kept]))
    values = (
        np.mean([len(tree.boxes()) for tree in trees]),
        np.mean([len(merge) for merge in kept]),
        len(set(sequences)),
        np.mean([one in seen for one in sequences]),
        dropped.mean() if len(dropped) else 0.0,
    )
    return {name: float(value) for name, value in zip(COUNTS, values, strict=True)}


def _boxes_and_merges(trees: Any, what: str) -> tuple[list[Any], list[MergeTree]]:
    boxes = box_sets(trees, what)
    return boxes, [_merge(tree.facing("+z")) for tree in trees]


def _merge(tree: PartTree) -> MergeTree:
    from shapegen.structures.merging import to_merge_tree

    return to_merge_tree(tree) if tree.merge is None else tree.merge


def _mean(figures: Iterable[Figures]) -> Figures:
    """Mean of every figure over the draws in which it exists."""
    draws = list(figures)
    columns = {name: np.array([one[name] for one in draws]) for name in draws[0]}
    return {
        name: float(column[~np.isnan(column)].mean()) if not np.isnan(column).all() else np.nan
        for name, column in columns.items()
    }


def _without_nan(figures: dict[str, Any]) -> dict[str, Any]:
    """None for NaN, which JSON does not have."""
    return {
        name: _without_nan(value)
        if isinstance(value, dict)
        else (None if isinstance(value, float) and np.isnan(value) else value)
        for name, value in figures.items()
    }


def _stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
