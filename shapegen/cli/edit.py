"""Verbs that change shapes: edit resample, swap, move, arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import shapegen
from shapegen.cli.app import app
from shapegen.cli.folders import filling
from shapegen.cli.generate import Device, Format, Model, Out, Seed

if TYPE_CHECKING:
    from shapegen.structures.part_tree import PartTree

edit = typer.Typer(
    help="Change shapes: resample, swap, move, arithmetic.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(edit, name="edit")

Shape = Annotated[str, typer.Argument(metavar="SHAPE", help="FILE, or FILE:INDEX.")]
Part = Annotated[
    str,
    typer.Argument(
        metavar="PART",
        help="A node's number, as `shapegen data info FILE --tree N` shows it, or "
        "a label's last words; of symmetric parts any.",
    ),
]
Term = Annotated[str, typer.Argument(help="A sample's seed, FILE or FILE:INDEX.")]


@edit.command()
def resample(
    model: Model,
    shape: Shape,
    fix: Annotated[
        list[str],
        typer.Option("--fix", help="A part that stays: a number, or all of a label; repeatable."),
    ],
    out: Out,
    n: Annotated[int, typer.Option("-n", "--count", min=1, help="How many variations.")] = 8,
    seed: Seed = 0,
    strength: Annotated[
        float, typer.Option("--strength", min=0, max=1, help="How far from the shape, 0 to 1.")
    ] = 1.0,
    format: Format = "auto",
    device: Device = "auto",
) -> None:
    """Keep some parts of a shape and draw the rest anew: numbered files and contact.png."""
    from shapegen.cli import draw
    from shapegen.structures.part_tree import PartTrees
    from shapegen.structures.resampling import resample as vary
    from shapegen.structures.structurenet import StructureNet

    extension = draw.check_format(format)
    loaded = shapegen.load(model, device)
    if not isinstance(loaded, StructureNet):
        raise ValueError(f"{loaded.name} cannot resample parts: its parts have no labels")
    tree = _tree(shape)
    fixed = sorted({node for text in fix for node in nodes_of(tree, text)})
    found = vary(loaded, tree, fixed, n, strength=strength, rng=draw.stream(seed))
    with filling(out) as folder:
        draw.write_shapes(
            folder,
            [PartTrees([each]) for each in found.trees],
            extension,
            model=model,
            shape=shape,
            fixed=fixed,
            seed=seed,
            strength=strength,
            valid=list(found.valid),
        )
    typer.echo(f"{n} shapes in {out}")
    if not all(found.valid):
        count = found.valid.count(False)
        typer.echo(f"shapegen: note: {count} of them do not hang together or stand", err=True)


@edit.command()
def swap(
    shape: Shape,
    part: Part,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The shape to take from.")],
    other_part: Annotated[str, typer.Argument(metavar="OTHER_PART", help="What to take.")],
    out: Out,
    keep_proportions: Annotated[
        bool, typer.Option("--keep-proportions", help="Scale it by one factor.")
    ] = False,
    alone: Annotated[
        bool, typer.Option("--alone", help="Leave the part's symmetric partners as they are.")
    ] = False,
    format: Format = "auto",
) -> None:
    """Put a part of another shape in the place of a part: one file, contact.png and pairs.png."""
    from shapegen.structures import editing

    tree, source = _tree(shape), _tree(other)
    node, other_node = node_of(tree, part), node_of(source, other_part)
    result = editing.swap(
        tree, node, source, other_node, keep_proportions=keep_proportions, partners=not alone
    )
    facts = {"shape": shape, "part": node, "other": other, "other_part": other_node}
    _write(tree, result, out, format, **facts)


@edit.command()
def move(
    shape: Shape,
    part: Part,
    out: Out,
    by: Annotated[
        tuple[float, float, float], typer.Option("--by", metavar="X Y Z", help="Way to go.")
    ] = (0.0, 0.0, 0.0),
    scale: Annotated[
        tuple[float, float, float],
        typer.Option("--scale", metavar="A B C", help="Factors along the axes of its box."),
    ] = (1.0, 1.0, 1.0),
    turn: Annotated[float, typer.Option("--turn", help="Degrees about --axis.")] = 0.0,
    axis: Annotated[Literal["x", "y", "z"], typer.Option("--axis", help="x, y or z.")] = "y",
    format: Format = "auto",
) -> None:
    """Move a part and let its relations follow: one file, contact.png and pairs.png."""
    import numpy as np

    from shapegen.structures import editing
    from shapegen.structures.motion import rotation

    tree = _tree(shape)
    node = node_of(tree, part)
    matrix = rotation(np.eye(3)["xyz".index(axis)], float(np.deg2rad(turn)))
    result = editing.move(tree, node, translation=by, rotation=matrix, scale=scale)
    facts: dict[str, Any] = {"by": by, "scale": scale, "turn": turn, "axis": axis}
    _write(tree, result, out, format, shape=shape, part=node, **facts)


@edit.command()
def arithmetic(
    model: Model,
    a: Term,
    b: Term,
    c: Term,
    out: Out,
    format: Format = "auto",
    device: Device = "auto",
) -> None:
    """Decode the latent A - B + C: what A is to B, the result is to C."""
    import torch

    from shapegen.base import LatentModel
    from shapegen.cli import draw

    extension = draw.check_format(format)
    loaded = shapegen.load(model, device)
    if not isinstance(loaded, LatentModel):
        raise ValueError(f"{loaded.name} has no latents to add")
    with torch.no_grad():
        terms = [draw.end_of_walk(loaded, text) for text in (a, b, c)]
        shapes = draw.singles(loaded.arithmetic(*terms, rng=draw.stream(0)))
    with filling(out) as folder:
        draw.write_shapes(folder, shapes, extension, model=model, a=a, b=b, c=c)
    typer.echo(f"1 shape in {out}")


def nodes_of(tree: PartTree, text: str) -> list[int]:
    """The nodes that a number or the last words of a label mean.

    Raises:
        ValueError: There are none.
    """
    if text.isdecimal():
        if int(text) >= len(tree):
            raise ValueError(f"the shape's nodes are 0 to {len(tree) - 1}; got {text}")
        return [int(text)]
    found = [
        node for node, label in enumerate(tree.label) if f"/{label}".endswith(f"/{text}") and text
    ]
    if not found:
        names = sorted({label.rpartition("/")[2] for label in tree.label[1:]})
        raise ValueError(f"the shape has no part {text!r}; it has {', '.join(names)}")
    return found


def node_of(tree: PartTree, text: str) -> int:
    """The one node that a number or a label means; of symmetric ones the first.

    Raises:
        ValueError: There are none, or several that are no images of one another.
    """
    from shapegen.structures.subtrees import images

    first, *others = nodes_of(tree, text)
    if not set(others) <= images(tree, first).keys():
        numbers = ", ".join(map(str, [first, *others]))
        raise ValueError(f"the shape has several parts {text!r}: say which of {numbers}")
    return first


def _tree(text: str) -> PartTree:
    from shapegen.cli import draw
    from shapegen.structures.part_tree import PartTree

    shape = draw.shape_of(text)
    if not isinstance(shape, PartTree):
        raise ValueError(f"{text} holds no shape of parts")
    return shape


def _write(before: PartTree, after: PartTree, out: Path, format: str, **facts: Any) -> None:
    """Write one shape, and a picture of what it was beside it."""
    from shapegen.cli import draw
    from shapegen.cli.pictures import write_pairs
    from shapegen.structures.part_tree import PartTrees

    extension = draw.check_format(format)
    with filling(out) as folder:
        draw.write_shapes(folder, [PartTrees([after])], extension, **facts)
        write_pairs([before], [after], folder / "pairs.png")
    typer.echo(f"1 shape in {out}")
