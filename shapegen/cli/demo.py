"""Verbs to start with: demo, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import shapegen
from shapegen.cli.app import FAILURE, app, leave
from shapegen.cli.folders import filling

if TYPE_CHECKING:
    from shapegen.base import GenerativeModel
    from shapegen.view import Animation, Pictures


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same.")] = 0,
) -> None:
    """Draw from the shipped weights: GLB files, pictures, an interpolation and a page of all."""
    from shapegen.checkpoint import shipped
    from shapegen.cli.pages import COUNT
    from shapegen.registry import models
    from shapegen.view import write_gallery

    order = list(models())
    names = sorted(shipped(), key=lambda name: order.index(name.partition("-")[0]))
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
    from shapegen.cli import draw, pages
    from shapegen.view import contact_sheet, write_png

    seeds = [draw.seed_of(seed, index) for index in range(pages.COUNT)]
    shapes = draw.samples(model, seeds)
    place = folder / name / "samples"
    names = draw.write_files(place, shapes, "glb", seeds=seeds, model=name, seed=seed)
    links = [f"{name}/samples/{file}" for file in names]
    section = pages.samples_section(name, shapes, seed, links)
    write_png(contact_sheet(section.images), place / "contact.png")
    return section


def _walk(model: GenerativeModel, name: str, folder: Path, seed: int) -> list[Animation]:
    from shapegen.cli import draw, pages
    from shapegen.view import write_animation

    walked = pages.walk(model, seed)
    if walked is None:
        return []
    place = folder / name / "interpolation"
    first, last = walked.ends
    draw.write_files(place, walked.shapes, "glb", model=name, a=first, b=last)
    write_animation(walked.scenes, place / "animation.gif", pages.SIZE)
    return [pages.walk_section(name, walked)]


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
