"""Pictures and a page of a generator that was taken apart."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shapegen.core.units import Subject, units_set
from shapegen.formats.png import write_png
from shapegen.images.images import Images
from shapegen.metrics.dissection_figures import LayerFigures, PartFigures, is_there
from shapegen.view.gallery import Pictures, Section, Table, write_gallery
from shapegen.view.heat import heat_map
from shapegen.view.plots import Pixels, image_rows

SHOWN, UNITS = 10, 40
"""Images in a row, and units in the table of agreement."""


def write_dissection(
    folder: Path,
    subject: Subject,
    z: Float[Tensor, "n latent"],
    figures: LayerFigures,
    *,
    title: str,
    rng: torch.Generator | None = None,
) -> None:
    """Write ``iou.png``, a picture a part, and ``index.html`` with all of them.

    Args:
        folder: It exists.
        subject: As it was taken apart.
        z: Samples of the prior to show.
        figures: What was found.
        title: Of the page.
        rng: Of the units at random.
    """
    names = [each.part for each in figures.parts]
    iou = figures.dissection.iou
    first = iou.max(1).values.argsort(descending=True)[:UNITS]
    table = heat_map(iou[first].numpy(), [f"unit {unit}" for unit in first.tolist()], names)
    write_png(table, folder / "iou.png")
    at_random = torch.randperm(len(iou), generator=rng)[: len(figures.parts[0].units)]
    rows = [_part_rows(subject, z, figures, part, at_random) for part in range(len(names))]
    for name, picture in zip(names, rows, strict=True):
        write_png(picture, folder / f"{name}.png")
    sections: list[Section] = [
        Table("Parts", {each.part: _column(each) for each in figures.parts}),
        Pictures("Units beside parts", [table], ["intersection over union"]),
        Pictures(
            "Before and after",
            rows,
            names,
            "Rows: samples; without the part's units; without as many at random; other samples; "
            "these with its units on in one place; with its direction added to their latents.",
        ),
    ]
    write_gallery(folder / "index.html", sections, title=title)


@torch.no_grad()
def _part_rows(
    subject: Subject, z: Tensor, figures: LayerFigures, number: int, at_random: Int[Tensor, "k"]
) -> Pixels:
    module, part = subject.located(z)[0], figures.parts[number]
    having = is_there(subject.masks(subject.images_of(z))[:, number]).cpu()
    # Samples with the part first; those without it come from the end.
    order = having.long().argsort(descending=True, stable=True)
    have, lack = z[order[:SHOWN]], z[order[-SHOWN:]]
    units = torch.tensor(part.units)
    typical = figures.dissection.typical[units, number].nan_to_num()
    rows = [subject.images_of(have)]
    for removed in (units, at_random):
        with units_set(module, removed):
            rows.append(subject.images_of(have))
    rows.append(subject.images_of(lack))
    with units_set(module, units, typical, part.region):
        rows.append(subject.images_of(lack))
    if part.arithmetic is not None:
        rows.append(subject.images_of(lack + part.arithmetic.direction))
    return image_rows([Images(row) for row in rows])


def _column(part: PartFigures) -> dict[str, float | str]:
    """A part's figures, by name."""
    column: dict[str, float | str] = {
        "present": part.present,
        "IoU of the best unit": part.iou,
        "removed without its units": part.removed,
        "removed without units at random": part.removed_at_random,
        "changed elsewhere": part.changed_elsewhere,
        "region before": part.before,
        "region with its units on": part.inserted,
    }
    if part.arithmetic is not None:
        column["gained by its direction"] = part.arithmetic.gained
        column["gained by a random one"] = part.arithmetic.gained_at_random
    return column
