"""Trivial generators that a structure model has to beat, fitted to a training set.

Those without labels return lists of ``(k, 12)`` arrays of leaf boxes, as the distances take them::

    from shapegen.metrics.baselines import PcaGaussian, jitter
    shapes = PcaGaussian(merges).sample(460, rng=rng)      # merges: [t.merge for t in trees]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.core.noise import standard_normal
from shapegen.structures import symmetry
from shapegen.structures.merge_tree import ADJ, BOX, ROTATIONAL, MergeTree
from shapegen.structures.part_tree import PartTree, PartTrees

Array = NDArray[np.float64]
Index = NDArray[np.int64]

GROUP_SIZE = 10
"""Groups with fewer training shapes are left out of the PCA Gaussian."""
COMPONENTS = 80
"""At most so many principal components, the original GRASS's latent size."""
JITTER = 0.03
"""Standard deviation of the noise on centres and lengths, in the unit of the shapes."""


def draw(n: int, count: int, *, rng: torch.Generator | None = None) -> Index:
    """Numbers ``(n,)`` of a random subset of ``count`` shapes, without replacement."""
    if not 0 < n <= count:
        raise ValueError(f"a floor needs 1 to {count} of the {count} training shapes; got {n}")
    order: Index = torch.randperm(count, generator=rng)[:n].numpy()
    return order


def expanded(merges: Sequence[MergeTree], *, official: bool = True) -> list[Array]:
    """Boxes ``(k, 12)`` of every tree with its symmetric copies, in the decoder's order.

    Args:
        merges: Trees in one frame.
        official: As the authors' code reads symmetries: every box of a translated generator
            counts its own copies. Otherwise all boxes of a generator have as many.
    """
    if not merges:
        return []
    parts, vectors, generators = zip(*map(_boxes_with_symmetry, merges), strict=True)
    boxes, syms = np.concatenate(parts), np.concatenate(vectors)
    owner = np.repeat(np.arange(len(merges)), [len(part) for part in parts])
    centres = boxes[:, :3] if official else _centres(boxes, owner, np.concatenate(generators))
    counts = symmetry.copy_counts(centres, syms, official=official)
    out, source = symmetry.expand(boxes, syms, official=official, counts=counts)
    ends = np.cumsum(np.bincount(owner[source], minlength=len(merges)))
    return np.split(out, ends[:-1])


def jitter(
    merges: Sequence[MergeTree],
    n: int,
    *,
    official: bool = True,
    scale: float = JITTER,
    rng: torch.Generator | None = None,
) -> list[Array]:
    """Random training shapes, Gaussian noise on the centres and lengths of their generators."""
    picks = torch.randint(len(merges), (n,), generator=rng).tolist()
    noisy = []
    for merge in (merges[pick] for pick in picks):
        boxes = merge.boxes.copy()
        boxes[:, :6] += scale * _normal(len(boxes), 6, rng=rng)
        noisy.append(replace(merge, boxes=boxes))
    return expanded(noisy, official=official)


def jitter_boxes(
    shapes: Sequence[Array],
    n: int,
    *,
    scale: float = JITTER,
    rng: torch.Generator | None = None,
) -> list[Array]:
    """As :func:`jitter` for shapes without merge trees: noise on every box of its own."""
    picks = torch.randint(len(shapes), (n,), generator=rng).tolist()
    return [_noisy(shapes[pick], scale, rng) for pick in picks]


def jitter_trees(
    trees: Sequence[PartTree],
    n: int,
    *,
    scale: float = JITTER,
    rng: torch.Generator | None = None,
) -> PartTrees:
    """As :func:`jitter_boxes`, with the hierarchies: noise on the leaves, labels as they are."""
    noisy = []
    for tree in (trees[pick] for pick in torch.randint(len(trees), (n,), generator=rng).tolist()):
        box = tree.box.copy()
        box[tree.is_leaf] = _noisy(tree.boxes(), scale, rng)
        noisy.append(replace(tree, box=box, merge=None))
    return PartTrees(noisy)


def _noisy(boxes: Array, scale: float, rng: torch.Generator | None) -> Array:
    boxes = np.array(boxes, dtype=np.float64)
    boxes[:, :6] += scale * _normal(len(boxes), 6, rng=rng)
    return boxes


def large_groups(merges: Sequence[MergeTree]) -> list[list[MergeTree]]:
    """Trees of the same node types, symmetry types and folds, :data:`GROUP_SIZE` or more."""
    groups: dict[tuple[bytes, ...], list[MergeTree]] = {}
    for merge in merges:
        groups.setdefault(_structure(merge), []).append(merge)
    return [group for group in groups.values() if len(group) >= GROUP_SIZE]


class PcaGaussian:
    """A Gaussian for every structure: trees of one structure differ in their numbers only.

    Shapes are grouped by node types, symmetry types and folds; every group of at least
    :data:`GROUP_SIZE` gets a Gaussian along its principal components over all boxes and
    symmetries. A sample draws a group by its size, then the numbers; types and folds are the
    group's.

    Args:
        merges: The training set.
        official: How samples are expanded, see :func:`expanded`.

    Raises:
        ValueError: No group is large enough.
    """

    def __init__(self, merges: Sequence[MergeTree], *, official: bool = True) -> None:
        kept = large_groups(merges)
        if not kept:
            raise ValueError(
                f"no structure is shared by {GROUP_SIZE} or more of the {len(merges)} shapes"
            )
        self._official = official
        self._groups = [_Gaussian(group) for group in kept]
        self._sizes = torch.tensor([len(group) for group in kept], dtype=torch.float64)

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> list[Array]:
        """Draw the leaf boxes of ``n`` shapes."""
        picks = torch.multinomial(self._sizes, n, replacement=True, generator=rng).tolist()
        trees = [self._groups[pick].sample(rng) for pick in picks]
        return expanded(trees, official=self._official)


class _Gaussian:
    def __init__(self, group: Sequence[MergeTree]) -> None:
        self.like = group[0]
        slots = np.stack([np.append(tree.boxes.ravel(), tree.syms.ravel()) for tree in group])
        self.mean = slots.mean(0)
        _, scale, axes = np.linalg.svd(slots - self.mean, full_matrices=False)
        rank = min(COMPONENTS, len(group) - 1, len(scale))
        self.spread = axes[:rank] * scale[:rank, None] / np.sqrt(len(group) - 1)

    def sample(self, rng: torch.Generator | None) -> MergeTree:
        slots = self.mean + _normal(len(self.spread), rng=rng) @ self.spread
        cut = self.like.boxes.size
        syms = slots[cut:].reshape(-1, 8)
        syms[:, 0], syms[:, 7] = self.like.syms[:, 0], self.like.syms[:, 7]
        return replace(self.like, boxes=slots[:cut].reshape(-1, 12), syms=syms)


def _structure(merge: MergeTree) -> tuple[bytes, ...]:
    kinds = symmetry.kinds(merge.syms)
    with np.errstate(divide="ignore"):
        folds = np.where(kinds == ROTATIONAL, np.round(1 / merge.syms[:, 7]), 0)
    return merge.ops.tobytes(), kinds.tobytes(), folds.tobytes()


def _normal(*shape: int, rng: torch.Generator | None) -> Array:
    like = torch.empty((), dtype=torch.float64)
    values: Array = standard_normal(shape, like=like, rng=rng).cpu().numpy()
    return values


def _centres(boxes: Array, owner: Index, generator: Index) -> Array:
    """Mean centre ``(n, 3)`` of the boxes that share a box's symmetry."""
    _, group = np.unique(np.stack([owner, generator]), axis=1, return_inverse=True)
    total = np.zeros((len(boxes), 3))
    np.add.at(total, group, boxes[:, :3])
    centres: Array = (total[: group.max() + 1] / np.bincount(group)[:, None])[group]
    return centres


def _boxes_with_symmetry(merge: MergeTree) -> tuple[Array, Array, Index]:
    """Boxes in the decoder's order, the innermost symmetry above each, and its number."""
    children = merge.children()
    box_row = np.cumsum(merge.ops == BOX) - 1
    sym_row = np.cumsum((merge.ops != BOX) & (merge.ops != ADJ)) - 1
    rows: list[int] = []
    syms: list[int] = []
    stack = [(len(merge) - 1, -1)]
    while stack:
        node, sym = stack.pop()
        if merge.ops[node] == BOX:
            rows.append(int(box_row[node]))
            syms.append(sym)
        elif merge.ops[node] == ADJ:
            stack.extend((child, sym) for child in children[node])
        else:
            stack.append((children[node][0], int(sym_row[node])))
    none = np.zeros((1, 8))
    none[0, 0] = symmetry.NONE
    return merge.boxes[rows], np.concatenate([merge.syms, none])[syms], np.array(syms)
