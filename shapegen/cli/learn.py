"""Verbs that make a model: train, convert."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import shapegen
from shapegen.cli.app import app

CONFIG = "config.yaml"
"""The configuration of a run, in its folder."""


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="A file as in configs/.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[section.key=value ...]", help="Other values.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="Processes, started by torchrun.")
    ] = None,
) -> None:
    """Train a model: checkpoints, logs and pictures (samples, and what else it can) in one folder.

    Ctrl-C saves and stops; --resume goes on, to the same end.
    """
    from shapegen.config import dump, load_run
    from shapegen.registry import build_seeded
    from shapegen.train import load_data
    from shapegen.train.pictures import write_pictures

    chosen = {"train.device": device, "train.devices": devices}
    changes = [f"{key}={value}" for key, value in chosen.items() if value is not None]
    run = load_run(config, [*(overrides or ()), *changes])
    data = load_data(run.data)
    model = build_seeded(run.model.name, run.model.fields, run.train.seed)
    first = int(os.environ.get("RANK", "0")) == 0  # of torchrun's processes
    # A run that exists keeps its configuration, whether fit resumes or refuses it.
    if first and not (out / "state.safetensors").exists():
        dump(run, out / CONFIG)
    result = shapegen.fit(
        model, data.train, run.train, out=out, resume=resume, validation=data.validation
    )
    if first:
        typer.echo(f"{result.stopped} after {result.epoch:.4g} epochs: {out}")
        shown = data.holdout or data.validation or data.train
        try:
            write_pictures(model, shown, out, count=run.train.pictures, seed=run.train.seed)
        except ValueError as error:  # the run is whole without them
            typer.echo(f"no pictures: {error}", err=True)


@app.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="A file or folder of the authors, or the folder of a run.")
    ],
    model: Annotated[str, typer.Option("--model", help="Whose it is: grass, structurenet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .safetensors file to write.")],
    half: Annotated[bool, typer.Option("--half", help="Round to float16: half the size.")] = False,
    labels: Annotated[
        Path | None,
        typer.Option(help="StructureNet's table of labels (part_semantics/Chair.txt)."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change an option of the model."),
    ] = None,
) -> None:
    """Turn an original implementation's checkpoint, or a run, into one file of ours."""
    from shapegen.checkpoint import load, save
    from shapegen.config.yaml_files import override
    from shapegen.structures.vocabulary import read_vocabulary

    options = override({}, changes or ())
    if (checkpoint / "last.safetensors").is_file():
        found = load(checkpoint, expect=model, **options)
    else:
        if labels is not None:
            options["vocabulary"] = read_vocabulary(labels).labels
        found = shapegen.interop.load_official(model, checkpoint, **options)
    save(found, out, half=half)
    typer.echo(f"{out}")
