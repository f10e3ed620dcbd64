"""The nearest of the training shapes to generated ones, by a distance of their kind.

To be looked at side by side: a generator that repeats what it was trained on shows itself,
whatever the means over a set say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shapegen.fields.radiance import RadianceFields
from shapegen.graphs.graphs import Graphs
from shapegen.images.images import Images
from shapegen.images.pairs import ImageDomains, ImagePairs
from shapegen.metrics import boxes, image_figures
from shapegen.metrics.cloud_comparison import cloud_points, is_clouds
from shapegen.metrics.cloud_distances import chamfer_matrix
from shapegen.metrics.comparison import box_sets
from shapegen.metrics.graph_comparison import graphs_in, is_graphs
from shapegen.metrics.graph_figures import graph_distances
from shapegen.metrics.image_figures import is_images
from shapegen.metrics.voxel_comparison import iou_distances, is_voxels, same_size, voxel_cells

POINTS = 512
"""Points of a cloud that are compared, at most: they are random ones of its surface."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What is nearest to every shape."""

    numbers: NDArray[np.int64]
    """``(n,)``: of the known shapes; the first one on ties."""
    distances: NDArray[np.float64]
    """``(n,)``."""
    measure: str
    """What the distance is, in words."""
    known: Any
    """The shapes that the numbers count: of pairs of images the results."""


def nearest_shapes(samples: Any, known: Any) -> Neighbours:
    """Find the nearest known shape of every sample.

    Part trees are compared by the box-set distance D of their leaves, point clouds by the chamfer
    distance of :data:`POINTS` points, voxels by one minus the intersection over union, images by
    the distance of their pixels, radiance fields by that of their pictures, graphs by
    :func:`shapegen.metrics.graph_figures.graph_distances`.

    Args:
        samples: A batch that a model made.
        known: Shapes of its kind, for example those that it was trained on; for a model of pairs
            of images, or of two sets, those: its results are compared with their second side.

    Raises:
        ValueError: An empty set, or shapes of different sizes.
        TypeError: Shapes of a kind that has no distance, or of two kinds.
    """
    if isinstance(known, ImagePairs | ImageDomains):
        known = known.target if isinstance(known, ImagePairs) else known.b
    if is_clouds(samples):
        ours, theirs = (
            cloud_points(each, name) for each, name in ((samples, "samples"), (known, "known"))
        )
        found = chamfer_matrix(ours[:, :POINTS], theirs[:, :POINTS], squared=False)
        return _smallest(found, "chamfer distance in the unit of the data", known)
    if is_voxels(samples):
        cells = [voxel_cells(samples, "samples"), voxel_cells(known, "known")]
        same_size(cells)
        found = iou_distances(cells[0], cells[1])
        return _smallest(found, "one minus the intersection over union", known)
    if is_graphs(samples):
        return _nearest_graphs(graphs_in(samples, "samples"), graphs_in(known, "known"))
    if isinstance(samples, RadianceFields) or is_images(samples):
        pictures = [_pictures(samples), _pictures(known)]
        sizes = [tuple(each.shape[1:]) for each in pictures]
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"images must be of one size (c, h, w); got {sizes[0]} and {sizes[1]}"
            )
        found = image_figures.distances(pictures[0], pictures[1])
        return _smallest(found, "distance of the pixels, brightness in 0 to 1", known)
    number, distance = boxes.nearest(box_sets(samples, "samples"), box_sets(known, "known"))
    return Neighbours(number, distance, "box-set distance D", known)


def names_of(shapes: Any) -> Sequence[str]:
    """What the source calls every shape; empty text where it says nothing."""
    named = getattr(shapes, "names", None)
    if named is not None:
        return [str(name) for name in named]
    return [str(getattr(shape, "name", "")) for shape in shapes]


def _nearest_graphs(samples: Graphs, known: Graphs) -> Neighbours:
    found = graph_distances(samples, known)
    sizes = np.abs(np.subtract.outer(samples.sizes, known.sizes))
    # Cycles of any length have nodes alike: of equally near graphs the one of the nearest size.
    order = np.lexsort(
        (np.broadcast_to(np.arange(len(known)), found.shape), sizes, found.round(9))
    )
    number = order[:, 0]
    measure = "distance of the degrees, clustering and orbits of the nodes"
    return Neighbours(number, found[np.arange(len(number)), number], measure, known)


def _smallest(distance: NDArray[np.float64], measure: str, known: Any) -> Neighbours:
    return Neighbours(distance.argmin(1), distance.min(1), measure, known)


def _pictures(shapes: Any) -> Tensor:
    if isinstance(shapes, RadianceFields):
        return shapes.render().pixels
    return Images.of(shapes).pixels
