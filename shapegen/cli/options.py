"""Options that several verbs have."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Unit = Annotated[
    Literal["m", "cm"],
    typer.Option("--unit", help="m or cm, taking shapes to be in metres: of obj, ply, stl, usda."),
]
Up = Annotated[
    Literal["y", "z"], typer.Option("--up", help="y or z: the axis upwards of the same files.")
]
