"""Verbs about data: data list, make, import, info, check; render stands beside them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import numpy as np
import typer

import shapegen
from shapegen.cli.app import app
from shapegen.core import boxes as box_algebra

if TYPE_CHECKING:
    from shapegen.fields.voxels import Voxels
    from shapegen.graphs.graphs import Graphs
    from shapegen.images.images import Images
    from shapegen.images.renders import Renders
    from shapegen.points.point_clouds import PointClouds
    from shapegen.structures.part_tree import PartTrees

data = typer.Typer(
    help="Sets of shapes: list, make, import, render, info, check.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(data, name="data")

File = Annotated[Path, typer.Argument(metavar="PATH", help="A file of shapes.")]
OutFile = Annotated[Path, typer.Option("--out", "-o", help="File to write, .npz or .jsonl.gz.")]


@data.command("list")
def list_sets() -> None:
    """List the sets that are made on the spot."""
    from shapegen.data.catalog import catalog

    for name, line in catalog().items():
        typer.echo(f"{name:24} {line}")


@data.command()
def make(
    name: Annotated[str, typer.Argument(help="One of `shapegen data list`.")],
    out: OutFile,
    n: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="The same gives the same.")] = 0,
    points: Annotated[
        int, typer.Option("--points", help="Points of a shape, for sets of point clouds.")
    ] = 2048,
    voxels: Annotated[
        int, typer.Option("--voxels", help="Cells along a side of a grid, for sets of voxels.")
    ] = 32,
) -> None:
    """Make a set of shapes and write it to one file."""
    from shapegen.data import catalog

    shapes = catalog.make(name, count=n, seed=seed, points=points, voxels=voxels)
    shapes.write(out)
    typer.echo(f"{len(shapes)} shapes in {out}")


@data.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder of shape files, or one file.")],
    out: OutFile,
    up: Annotated[str, typer.Option("--up", help="Up axis of the meshes, y or z.")] = "y",
    diagonal: Annotated[
        float | None,
        typer.Option("--diagonal", help="Centre every shape and scale it to this diagonal."),
    ] = None,
    category: Annotated[
        str | None, typer.Option("--category", help="Label of all roots, such as chair.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Table of the labels; shapes with others are left out."),
    ] = None,
    val: Annotated[float, typer.Option("--val", help="Share of the validation set.")] = 0.1,
    test: Annotated[float, typer.Option("--test", help="Share of the test set.")] = 0.1,
    split_seed: Annotated[int, typer.Option("--split-seed", help="Another gives others.")] = 0,
    subset: Annotated[
        str | None, typer.Option("--subset", help="Import what train_SUBSET.txt, ... list.")
    ] = None,
    points: Annotated[
        int | None,
        typer.Option("--points", help="Write point clouds of so many points of the surface."),
    ] = None,
) -> None:
    """Read shapes of any known format; write them as one file, with labels, splits and a report.

    A folder of PartNet annotations, of meshes (in its subfolders too) or of part trees; what
    cannot be read is named and left out. A file is taken whole or not at all. Beside the shapes
    lie NAME.labels.txt, lists of ids NAME.train.txt, NAME.val.txt, NAME.test.txt, which are read
    as the shapes on them, and NAME.report.json. Split files of the folder hold; else an id and the
    seed alone say where a shape belongs. With --points the shapes are written as point clouds, and
    nothing beside them.
    """
    if points is not None:
        if labels is not None or subset is not None or diagonal is not None:
            raise ValueError("--labels, --subset and --diagonal are for part trees, not --points")
        from shapegen.data.point_sets import read_clouds

        clouds = read_clouds(folder, points, up=cast(Literal["y", "z"], up))
        clouds.write(out)
        typer.echo(f"{len(clouds)} clouds of {points} points in {out}")
        return
    from shapegen.data.id_lists import SplitRule, given_splits
    from shapegen.data.import_files import write_import
    from shapegen.data.importing import categorised, import_folder, restricted
    from shapegen.structures.vocabulary import read_vocabulary

    rule = SplitRule(val=val, test=test, seed=split_seed)
    vocabulary = None if labels is None else read_vocabulary(labels)
    given = given_splits(folder, subset) if folder.is_dir() or subset is not None else {}
    found = import_folder(folder, up=cast(Literal["y", "z"], up))
    if subset is not None:
        found = restricted(found, {each for ids in given.values() for each in ids})
    if category is not None:
        found = categorised(found, category)
    if found.rejects and not folder.is_dir():
        more = f" (and {len(found.rejects) - 1} more)" if len(found.rejects) > 1 else ""
        raise ValueError(f"{found.rejects[0]}{more}")
    report = write_import(
        found, folder, out, rule=rule, given=given, vocabulary=vocabulary, diagonal=diagonal
    )
    for reject in report.rejects:
        typer.echo(f"left out: {reject.reason}", err=True)
    if found.repairs.mended:
        typer.echo(f"{folder}: {found.repairs.summary}", err=True)
    typer.echo(report)


@data.command()
def info(
    path: Annotated[str, typer.Argument(metavar="PATH", help="Shapes, or any MODEL.")],
    tree: Annotated[
        int | None, typer.Option("--tree", min=0, help="Show this shape's hierarchy.")
    ] = None,
) -> None:
    """Say what a file of shapes or a model holds."""
    if _is_model(path):
        _model_info(path)
        return
    from shapegen.fields.voxels import Voxels
    from shapegen.graphs.graphs import Graphs
    from shapegen.images.images import Images
    from shapegen.images.pairs import ImageDomains, ImagePairs
    from shapegen.images.renders import Renders
    from shapegen.points.point_clouds import PointClouds
    from shapegen.structures.part_tree import PartTrees

    shapes = shapegen.read(path)
    if tree is not None and not isinstance(shapes, PartTrees):
        words: dict[type, str] = {
            PointClouds: "point clouds",
            Voxels: "voxels",
            Graphs: "graphs",
        }
        kind = words.get(type(shapes), "images")
        raise ValueError(f"{path} holds {kind}, which have no hierarchy to show")
    if isinstance(shapes, PointClouds):
        facts = _cloud_facts(shapes)
    elif isinstance(shapes, Voxels):
        facts = _voxel_facts(shapes)
    elif isinstance(shapes, Graphs):
        facts = _graph_facts(shapes)
    elif isinstance(shapes, Images):
        facts = _image_facts(shapes)
    elif isinstance(shapes, ImagePairs):
        facts = _side_facts(shapes.source, shapes.target, ("sources", "targets"))
        if shapes.palette is not None:
            facts["map"] = f"sources are maps of {len(shapes.palette) - 1} labels and background"
    elif isinstance(shapes, ImageDomains):
        facts = _side_facts(shapes.a, shapes.b, ("A", "B"))
    elif isinstance(shapes, Renders):
        facts = _image_facts(shapes.images) | _render_facts(shapes)
    elif tree is not None:
        if tree >= len(shapes):
            raise ValueError(f"{path} holds {len(shapes)} shapes, numbered from 0; got {tree}")
        typer.echo(shapes[tree].tree())
        return
    else:
        facts = _facts(shapes)
    for name, value in facts.items():
        typer.echo(f"{name:12} {value}")


@data.command()
def check(
    path: File,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="Table of the labels that are allowed.")
    ] = None,
) -> None:
    """Say whether a file is sound and, if not, what is wrong where; then the exit code is 2."""
    from shapegen.cli.app import BAD_INPUT, leave
    from shapegen.data.check import check as examine
    from shapegen.structures.vocabulary import read_vocabulary

    report = examine(path, vocabulary=None if labels is None else read_vocabulary(labels))
    typer.echo(report)
    if not report.ok:
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        leave(f"not sound: {report.problems[0]}{more}", BAD_INPUT)


def _is_model(path: str) -> bool:
    from shapegen.checkpoint import shipped

    where = Path(path)
    return (
        path.endswith(".safetensors")
        or (not where.exists() and path in shipped())
        or (where / "last.safetensors").exists()
    )


def _model_info(path: str) -> None:
    from shapegen.checkpoint import header

    values = header(path)
    for name in ("model", "path", "shapegen"):
        typer.echo(f"{name:12} {values[name]}")
    for section in ("info", "config"):
        for name, value in values[section].items():
            shown = str(value)
            typer.echo(f"{section}.{name} = {shown if len(shown) < 80 else shown[:76] + ' ...'}")


def _facts(shapes: PartTrees) -> dict[str, str]:
    """What a set of part trees holds, in numbers."""
    kinds = Counter(edge.kind.value for tree in shapes for edge in tree.edges)
    labels = {label for tree in shapes for label in tree.label if label}
    low, high = np.stack([box_algebra.bounds(tree.boxes()) for tree in shapes], axis=1)
    sizes = np.median(high - low, axis=0)
    return {
        "shapes": f"{len(shapes)}",
        "nodes": _spread([len(tree) for tree in shapes]),
        "parts": _spread([len(tree.boxes()) for tree in shapes]),
        "depth": _spread([int(tree.depth.max()) for tree in shapes]),
        "labels": f"{len(labels)}",
        "relations": ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none",
        "size": f"median {' x '.join(f'{size:.3g}' for size in sizes)} (x, y, z)",
        "merge trees": f"{sum(tree.merge is not None for tree in shapes)}",
    }


def _cloud_facts(clouds: PointClouds) -> dict[str, str]:
    """What a set of point clouds holds, in numbers."""
    from shapegen.points.normalisation import measure

    points = clouds.points
    sizes = (points.amax(1) - points.amin(1)).median(0).values.tolist()
    found = measure(points)
    return {
        "shapes": f"{len(clouds)}",
        "points": f"{points.shape[1]} a shape",
        "names": f"{len({name for name in clouds.names if name})}",
        "size": f"median {' x '.join(f'{size:.3g}' for size in sizes)} (x, y, z)",
        "mean": ", ".join(f"{value:.4g}" for value in found.mean.flatten().tolist()),
        "spread": f"{float(found.std):.4g} (one standard deviation about the mean)",
    }


def _voxel_facts(voxels: Voxels) -> dict[str, str]:
    """What a set of voxels holds, in numbers."""
    counts = voxels.occupancy.flatten(1).sum(1)
    return {
        "shapes": f"{len(voxels)}",
        "cells": f"{' x '.join(map(str, voxels.occupancy.shape[1:]))} (z, y, x)",
        "full": _spread(counts.tolist()),
        "size": f"{voxels.extent:g} along the longest side, a cell {voxels.cell:g}",
        "names": f"{len({name for name in voxels.names if name})}",
    }


def _image_facts(images: Images) -> dict[str, str]:
    """What a set of images holds, in numbers."""
    channels, height, width = images.pixels.shape[1:]
    labels = [] if images.labels is None else images.labels.tolist()
    return {
        "images": f"{len(images)}",
        "size": f"{height} x {width}, {'grey' if channels == 1 else 'colour'}",
        "brightness": f"mean {float(images.pixels.mean() + 1) / 2:.3f} of 1",
        "labels": ", ".join(f"{label}: {n}" for label, n in sorted(Counter(labels).items()))
        or "none",
    }


def _side_facts(a: Images, b: Images, names: tuple[str, str]) -> dict[str, str]:
    """What two sets of images hold, a line each."""
    lines = [", ".join(list(_image_facts(side).values())[:3]) for side in (a, b)]
    return dict(zip(names, lines, strict=True))


def _render_facts(renders: Renders) -> dict[str, str]:
    """What is known of the cameras, and of the pixels beside their colours."""
    from shapegen.images.renders import MAPS

    away = renders.poses[:, :3, 3].norm(dim=1)
    return {
        "shapes": f"{renders.num_shapes}",
        "cameras": f"{float(away.min()):.4g} to {float(away.max()):.4g} away, "
        f"{renders.fov:g} degrees wide",
        "maps": ", ".join(name for name in MAPS if getattr(renders, name) is not None) or "none",
    }


def _graph_facts(graphs: Graphs) -> dict[str, str]:
    """What a set of graphs holds, in numbers."""
    from shapegen.metrics.graph_validity import is_connected

    degrees = np.concatenate([graphs.degrees(number) for number in range(len(graphs))])
    connected = sum(is_connected(graphs, number) for number in range(len(graphs)))
    return {
        "graphs": f"{len(graphs)}",
        "nodes": _spread(list(graphs.sizes)),
        "edges": _spread([len(edges) for edges in graphs.edges]),
        "degrees": _spread(degrees.tolist()),
        "connected": f"{connected}",
        "names": f"{len({name for name in graphs.names if name})}",
    }


def _spread(counts: list[int]) -> str:
    return f"{min(counts)} to {max(counts)}, mean {np.mean(counts):.1f}"
