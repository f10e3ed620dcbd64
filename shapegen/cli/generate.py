"""Verbs that make shapes: sample, reconstruct, interpolate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import shapegen
from shapegen.cli.app import app
from shapegen.cli.folders import filling
from shapegen.cli.options import Unit, Up

Model = Annotated[
    str, typer.Argument(help="A shipped model's name, a run's folder or a .safetensors file.")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same files.")]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        help="auto (png of images and fields, else glb), glb, obj, ply, stl, usda, json, npz, "
        "npy, xyz, png, or gif (fields from all around).",
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]


@app.command()
def sample(
    model: Model,
    out: Out,
    n: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = 24,
    seed: Seed = 0,
    format: Format = "auto",
    unit: Unit = "m",
    up: Up = "y",
    points: Annotated[
        int | None, typer.Option("--points", min=1, help="Points of a shape, for point clouds.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Draw new shapes: numbered files, manifest.json and contact.png.

    A shape depends on its own seed alone, which the manifest states; it is the same however many
    are drawn.
    """
    from shapegen.cli import draw

    extension = draw.check_format(format, unit, up)
    loaded = shapegen.load(model, device)
    seeds = [draw.seed_of(seed, index) for index in range(n)]
    shapes = draw.samples(loaded, seeds, points=points)
    with filling(out) as folder:
        frame = {"unit": unit, "up": up}
        draw.write_shapes(folder, shapes, extension, **frame, seeds=seeds, model=model, seed=seed)
    typer.echo(f"{n} shapes in {out}")


@app.command()
def reconstruct(
    model: Model,
    data: Annotated[Path, typer.Argument(help="A file of shapes.")],
    out: Out,
    n: Annotated[int | None, typer.Option("-n", "--count", min=1, help="Only the first.")] = None,
    project: Annotated[
        bool,
        typer.Option("--project", help="Without an encoder: find latents by gradient descent."),
    ] = False,
    format: Format = "auto",
    unit: Unit = "m",
    up: Up = "y",
    device: Device = "auto",
) -> None:
    """Encode shapes and decode them again: numbered files, and pairs.png to compare."""
    from shapegen.cli import draw
    from shapegen.cli.pictures import write_pairs

    extension = draw.check_format(format, unit, up)
    loaded = shapegen.load(model, device)
    shapes = shapegen.read(data)[:n]
    rebuilt = draw.rebuilt(loaded, shapes, project=project)
    with filling(out) as folder:
        facts = {"model": model, "data": str(data)}
        draw.write_shapes(folder, draw.singles(rebuilt), extension, unit=unit, up=up, **facts)
        write_pairs(shapes, rebuilt, folder / "pairs.png")
    typer.echo(f"{len(rebuilt)} shapes in {out}")


@app.command()
def interpolate(
    model: Model,
    a: Annotated[str, typer.Argument(help="A sample's seed, FILE or FILE:INDEX.")],
    b: Annotated[str, typer.Argument(help="The same.")],
    out: Out,
    steps: Annotated[int, typer.Option("--steps", help="Shapes on the way, ends included.")] = 8,
    animate: Annotated[
        bool, typer.Option("--animate", help="Write animation.gif, .html and, of solids, .glb.")
    ] = False,
    format: Format = "auto",
    unit: Unit = "m",
    up: Up = "y",
    device: Device = "auto",
) -> None:
    """Walk between two latents: numbered files, contact.png and, if wanted, animations."""
    import torch

    from shapegen.base import LatentModel
    from shapegen.cli import draw

    extension = draw.check_format(format, unit, up)
    loaded = shapegen.load(model, device)
    if not isinstance(loaded, LatentModel):
        raise ValueError(f"{loaded.name} has no latents to walk between")
    start, end = (draw.end_of_walk(loaded, text) for text in (a, b))
    with torch.no_grad():
        walk = loaded.interpolate(start, end, steps, rng=draw.stream(0))
    shapes = draw.singles(walk)
    with filling(out) as folder:
        draw.write_shapes(folder, shapes, extension, unit=unit, up=up, model=model, a=a, b=b)
        if animate:
            draw.write_animations(folder, [shape.to_scene() for shape in shapes])
    typer.echo(f"{steps} shapes in {out}")
