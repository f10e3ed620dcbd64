"""Measure a model of labelled hierarchies: reconstruction, generation, validity, and rivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.metrics import baselines, sets
from shapegen.metrics.boxes import nearest
from shapegen.metrics.chamfer import BOX_POINTS, PAIR_POINTS, SET_POINTS
from shapegen.metrics.comparison import Distance, SetMetrics, box_sets
from shapegen.metrics.draws import Figures, mean_of_draws
from shapegen.metrics.frechet import Gaussian, gaussian_distance
from shapegen.metrics.hierarchies import hierarchy_figures, leaf_chamfers
from shapegen.metrics.reconstruction import matched
from shapegen.metrics.relation_errors import relation_errors
from shapegen.metrics.shape_features import ShapeFeatures
from shapegen.metrics.structure_distance import structure_matrix
from shapegen.metrics.validity import validity_shares
from shapegen.structures.correspondence import correspond
from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.structurenet import StructureNet

REFERENCE, SAMPLES = 200, 100
"""Shapes of the reference and of the generated set."""
DISTANCES: tuple[Distance, ...] = ("chamfer", "boxes")


def evaluate_hierarchies(
    model: StructureNet,
    data_train: Sequence[PartTree],
    data_test: Sequence[PartTree],
    *,
    draws: int = 5,
    n: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a StructureNet.

    Args:
        model: In eval mode.
        data_train: Part trees that it was trained on.
        data_test: Held-out part trees. Reconstruction is of all of them; generation is measured
            against :data:`REFERENCE` of them, drawn with ``numpy.random.RandomState(0)``.
        draws: Generation figures are means of so many draws.
        n: Generated shapes a draw, the first that end by themselves; default :data:`SAMPLES`.
        seed: Draw i is seeded ``seed + i``.

    Returns:
        As :func:`shapegen.metrics.evaluate`. Generation figures are those of
        :class:`GenerationMeasure`; reconstruction is by free decoding of the posterior means
        (:mod:`shapegen.metrics.hierarchies`, :mod:`shapegen.metrics.relation_errors`). ``truth``
        are the figures of the held-out shapes' own relations: no less can be expected.

    Raises:
        ValueError: Empty data, or fewer than two samples asked for.
    """
    size = min(SAMPLES, len(data_test)) if n is None else n
    if draws < 1 or size < 2:
        raise ValueError(f"draws must be at least 1 and n at least 2; got {draws} and {size}")
    train, test = (
        PartTrees([tree.facing("+z") for tree in data]) for data in (data_train, data_test)
    )
    boxes = {"train": box_sets(train, "train"), "test": box_sets(test, "test")}
    fixed = np.random.RandomState(0)
    chosen = fixed.permutation(len(test))[:REFERENCE]
    measure = GenerationMeasure(boxes["train"], test[chosen.tolist()])
    drawn = [_draw(model, size, seed + draw) for draw in range(draws)]
    generation = [measure(trees) | {"finite_share": share} for trees, share in drawn]
    known = boxes["train"]
    floor_size = min(size, len(known))
    rivals = {
        "floor": mean_of_draws(
            lambda rng: measure(train[baselines.draw(floor_size, len(train), rng=rng).tolist()]),
            draws,
            seed,
        ),
        "baseline": mean_of_draws(
            lambda rng: measure(baselines.jitter_trees(train, size, rng=rng)), draws, seed
        ),
    }
    codes = model.encode(test)
    found, _ = nearest(boxes["test"], known)
    return {
        "metrics": _mean(generation)
        | _paired(model.decode(codes), test, model)
        | led(model, test),
        **rivals,
        "jitter": rivals["baseline"],
        "retrieval": _paired([train[int(i)] for i in found], test, None),
        "truth": relation_errors(test, test).means(),
        "validity": {
            "samples": _mean([validity_shares(list(trees)) for trees, _ in drawn]),
            "data": validity_shares(list(test)),
        },
        "structures": {
            "samples": _mean([_counts(trees, train) for trees, _ in drawn]),
            "data": _counts(test, train),
        },
        "settings": {
            "samples": size,
            "reference": len(chosen),
            "train": len(train),
            "reconstructed": len(test),
            "points": {"sets": SET_POINTS, "pairs": PAIR_POINTS, "relations": BOX_POINTS},
            "features": measure.described,
            "normalisation": "none",
            "distance": "chamfer",
            "emd": None,
            "seed": seed,
            "draws": draws,
            "preset": "structures",
            "baseline": "jitter",
        },
    }


class GenerationMeasure:
    """Generation figures of sets of hierarchies against one reference.

    By chamfer distance and, ending in ``_boxes``, by the box-set distance D
    (:mod:`shapegen.metrics.sets`); ``mmd_structure`` and ``quality_structure`` by structure
    distance, normalised by the reference shape (the paper calls the two coverage and quality);
    ``frechet``, the Frechet distance of shape features; and the mean number of ``leaves``.

    Args:
        train: Leaf boxes of the training shapes, on which the features are fitted.
        reference: Hierarchies.
    """

    def __init__(self, train: Sequence[NDArray[np.float64]], reference: PartTrees) -> None:
        boxes = box_sets(reference)
        self._trees = reference
        self._measures = {name: SetMetrics(boxes, distance=name) for name in DISTANCES}
        self._features = ShapeFeatures(train)
        self._reference = Gaussian.of(self._features(boxes))
        self.described = {
            "name": self._features.name,
            "dimensions": len(self._features),
            "explained": self._features.explained,
            "fitted_to": len(train),
        }
        """What the Frechet distance is measured on."""

    def __call__(self, trees: PartTrees) -> Figures:
        """Measure one set."""
        boxes = box_sets(trees)
        by_chamfer, by_boxes = (self._measures[name](boxes) for name in DISTANCES)
        across = structure_matrix(trees, self._trees)
        return (
            by_chamfer
            | {f"{name}_boxes": value for name, value in by_boxes.items()}
            | {
                "mmd_structure": sets.mmd(across),
                "quality_structure": sets.quality(across),
                "frechet": gaussian_distance(Gaussian.of(self._features(boxes)), self._reference),
                "leaves": _leaves(trees),
            }
        )


@torch.no_grad()
def led(model: StructureNet, shapes: Sequence[PartTree]) -> Figures:
    """Figures along the true hierarchies, at the posterior means.

    Returns:
        F1 of ``exists`` (all slots), ``edges`` (all ordered pairs of slots and kinds) and ``leaf``
        (all nodes), each a logit above 0 against its target, and ``semantic_accuracy`` of the
        matched children over all classes.
    """
    data = model.prepare(shapes)
    truth: dict[str, list[torch.Tensor]] = {"exists": [], "edges": [], "leaf": []}
    ours: dict[str, list[torch.Tensor]] = {"exists": [], "edges": [], "leaf": []}
    right: list[torch.Tensor] = []
    for rows in torch.arange(len(data)).split(256):
        batch = data[rows].to(next(model.parameters()).device)
        found = model.match(batch, model.posterior(batch).mean)
        exists = torch.zeros_like(found.exists, dtype=torch.bool)
        exists[found.parent, found.slot] = True
        edges = torch.zeros_like(found.edges, dtype=torch.bool)
        a, b = batch.edge_index
        kind, parent = model.kind_number[batch.edge_kind], found.parent[a]
        edges[parent, found.slot[a], found.slot[b], kind] = True
        edges[parent, found.slot[b], found.slot[a], kind] = True
        targets = {"exists": exists, "edges": edges, "leaf": batch.num_children == 0}
        logits = {"exists": found.exists, "edges": found.edges, "leaf": found.leaf}
        for name in truth:
            truth[name].append(targets[name].flatten())
            ours[name].append((logits[name] > 0).flatten())
        right.append(found.semantic.argmax(1) == batch.label[: len(found.slot)] + 1)
    figures = {}
    for name in truth:
        true, said = torch.cat(truth[name]), torch.cat(ours[name])
        total = int(true.sum() + said.sum())
        figures[f"led_{name}_f1"] = 2 * int((true & said).sum()) / total if total else 1.0
    accuracy = torch.cat(right).double()
    return figures | {"led_semantic_accuracy": float(accuracy.mean()) if len(accuracy) else 1.0}


def _draw(model: StructureNet, size: int, seed: int) -> tuple[PartTrees, float]:
    """The first ``size`` draws that end by themselves, and the share that does."""
    rng = torch.Generator().manual_seed(seed)
    decoded = model.decode_structures(model.sample_latent(2 * size, rng=rng))
    ended = np.flatnonzero(decoded.complete)
    if len(ended) < 2:
        raise ValueError(
            f"{len(ended)} of {2 * size} codes decode to a shape; train the model more"
        )
    return model.part_trees(decoded)[ended[:size].tolist()], len(ended) / len(decoded)


def _paired(
    predicted: Sequence[PartTree], true: Sequence[PartTree], model: StructureNet | None
) -> Figures:
    directed = model is not None and model.config.compat == "official"
    pairs = [(ours.boxes(), theirs.boxes()) for ours, theirs in zip(predicted, true, strict=True)]
    match = correspond(predicted, true)
    return (
        hierarchy_figures(predicted, true, directed=directed, match=match).means()
        | relation_errors(predicted, true, match=match).means()
        | {"leaf_chamfer": float(leaf_chamfers(predicted, true).mean())}
        | matched(pairs)
    )


def _leaves(trees: Sequence[PartTree]) -> float:
    return float(np.mean([tree.is_leaf.sum() for tree in trees]))


def _counts(trees: Sequence[PartTree], train: Sequence[PartTree]) -> Figures:
    """Sizes of trees, and how many structures there are and are known from training."""
    known = {tuple(sorted(tree.label)) for tree in train}
    found = [tuple(sorted(tree.label)) for tree in trees]
    return {
        "mean_leaves": _leaves(trees),
        "mean_nodes": float(np.mean([len(tree) for tree in trees])),
        "mean_relations": float(np.mean([len(tree.edges) for tree in trees])),
        "distinct_label_sets": float(len(set(found))),
        "known_label_set_share": float(np.mean([one in known for one in found])),
    }


def _mean(figures: Sequence[Figures]) -> Figures:
    return {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
