"""Verbs to start with: demo, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import shapegen
from shapegen.cli.app import FAILURE, app, leave
from shapegen.cli.folders import filling

if TYPE_CHECKING:
    from shapegen.base import GenerativeModel
    from shapegen.view import Animation, Pictures

COUNT, STEPS, SIZE = 24, 24, 224
"""Samples, steps of the interpolation, and pixels of a picture."""
ENDS = 8
"""Samples among which the end of the interpolation is looked for."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same.")] = 0,
) -> None:
    """Draw from the shipped weights: GLB files, pictures, an interpolation and a page of all."""
    from shapegen.checkpoint import shipped
    from shapegen.view import write_gallery

    names = shipped()
    if not names:
        raise ValueError("no weights are shipped with this installation; train a model first")
    with filling(out) as folder:
        sections: list[Pictures | Animation] = []
        for name in names:
            model = shapegen.load(name)
            sections.append(_samples(model, name, folder, seed))
            sections += _walk(model, name, folder, seed)
        text = "Made by “shapegen demo” from the shipped weights. A picture leads to its GLB file."
        write_gallery(folder / "index.html", sections, title="shapegen", text=text)
    typer.echo(f"{COUNT} shapes of each of {', '.join(names)}: open {out / 'index.html'}")


def _samples(model: GenerativeModel, name: str, folder: Path, seed: int) -> Pictures:
    from shapegen.cli import draw
    from shapegen.view import Pictures, contact_sheet, thumbnails, write_png

    seeds = [draw.seed_of(seed, index) for index in range(COUNT)]
    shapes = draw.samples(model, seeds)
    place = folder / name / "samples"
    names = draw.write_files(place, shapes, "glb", seeds=seeds, model=name, seed=seed)
    images = thumbnails([shape.to_scene() for shape in shapes], SIZE)
    write_png(contact_sheet(images), place / "contact.png")
    links = [f"{name}/samples/{file}" for file in names]
    text = f"The first {COUNT} samples of seed {seed}, none picked."
    return Pictures(f"{name}: samples", images, links=links, text=text)


def _walk(model: GenerativeModel, name: str, folder: Path, seed: int) -> list[Animation]:
    """An interpolation from the first sample to the next with another number of parts."""
    import torch

    from shapegen.base import LatentModel
    from shapegen.cli import draw
    from shapegen.view import Animation, animation_frames, write_animation

    if not isinstance(model, LatentModel):
        return []
    seeds = [draw.seed_of(seed, index) for index in range(ENDS)]
    with torch.no_grad():
        ends = [draw.end_of_walk(model, str(one)) for one in seeds]
        sizes = [len(model.decode(end[None], rng=draw.stream(0)).to_scene()) for end in ends]
        other = next((i for i, size in enumerate(sizes) if size != sizes[0]), 1)
        walk = model.interpolate(ends[0], ends[other], STEPS, rng=draw.stream(0))
    shapes: list[Any] = draw.singles(walk)
    scenes = [shape.to_scene() for shape in shapes]
    place = folder / name / "interpolation"
    draw.write_files(place, shapes, "glb", model=name, a=seeds[0], b=seeds[other])
    write_animation(scenes, place / "animation.gif", SIZE)
    differs = ", whose structure differs," if sizes[other] != sizes[0] else ""
    text = f"From sample 0 to sample {other}{differs} in {STEPS} steps."
    return [Animation(f"{name}: interpolation", animation_frames(scenes, SIZE), text=text)]


@app.command()
def doctor() -> None:
    """Say what this machine has, what is missing, and the command that mends it."""
    from shapegen.doctor import examine

    findings = examine()
    for finding in findings:
        typer.echo(f"{finding.state:8} {finding.name:12} {finding.detail}")
        if finding.remedy:
            typer.echo(f"{'':21} -> {finding.remedy}")
    if any(finding.state == "missing" for finding in findings):
        leave("something that everything needs is missing: see above", FAILURE)
