"""Verbs that measure: evaluate, compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import shapegen
from shapegen.cli.app import app
from shapegen.cli.generate import Device, Model
from shapegen.cli.learn import CONFIG

if TYPE_CHECKING:
    from shapegen.base import Shapes
    from shapegen.config import RunConfig
    from shapegen.train import DataSplit

Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures; - is stdout.")
]

Features = Annotated[
    Path | None,
    typer.Option(
        "--features",
        metavar="FILE",
        help="Inception weights (.pth) for FID and KID of images; left out: the shipped network.",
    ),
]


@app.command()
def evaluate(
    model: Model,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Held-out shapes; left out: those that the run held out."),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option("--train", help="What it was trained on; left out: as the run says."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("-n", "--count", min=2, help="Generated shapes a draw.")
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option("--draws", min=1, help="Draws to average: 5, and 1 of point clouds."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the first draw.")] = 0,
    features: Features = None,
    json_file: Json = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            help="Write a page: samples, interpolation, nearest training shapes, the figures.",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure reconstruction and generation, with the floor and a baseline beside them."""
    from shapegen.metrics.tables import evaluation_table

    loaded: Any = shapegen.load(model, device)
    held_out, trained_on = evaluation_sets(model, data, train)
    result = shapegen.metrics.evaluate(
        loaded, trained_on, held_out, draws=draws, n=n, seed=seed, features=features
    )
    report(result, evaluation_table, json_file)
    if html is not None:
        from shapegen.cli.pages import evaluation_page
        from shapegen.view import write_gallery

        sections = evaluation_page(loaded, result, trained_on, held_out, seed=seed)
        text = f"Measured by “shapegen evaluate {model}”, shapegen {shapegen.__version__}."
        write_gallery(html, sections, title=loaded.name, text=text)
        # Where the figures go to stdout, nothing else may.
        typer.echo(f"page: {html}", err=True)


@app.command()
def compare(
    samples: Annotated[Path, typer.Argument(help="A file or folder of shapes.")],
    reference: Annotated[Path, typer.Argument(help="The same.")],
    preset: Annotated[
        str | None, typer.Option("--preset", help="structures, pointflow, lion-normbox.")
    ] = None,
    distance: Annotated[
        Literal["boxes", "chamfer"], typer.Option("--distance", help="boxes or chamfer.")
    ] = "boxes",
    train: Annotated[
        Path | None, typer.Option("--train", help="Training shapes: adds floor and baseline.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", help="Names of figures, with commas; or all usual.")
    ] = None,
    features: Features = None,
    json_file: Json = None,
) -> None:
    """Measure one set of shapes against another; no model is needed."""
    from shapegen.metrics.tables import comparison_table

    known = None if train is None else shapegen.read(train)
    result = shapegen.metrics.compare(
        samples,
        reference,
        metrics=None if metrics is None else tuple(metrics.split(",")),
        preset=preset,
        distance=distance,
        train=known,
        features=features,
    )
    report(result, comparison_table, json_file)


def evaluation_sets(model: str, data: Path | None, train: Path | None) -> tuple[Any, Any]:
    """What to evaluate on, and what the model was trained on.

    Raises:
        ValueError: Neither ``--data`` nor the model's run says of held-out shapes.
    """
    from shapegen.train.data import read_as

    held_out: Shapes
    run = run_config(model)

    def given(path: Path) -> Shapes:
        found: Shapes = shapegen.read(path) if run is None else read_as(path, run.data)
        return found

    split = None if run is None or (data is not None and train is not None) else load_split(run)
    own = run is not None and data is not None and is_file_of(run, data)
    if data is not None and not (own and split is not None and split.holdout is not None):
        held_out = given(data)
    elif split is not None and split.holdout is not None:
        held_out = split.holdout
    else:
        raise ValueError(f"{model} has no held-out shapes of its own: give --data FILE")
    if train is not None:
        return held_out, given(train)
    if split is not None:
        return held_out, split.train
    from shapegen.metrics.splits import random_split

    note = "the floor and the baseline come from a random half of the data (or give --train)"
    typer.echo(f"shapegen: note: {model} does not say what it was trained on: {note}", err=True)
    known, rest = random_split(len(held_out), held_out=len(held_out) // 2)
    return held_out[rest.tolist()], held_out[known.tolist()]


def run_config(model: str) -> RunConfig | None:
    """The configuration beside a model's file, if there is one."""
    from shapegen.checkpoint import locate
    from shapegen.config import load_run

    path = locate(model)
    for config in (path.with_suffix(".yaml"), path.parent / CONFIG):
        if config.is_file():
            return load_run(config)
    return None


def load_split(run: RunConfig) -> DataSplit:
    """The shapes of a run, split as it split them."""
    from shapegen.train import load_data

    return load_data(run.data)


def is_file_of(run: RunConfig, path: Path) -> bool:
    """Whether a path is the file that a run read, some of which it was trained on."""
    from shapegen.config import expand

    return any(expand(own).resolve() == path.resolve() for own in run.data.paths)


def report(result: dict[str, Any], table: Any, json_file: Path | None) -> None:
    """Show figures as a table, or write them as JSON."""
    from rich.console import Console

    from shapegen.formats.atomic import replacing

    text = json.dumps(result, indent=1) + "\n"
    if str(json_file) == "-":
        typer.echo(text, nl=False)
        return
    if json_file is not None:
        with replacing(json_file) as aside:
            aside.write_text(text)
    Console().print(table(result))
