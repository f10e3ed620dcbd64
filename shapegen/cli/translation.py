"""The verb that makes one image of another: translate."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import shapegen
from shapegen.cli.app import app
from shapegen.cli.folders import filling
from shapegen.cli.generate import Device, Model, Out, Seed

if TYPE_CHECKING:
    from shapegen.base import GenerativeModel
    from shapegen.images.images import Images

Format = Annotated[str, typer.Option("--format", "-f", help="png, or npz for one file.")]
FORMATS = ("png", "npz")


@app.command()
def translate(
    model: Model,
    images: Annotated[
        Path, typer.Argument(help="Images, or a folder with A and B, of which one is taken.")
    ],
    out: Out,
    to: Annotated[
        str | None, typer.Option("--to", help="a or b, of a model that goes both ways (b).")
    ] = None,
    n: Annotated[int | None, typer.Option("-n", "--count", min=1, help="Only the first.")] = None,
    seed: Seed = 0,
    format: Format = "png",
    device: Device = "auto",
) -> None:
    """Make new images of images: numbered files, manifest.json, pairs.png to compare.

    An image's noise depends on its own seed alone, which the manifest states.
    """
    from shapegen.cli import draw
    from shapegen.cli.pictures import write_pairs
    from shapegen.images.images import Images

    extension = format.lower().removeprefix(".")
    if extension not in FORMATS:
        raise ValueError(f"images are written as {' or '.join(FORMATS)}; got {format!r}")
    loaded: Any = shapegen.load(model, device)
    options = _options(loaded, to)
    begun = _begun(images, to)[:n]
    seeds = [draw.seed_of(seed, index) for index in range(len(begun))]
    made = [
        loaded.translate(one, rng=draw.stream(own), **options)
        for one, own in zip(draw.singles(begun), seeds, strict=True)
    ]
    with filling(out) as folder:
        facts: dict[str, Any] = {"model": model, "images": str(images), "seed": seed, **options}
        draw.write_files(folder, made, extension, seeds=seeds, **facts)
        write_pairs(draw.singles(begun), draw.singles(Images.join(made)), folder / "pairs.png")
    typer.echo(f"{len(made)} images in {out}")


def _options(model: GenerativeModel, to: str | None) -> dict[str, str]:
    """What the model's ``translate`` is told beside the images.

    Raises:
        ValueError: The model cannot translate, or not both ways.
    """
    from shapegen.base import Translator

    if not isinstance(model, Translator):
        raise ValueError(f"{model.name} cannot translate images")
    if to is None:
        return {}
    if "to" not in inspect.signature(model.translate).parameters:
        raise ValueError(f"{model.name} translates one way only: --to is of no use")
    return {"to": to}


def _begun(path: Path, to: str | None) -> Images:
    """The images to translate; of pairs and of two sets those of the other kind.

    Raises:
        ValueError: The file holds no images.
    """
    from shapegen.images.images import Images
    from shapegen.images.pairs import ImageDomains, ImagePairs

    shapes = shapegen.read(path)
    if isinstance(shapes, ImagePairs):
        return shapes.target if to == "a" else shapes.source
    if isinstance(shapes, ImageDomains):
        return shapes.b if to == "a" else shapes.a
    if not isinstance(shapes, Images):
        raise ValueError(f"{path} holds no images to translate but {type(shapes).__name__}")
    return shapes
