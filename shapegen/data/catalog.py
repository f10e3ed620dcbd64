"""Data sets that are made, not downloaded, by name."""

from __future__ import annotations

from difflib import get_close_matches

from shapegen.data.furniture import CATEGORIES, furniture
from shapegen.data.graph_sets import GRAPH_SETS, make_graphs
from shapegen.data.image_sets import digits, furniture_images
from shapegen.data.pair_sets import digit_pairs, furniture_pairs
from shapegen.data.point_sets import POINTS, sample_part_trees
from shapegen.data.scenes import CONCEPTS, scenes
from shapegen.data.voxel_sets import SIZE, voxelise_part_trees
from shapegen.fields.voxels import Voxels
from shapegen.graphs.graphs import Graphs
from shapegen.images.images import Images
from shapegen.images.pairs import ImagePairs
from shapegen.points.point_clouds import PointClouds
from shapegen.structures.part_tree import PartTrees

_FURNITURE: dict[str, str | None] = {
    "furniture": None,
    **{f"furniture-{category}s": category for category in CATEGORIES},
}
_POINTS: dict[str, str | None] = {
    "furniture-points": None,
    **{f"furniture-{category}-points": category for category in CATEGORIES},
}
_IMAGES: dict[str, str | None] = {
    "furniture-images": None,
    **{f"furniture-{category}-images": category for category in CATEGORIES},
}
_PAIRS: dict[str, str | None] = {
    "furniture-pairs": None,
    **{f"furniture-{category}-pairs": category for category in CATEGORIES},
}
_DIGIT_PAIRS = {
    "digits-inverted": ("inverted", "pairs of digits, 16 x 16: white on black, black on white"),
    "digits-edges": ("edges", "pairs of digits, 16 x 16: outlines, and the digits"),
}

_VOXELS: dict[str, str | None] = {
    "furniture-voxels": None,
    **{f"furniture-{category}-voxels": category for category in CATEGORIES},
}


def catalog() -> dict[str, str]:
    """Name of every data set, with one line about it."""
    kinds = f"{', '.join(f'{category}s' for category in CATEGORIES)} in turn"
    sets = {
        name: f"procedural part trees: {_kind(category, kinds)}, with labels and exact relations"
        for name, category in _FURNITURE.items()
    }
    sets |= {
        name: f"procedural point clouds: {_kind(category, kinds)}, on the outer surface"
        for name, category in _POINTS.items()
    }
    sets |= {
        name: f"procedural images: {_kind(category, kinds)}, 32 x 32 in colour, labelled"
        for name, category in _IMAGES.items()
    }
    sets |= {
        name: f"procedural voxels: {_kind(category, kinds)}, {SIZE} cells a side if not told"
        for name, category in _VOXELS.items()
    }
    sets |= {
        name: f"pairs of images: {_kind(category, kinds)}, 32 x 32, maps of the parts' roles in "
        "colours, and renderings"
        for name, category in _PAIRS.items()
    }
    sets |= {name: line for name, (_, line) in _DIGIT_PAIRS.items()}
    sets |= {name: f"graphs: {each.summary}" for name, each in GRAPH_SETS.items()}
    sets["scenes"] = f"procedural images: {', '.join(CONCEPTS)}, 32 x 32 in colour, labelled"
    return sets | {"digits": "scikit-learn's handwritten digits: 1797, 8 x 8 in grey, labelled"}


def make(
    name: str,
    *,
    count: int,
    seed: int = 0,
    start: int = 0,
    points: int = POINTS,
    voxels: int = SIZE,
) -> PartTrees | PointClouds | Voxels | Images | ImagePairs | Graphs:
    """Make a data set.

    Args:
        name: A key of :func:`catalog`.
        count: Number of shapes, at least 1.
        seed: The same seed gives the same shapes, however many are asked for.
        start: Number of the first shape; disjoint ranges make a training and a test set (but for
            sets of graphs "in turn", which begin again).
        points: Points of a shape, for the sets of point clouds.
        voxels: Cells along a side of a grid, for the sets of voxels.

    Raises:
        ValueError: There is no set of this name, or an argument is out of its range.
    """
    if name in _FURNITURE:
        return furniture(count, category=_FURNITURE[name], seed=seed, start=start)
    if name in _POINTS:
        trees = furniture(count, category=_POINTS[name], seed=seed, start=start)
        return sample_part_trees(trees, points, seed=seed)
    if name in _VOXELS:
        trees = furniture(count, category=_VOXELS[name], seed=seed, start=start)
        return voxelise_part_trees(trees, voxels)
    if name in _IMAGES:
        trees = furniture(count, category=_IMAGES[name], seed=seed, start=start)
        return furniture_images(trees)
    if name in _PAIRS:
        trees = furniture(count, category=_PAIRS[name], seed=seed, start=start)
        return furniture_pairs(trees)
    if name in _DIGIT_PAIRS:
        return digit_pairs(_DIGIT_PAIRS[name][0], count, seed=seed, start=start)
    if name == "digits":
        return digits(count, seed=seed, start=start)
    if name == "scenes":
        return scenes(count, seed=seed, start=start)
    if name in GRAPH_SETS:
        return make_graphs(name, count, seed=seed, start=start)
    near = get_close_matches(name, list(catalog()), n=3) or list(catalog())
    raise ValueError(f"no data set is called {name!r}; nearest: {', '.join(near)}")


def _kind(category: str | None, kinds: str) -> str:
    return kinds if category is None else f"{category}s"
