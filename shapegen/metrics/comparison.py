"""Compare two sets of shapes, from memory or from files; no model is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from shapegen.core import boxes as box_algebra
from shapegen.metrics import baselines, chamfer, sets
from shapegen.metrics.boxes import nearest_matrix
from shapegen.metrics.cloud_comparison import compare_clouds, is_clouds
from shapegen.metrics.cloud_figures import CLOUD_PRESETS
from shapegen.metrics.draws import Figures, mean_of_draws
from shapegen.metrics.feature_extractors import Extractor
from shapegen.metrics.graph_comparison import GRAPH_PRESETS, compare_graphs, is_graphs
from shapegen.metrics.image_comparison import compare_images
from shapegen.metrics.image_figures import is_images
from shapegen.metrics.voxel_comparison import compare_voxels, is_voxels
from shapegen.structures.merge_tree import MergeTree
from shapegen.structures.part_tree import PartTree

Array = NDArray[np.float64]
Distance = Literal["boxes", "chamfer"]
METRICS = ("coverage", "mmd", "quality", "1nna", "diversity", "boxes_w1")
"""What preset ``structures`` measures (:mod:`shapegen.metrics.sets`)."""
PRESETS = ("structures",)


def compare(
    samples: Any,
    reference: Any,
    *,
    metrics: Sequence[str] | None = None,
    preset: str | None = None,
    distance: Distance = "boxes",
    train: Any = None,
    draws: int = 5,
    seed: int = 0,
    features: str | Path | Extractor | None = None,
) -> dict[str, Any]:
    """Measure how well samples stand for a reference, such as held-out data.

    Point clouds are measured by :func:`shapegen.metrics.cloud_comparison.compare_clouds`, which
    says what is different for them, graphs by
    :func:`shapegen.metrics.graph_comparison.compare_graphs`, voxels by
    :func:`shapegen.metrics.voxel_comparison.compare_voxels`, images by
    :func:`shapegen.metrics.image_comparison.compare_images`; the rest is about part trees.

    Args:
        samples: Part trees, box arrays ``(k, 12)``, or a path: any file of part trees that
            :func:`shapegen.read` takes, or a ``.jsonl`` of ``{"id", "boxes": [[12 numbers]]}``.
        reference: The same.
        metrics: Some of :data:`METRICS`; default all.
        preset: ``"structures"`` for part trees, which is also the default for them;
            ``"pointflow"`` or ``"lion-normbox"`` for point clouds, ``"graphrnn"`` or
            ``"graphrnn-tv"`` for graphs, whose defaults are the first.
        distance: ``"boxes"`` is the box-set distance D, ``"chamfer"`` that of 512 surface points.
        train: Shapes that the samples' model was trained on: gives the floor (training shapes in
            the samples' place) and a trivial baseline (a Gaussian for every structure where there
            are merge trees, else training shapes with noise) beside the figures.
        draws: The floor and the baseline are means of so many random draws.
        seed: Of those draws.
        features: Of images alone: what gives the features that are compared; a path is one of
            Inception weights; default: the shipped network.

    Returns:
        ``{"metrics": {name: value}, "floor": {...}, "baseline": {...}, "settings": {...}}``; floor
        and baseline are empty without ``train``.

    Raises:
        ValueError: Unknown names, empty sets, or boxes that are not finite.
        TypeError: Shapes of another kind.
    """
    presets = PRESETS + CLOUD_PRESETS + GRAPH_PRESETS
    if preset is not None and preset not in presets:
        raise ValueError(f"preset must be one of {presets}; got {preset!r}")
    samples, reference, train = (
        _load(each) if isinstance(each, str | Path) else each
        for each in (samples, reference, train)
    )
    if is_images(samples) or is_images(reference):
        if preset is not None or metrics is not None:
            raise ValueError("images have neither presets nor a choice of metrics; leave both out")
        return compare_images(
            samples, reference, train=train, draws=draws, seed=seed, features=features
        )
    if features is not None:
        raise ValueError(f"features are of images; got {type(samples).__name__}")
    if is_graphs(samples) or is_graphs(reference):
        if preset is not None and preset not in GRAPH_PRESETS:
            raise ValueError(f"for graphs preset must be one of {GRAPH_PRESETS}; got {preset!r}")
        return compare_graphs(
            samples,
            reference,
            metrics=metrics,
            preset=preset or GRAPH_PRESETS[0],
            train=train,
            draws=draws,
            seed=seed,
        )
    if is_voxels(samples) or is_voxels(reference):
        if preset is not None or metrics is not None:
            raise ValueError("voxels have neither presets nor a choice of metrics; leave both out")
        return compare_voxels(samples, reference, train=train, draws=draws, seed=seed)
    if preset in GRAPH_PRESETS:
        raise ValueError(f"preset {preset!r} measures graphs; these are others")
    if is_clouds(samples) or is_clouds(reference):
        if preset in PRESETS:
            raise ValueError(f"preset {preset!r} measures part trees; for clouds: {CLOUD_PRESETS}")
        return compare_clouds(
            samples,
            reference,
            metrics=metrics,
            preset=preset or CLOUD_PRESETS[0],
            train=train,
            draws=draws,
            seed=seed,
        )
    if preset in CLOUD_PRESETS:
        raise ValueError(f"preset {preset!r} measures point clouds; for part trees: 'structures'")
    metrics = METRICS if metrics is None else metrics
    ours, theirs = box_sets(samples, "samples"), box_sets(reference, "reference")
    measure = SetMetrics(theirs, metrics=metrics, distance=distance)
    settings = {
        "samples": len(ours),
        "reference": len(theirs),
        "points": chamfer.SET_POINTS if distance == "chamfer" else None,
        "normalisation": "none",
        "distance": distance,
        "emd": None,
        "seed": seed,
        "draws": draws if train is not None else 1,
        "preset": "structures",
    }
    result: dict[str, Any] = {
        "metrics": measure(ours),
        "floor": {},
        "baseline": {},
        "settings": settings,
    }
    if train is not None:
        dev = box_sets(train, "train")
        size = min(len(ours), len(dev))
        name, baseline = trivial_baseline(merge_trees(train), dev)
        settings |= {"train": len(dev), "floor_samples": size, "baseline": name}
        result["floor"] = mean_of_draws(
            lambda rng: measure([dev[i] for i in baselines.draw(size, len(dev), rng=rng)]),
            draws,
            seed,
        )
        result["baseline"] = mean_of_draws(
            lambda rng: measure(baseline(len(ours), rng)), draws, seed
        )
    return result


class SetMetrics:
    """The figures of many sets of samples against one reference, measured once.

    Args:
        reference: Box arrays ``(k, 12)``.
        metrics: Some of :data:`METRICS`.
        distance: See :func:`compare`.
    """

    def __init__(
        self,
        reference: Sequence[Array],
        *,
        metrics: Sequence[str] = METRICS,
        distance: Distance = "boxes",
    ) -> None:
        unknown = [name for name in metrics if name not in METRICS]
        if unknown or not len(metrics):
            raise ValueError(f"metrics must be some of {METRICS}; got {tuple(metrics)}")
        if distance not in ("boxes", "chamfer"):
            raise ValueError(f"distance must be 'boxes' or 'chamfer'; got {distance!r}")
        self.metrics = tuple(metrics)
        self._reference = list(reference)
        self._matrix: Callable[..., Array] = (
            nearest_matrix if distance == "boxes" else chamfer.chamfer_matrix
        )
        self._inside: dict[int, Array] = {}

    def __call__(self, samples: Sequence[Array]) -> Figures:
        """Measure one set of samples."""
        asked, theirs = set(self.metrics), self._reference
        figures: Figures = {}
        if asked & {"coverage", "mmd", "quality", "1nna"}:
            across = self._matrix(samples, theirs)
            figures["coverage"] = sets.coverage(across)
            figures["mmd"] = sets.mmd(across)
            figures["quality"] = sets.quality(across)
        if "1nna" in asked:
            k = min(len(samples), len(theirs))
            if len(samples) != len(theirs):
                # A pruned matrix has its smallest entries anywhere; a whole one can be cut.
                whole_matrix = self._matrix is not nearest_matrix
                across = across[:k, :k] if whole_matrix else self._matrix(samples[:k], theirs[:k])
            inside = self._matrix(samples[:k])
            figures["1nna"] = sets.one_nna(inside, across, self._reference_inside(k))
        if "diversity" in asked:
            whole = "1nna" in asked and k == len(samples)
            figures["diversity"] = sets.diversity(inside if whole else self._matrix(samples))
        if "boxes_w1" in asked:
            figures["boxes_w1"] = sets.boxes_w1(
                [len(shape) for shape in samples], [len(shape) for shape in theirs]
            )
        return {name: figures[name] for name in self.metrics}

    def _reference_inside(self, k: int) -> Array:
        if k not in self._inside:
            self._inside[k] = self._matrix(self._reference[:k])
        return self._inside[k]


def trivial_baseline(
    merges: Sequence[MergeTree], dev: Sequence[Array]
) -> tuple[str, Callable[[int, torch.Generator], list[Array]]]:
    """Name and sampler of the baseline that a training set allows.

    Args:
        merges: Its merge trees; empty if it has none.
        dev: Its boxes.
    """
    if baselines.large_groups(merges):
        pca = baselines.PcaGaussian(merges, official=official_reading(merges, dev))
        return "pca_gaussian", lambda n, rng: pca.sample(n, rng=rng)
    return "jitter", lambda n, rng: baselines.jitter_boxes(dev, n, rng=rng)


def official_reading(merges: Sequence[MergeTree], boxes: Sequence[Array]) -> bool:
    """Whether the authors' reading of the symmetries gives the shapes' own numbers of boxes."""
    counts = np.array([len(shape) for shape in boxes])

    def misses(official: bool) -> int:
        found = [len(shape) for shape in baselines.expanded(merges, official=official)]
        return int((np.array(found) != counts).sum())

    return misses(official=True) <= misses(official=False)


def box_sets(shapes: Any, what: str = "shapes") -> list[Array]:
    """Leaf boxes ``(k, 12)`` of every shape of part trees, arrays or a file, checked."""
    if isinstance(shapes, str | Path):
        shapes = _load(shapes)
    if isinstance(shapes, PartTree | np.ndarray) or not isinstance(shapes, Iterable):
        raise TypeError(
            f"{what} must be part trees, a list of (k, 12) arrays or a path; "
            f"got {type(shapes).__name__}"
        )
    arrays = [
        shape.facing("+z").boxes() if isinstance(shape, PartTree) else _array(shape, what)
        for shape in shapes
    ]
    if not arrays:
        raise ValueError(f"{what} must hold at least one shape; got none")
    for number, array in enumerate(arrays):
        if not (len(array) and np.isfinite(array).all()):
            wrong = "boxes that are not finite" if len(array) else "no boxes"
            raise ValueError(
                f"every shape of {what} needs finite boxes; shape {number} has {wrong}"
            )
    return arrays


def merge_trees(trees: Any) -> list[MergeTree]:
    """The merge hierarchies of part trees; empty unless every one has its own."""
    merges = [tree.facing("+z").merge for tree in trees if isinstance(tree, PartTree)]
    kept = [merge for merge in merges if merge is not None]
    return kept if len(kept) == len(trees) else []


def _array(shape: ArrayLike, what: str) -> Array:
    try:
        return box_algebra.as_boxes(shape)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{what} must be part trees, a list of (k, 12) arrays or a path; one is "
            f"{type(shape).__name__}"
        ) from error


def _load(path: str | Path) -> Any:
    path = Path(path)
    plain = _box_lines(path)
    if plain:
        return plain
    from shapegen.data.files import read

    return read(path)


def _box_lines(path: Path) -> list[Array]:
    """The arrays of a JSONL file of plain boxes; none if it is another kind of file."""
    if path.suffix != ".jsonl" or not path.is_file():
        return []
    arrays = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(filter(str.strip, lines), start=1):
            try:
                entry = json.loads(line)
                if number == 1 and not (isinstance(entry, dict) and "boxes" in entry):
                    return []
                arrays.append(box_algebra.as_boxes(entry["boxes"]))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, line {number}: not {{'id', 'boxes': [[12 numbers], ...]}}"
                ) from error
    return arrays
