"""The verb that takes a generator apart."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import shapegen
from shapegen.cli.app import app
from shapegen.cli.folders import filling

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from shapegen.base import GenerativeModel
    from shapegen.core.units import Masks, Subject
    from shapegen.metrics.dissection_figures import LayerFigures, PartFigures

TRAINING_SCENES, TRAINING_STEPS = 500, 300
"""Of the segmenter."""


@app.command()
def dissect(
    model: Annotated[str, typer.Argument(help="A run's folder or a .safetensors file.")],
    layer: Annotated[str, typer.Option("--layer", help="Name of a layer whose output is maps.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of figures and pictures.")],
    n: Annotated[int, typer.Option("-n", "--count", min=4, help="Samples to look at.")] = 1000,
    units: Annotated[
        int, typer.Option("--units", min=1, help="How many are removed at once, for each part.")
    ] = 10,
    segmenter: Annotated[
        bool,
        typer.Option("--segmenter", help="Find parts by a network trained here, not by colour."),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same gives the same.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Find the units of a generator of scenes that stand for their parts, and remove them.

    The model is that of configs/gan_scenes.yaml, or its like: parts are known of the set `scenes`.
    Into the folder go figures.json, a picture a part and index.html.
    """
    from shapegen.cli import draw
    from shapegen.data.scenes import CONCEPTS
    from shapegen.metrics.dissection_figures import layer_figures
    from shapegen.view.dissection import write_dissection

    rng = draw.stream(seed)
    subject, z = _opened(shapegen.load(model, device), layer, n, segmenter, rng)
    figures = layer_figures(subject, z, CONCEPTS, units=units, rng=rng)
    with filling(out) as folder:
        title = f"{model}, {layer}"
        write_dissection(folder, subject, z, figures, title=title, rng=rng)
        text = json.dumps(_lines(figures, layer, n), indent=1, allow_nan=False)
        (folder / "figures.json").write_text(text + "\n")
    for part in figures.parts:
        typer.echo(
            f"{part.part:8} IoU {part.iou:.3f}  removed {part.removed:.3f}  "
            f"at random {part.removed_at_random:.3f}  elsewhere {part.changed_elsewhere:.3f}"
        )
    typer.echo(f"{out}")


def _opened(
    model: GenerativeModel, layer: str, n: int, segmenter: bool, rng: torch.Generator
) -> tuple[Subject, Tensor]:
    """The model's layer with the parts of scenes, and samples of its latents.

    Raises:
        ValueError: The model makes no colour images of latents, or has no such layer.
    """
    from shapegen.base import Differentiable, LatentModel
    from shapegen.core.units import Subject
    from shapegen.data.scenes import scene_masks

    if not isinstance(model, LatentModel) or not isinstance(model, Differentiable):
        raise ValueError(f"{model.name} does not make numbers of latents: it cannot be dissected")
    z = model.sample_latent(n, rng=rng)
    shape = tuple(model.generate(z[:1]).shape[1:])
    if len(shape) != 3 or shape[0] != 3:
        raise ValueError(
            "parts are known of scenes, which are images in colour; "
            f"{model.name} makes {' x '.join(map(str, shape))}"
        )
    subject = Subject(model, layer, scene_masks, run=model.generate)
    subject.located(z)  # a wrong name is told before anything is trained
    if segmenter:
        subject = replace(subject, masks=_fitted(z.device))
    return subject, z


def _fitted(device: torch.device) -> Masks:
    from shapegen.data.scenes import scene_masks, scenes
    from shapegen.images.segmenter import fitted_segmenter

    pixels = scenes(TRAINING_SCENES).pixels.to(device)
    return fitted_segmenter(pixels, scene_masks(pixels), steps=TRAINING_STEPS).masks


def _lines(figures: LayerFigures, layer: str, n: int) -> dict[str, Any]:
    """What figures.json holds; null for what is not defined."""
    return {
        "layer": layer,
        "units": len(figures.dissection.iou),
        "samples": n,
        "explained": figures.explained,
        "parts": {part.part: _line(part) for part in figures.parts},
        "iou": figures.dissection.iou.tolist(),
    }


def _line(part: PartFigures) -> dict[str, Any]:
    shares = ("present", "iou", "removed", "removed_at_random", "changed_elsewhere")
    numbers = {name: getattr(part, name) for name in (*shares, "before", "inserted")}
    line: dict[str, Any] = {
        name: value if math.isfinite(value) else None for name, value in numbers.items()
    }
    line["units"] = list(part.units)
    found = part.arithmetic
    names = ("share", "length", "gained", "lost", "gained_at_random", "lost_at_random")
    line["arithmetic"] = found and {name: getattr(found, name) for name in names}
    return line
