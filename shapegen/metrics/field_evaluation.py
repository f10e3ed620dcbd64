"""Measure a model of radiance fields: its pictures, and what good pictures do not prove.

Pictures are compared in three kinds of features, each between two anchors; the same samples, none
picked, are then asked whether they are solids: by their densities, their meshes, and whether their
views agree. Real shapes stand beside them where the data know them (``Renders.boxes``).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.base import GenerativeModel
from shapegen.fields.field_surface import SurfaceOptions, surface_level
from shapegen.fields.radiance import RadianceFields
from shapegen.fields.radiance_surface import OneField
from shapegen.images.images import Images
from shapegen.images.renders import Renders
from shapegen.metrics.draws import Figures, mean_of_draws
from shapegen.metrics.feature_extractors import Extractor, extractor
from shapegen.metrics.field_figures import (
    box_solid,
    cube_points,
    field_figures,
    in_ball,
    sampled,
)
from shapegen.metrics.field_views import TOLERANCE, VIEWS, box_views, field_views, view_figures
from shapegen.metrics.image_distance import ImageDistance
from shapegen.metrics.random_features import random_features

FAKES, REFERENCE = 400, 1500
"""Pictures whose distance is measured, and held-out images at most that it is measured to."""
SOLIDS = 256
"""Samples whose densities are held against as many real shapes at most: the first ones. What
chairs fill differs by three quarters of its mean, so the mean of 32 would be off by a seventh."""
SHAPES = 32
"""Samples whose meshes are looked at."""
VIEWED = 12
"""Of these, samples that are looked at from all around."""
CELLS, MESH_CELLS = 32, 64
"""Along a side of the cube: of densities, and of meshes."""
WHOLE = 0.9
"""Share of a mesh's area from which its largest piece is its main one."""
BEST: dict[str, dict[str, str]] = {
    "pictures": {"frechet pixels": "low", "frechet random": "low", "frechet features": "low"},
    "densities": {
        "empty": "0",
        "occupancy": "as data",
        "roundness": "as data",
        "iou": "as data",
        "white": "0",
    },
    "meshes": {"meshed": "1", "watertight": "1", "whole": "1"},
    "views": {
        "shown": "1",
        "contradicted": "as data",
        "depth error": "as data",
        "seen": "as data",
        "hull": "1",
    },
}
"""What is good."""

Solids = list[np.ndarray[Any, np.dtype[np.float64]]]


@torch.no_grad()
def evaluate_fields(
    model: GenerativeModel,
    data_train: Any,
    data_test: Any,
    *,
    n: int | None = None,
    draws: int = 1,
    seed: int = 0,
    features: str | Path | Extractor | None = None,
) -> dict[str, Any]:
    """Measure a model whose samples are radiance fields.

    Args:
        model: In eval mode.
        data_train: Images that it was trained on.
        data_test: Held-out ones; renders that know their boxes add the figures of real shapes.
        n: Pictures of other samples each, from the poses that they are drawn with; default
            :data:`FAKES`.
        draws: The anchors of the distances are means of so many draws.
        seed: Of the samples, and of the first draw.
        features: As :func:`shapegen.metrics.feature_extractors.extractor` takes it.

    Returns:
        ``pictures``: squared Frechet distances of the ``model``, with ``floor`` and ``collapse``
        (:class:`~shapegen.metrics.image_distance.ImageDistance`). ``densities``
        (:func:`~shapegen.metrics.field_figures.field_figures` at the level that meshes have, of
        samples with any; ``empty``: share of those without), ``meshes`` (shares of samples with
        a surface, with a closed one, and with one whose largest piece has :data:`WHOLE` of its
        area) and ``views`` (:func:`~shapegen.metrics.field_views.view_figures`) of the ``model``
        and, where they are known, of real shapes (``data``). All have a column ``best``.
        ``settings``. Figures that do not exist are None.

    Raises:
        ValueError: Fewer than two pictures, training images or held-out ones, or other sizes.
        TypeError: A model or data of another kind.
    """
    fields = _drawn(model, FAKES if n is None else n, seed)
    train, test = (
        _in_colour(Images.of(each).pixels, what)
        for each, what in ((data_train, "for training"), (data_test, "held out"))
    )
    stream = np.random.RandomState(0)
    chosen = stream.permutation(len(test))[:REFERENCE]
    pictures, about = picture_distances(
        fields.render().pixels, train, test[chosen], features, draws=draws, seed=seed
    )
    some, real = fields[:SOLIDS], _solids(data_test, SOLIDS)
    reach, viewed = fields.cameras.reach, real[:VIEWED]
    level = surface_level(OneField(fields[0]))
    found: dict[str, dict[str, Figures]] = {
        "pictures": pictures,
        "densities": {
            "model": density_figures(some, level),
            "data": solid_figures(real, reach) if real else {},
        },
        "meshes": {"model": mesh_figures(fields[:SHAPES])},
        # The hull is of cameras whose rays meet in them.
        "views": {}
        if fields.cameras.parallel
        else {
            "model": view_figures([field_views(each, VIEWS) for each in some[:VIEWED]]),
            "data": view_figures(box_views(viewed, fields, VIEWS)) if viewed else {},
        },
    }
    best = BEST | {"pictures": dict.fromkeys(pictures["model"], "low")}
    settings = about | {
        "samples": len(fields),
        "reference": len(chosen),
        "solids": len(some),
        "real_shapes": len(real),
        "meshes": min(SHAPES, len(fields)),
        "level": level,
        "reach": reach,
        "cells": CELLS,
        "mesh_cells": MESH_CELLS,
        "viewed": min(VIEWED, len(some)),
        "views": VIEWS,
        "tolerance": TOLERANCE * reach,
    }
    sections = {
        name: {column: _without_nan(figures) for column, figures in columns.items()}
        | {"best": {row: best[name][row] for row in columns["model"]}}
        for name, columns in found.items()
        if columns
    }
    return sections | {"settings": settings}


def picture_distances(
    pictures: Float[Tensor, "n c h w"],
    train: Float[Tensor, "k c h w"],
    reference: Float[Tensor, "m c h w"],
    features: str | Path | Extractor | None = None,
    *,
    draws: int = 1,
    seed: int = 0,
) -> tuple[dict[str, Figures], dict[str, Any]]:
    """Squared Frechet distances in components of pixels, in random and in trained features.

    Args:
        pictures: Generated ones.
        train: Where the components and the anchors come from: as many as there are pictures, or
            all if fewer.
        reference: Held-out images, which all are compared with.
        features: As :func:`shapegen.metrics.feature_extractors.extractor` takes it.
        draws: Anchors are means of so many.
        seed: Of the first.

    Returns:
        Columns ``model``, ``floor`` and ``collapse``; and of every row, in what it compares.
    """
    trained = extractor(features)
    # The distance that papers know keeps its name.
    last = "fid" if trained.frechet == "fid" else "frechet features"
    spaces = {
        "frechet pixels": ImageDistance(train, reference),
        "frechet random": ImageDistance(train, reference, random_features()),
        last: ImageDistance(train, reference, trained),
    }
    count = min(len(pictures), len(train))
    anchors = {
        name: mean_of_draws(partial(_anchors, one, count), draws, seed)
        for name, one in spaces.items()
    }
    columns = {
        "model": {name: one(pictures) for name, one in spaces.items()},
        **{
            column: {name: each[column] for name, each in anchors.items()}
            for column in ("floor", "collapse")
        },
    }
    names = {name: one.name for name, one in spaces.items()}
    return columns, {"features": names, "floor_samples": count}


def _anchors(distance: ImageDistance, count: int, rng: torch.Generator) -> Figures:
    return distance.anchors(count, rng=rng)


def density_figures(fields: RadianceFields, level: float) -> Figures:
    """Figures of fields that have a full cell, and ``empty``, the share of the others."""
    reach = fields.cameras.reach
    density = sampled([each.densities() for each in fields], CELLS, reach)
    ball = in_ball(CELLS)
    solid = ((density >= level) & ball).flatten(1).any(1)
    figures: Figures = {"empty": float((~solid).double().mean())}
    if not bool(solid.any()):
        return figures | dict.fromkeys(("occupancy", "roundness", "iou", "white"), float("nan"))
    points = cube_points(CELLS, reach)[ball]
    numbers = solid.nonzero()[:, 0].tolist()
    colors = torch.zeros(len(numbers), *ball.shape, 3)
    for row, number in enumerate(numbers):
        colors[row, ball] = OneField(fields[number]).color(points)
    return figures | field_figures(density[solid], level, colors=colors)


def solid_figures(solids: Solids, reach: float) -> Figures:
    """The same of unions of boxes ``(k, 12)`` in the frame of fields; they have no colours."""
    points = cube_points(CELLS, reach).view(-1, 3).double()
    full = torch.stack([box_solid(torch.from_numpy(each), points) for each in solids])
    return field_figures(full.view(-1, CELLS, CELLS, CELLS).double(), 0.5)


def mesh_figures(fields: RadianceFields) -> Figures:
    """Shares of fields with a surface (``meshed``), a ``watertight`` one and a ``whole`` one."""
    options = SurfaceOptions(resolution=MESH_CELLS)
    closed, whole, meshed = 0, 0, 0
    for each in fields:
        try:
            meshes = each.to_meshes(options)
        except ValueError:
            # No density above the level.
            continue
        meshed += 1
        closed += meshes.watertight()[0]
        whole += meshes.largest_shares()[0] >= WHOLE
    counts = {"meshed": meshed, "watertight": closed, "whole": whole}
    return {name: count / len(fields) for name, count in counts.items()}


def _drawn(model: GenerativeModel, n: int, seed: int) -> RadianceFields:
    if n < 2:
        raise ValueError(f"n must be at least 2 pictures; got {n}")
    fields = model.sample(n, rng=torch.Generator().manual_seed(seed))
    if not isinstance(fields, RadianceFields):
        raise TypeError(f"a model that samples fields is needed; got {type(fields).__name__}")
    return fields


def _in_colour(pixels: Tensor, what: str) -> Tensor:
    """Grey images in three equal colours, as models of fields see them."""
    if len(pixels) < 2:
        raise ValueError(f"images {what} must be at least 2; got {len(pixels)}")
    return pixels.expand(-1, 3, -1, -1)


def _solids(shapes: Any, most: int) -> Solids:
    """Boxes of some shapes, drawn by ``RandomState(0)``: neighbours in a file may be alike."""
    if not isinstance(shapes, Renders) or shapes.boxes is None:
        return []
    stream = np.random.RandomState(0)
    chosen = stream.permutation(len(shapes.boxes))[:most]
    return [shapes.boxes[int(each)] for each in chosen]


def _without_nan(figures: Figures) -> dict[str, float | None]:
    """None for NaN, which JSON does not have."""
    return {name: None if np.isnan(value) else value for name, value in figures.items()}
