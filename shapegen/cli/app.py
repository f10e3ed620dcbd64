"""The command's frame: how a mistake is told, and the exit code that it gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import shapegen

# The name that click gives it; typer only exports the classes below it.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

BAD_INPUT, FAILURE = 2, 1


class Commands(TyperGroup):
    """All verbs: bad input is one line on stderr and exit code 2, any other failure 1."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--debug`` from wherever it stands, then parse; no arguments ask for help."""
        ctx.meta["debug"] = "--debug" in args
        rest = [arg for arg in args if arg != "--debug"]
        with mistakes(debug=ctx.meta["debug"]):
            return super().parse_args(ctx, rest or ["--help"])

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        with mistakes(debug=ctx.meta["debug"]):
            return super().invoke(ctx)


@contextmanager
def mistakes(*, debug: bool) -> Iterator[None]:
    """Turn exceptions into one line and an exit code; with ``debug`` let them through."""
    try:
        yield
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except UsageError as error:
        if debug:
            raise
        leave(f"{one_line(error)} (see --help)", BAD_INPUT)
    except (OSError, TypeError, ValueError) as error:
        if debug:
            raise
        leave(one_line(error), BAD_INPUT)
    except Exception as error:
        if debug:
            raise
        failure = f"{type(error).__name__}: {one_line(error)}"
        leave(f"failed with {failure} (--debug shows where)", FAILURE)


def leave(message: str, code: int) -> None:
    """Say why on stderr and end with an exit code."""
    typer.echo(f"shapegen: {message}", err=True)
    raise typer.Exit(code)


def one_line(error: Exception) -> str:
    """An exception's message without line breaks and error numbers."""
    if isinstance(error, OSError) and error.strerror:
        what = error.strerror[:1].lower() + error.strerror[1:]
        return what if error.filename is None else f"{error.filename}: {what}"
    text = error.format_message() if isinstance(error, UsageError) else str(error)  # type: ignore[attr-defined]
    return " ".join(text.split()) or type(error).__name__


app = typer.Typer(
    name="shapegen",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shapegen {shapegen.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Generative models of 3D shapes: sample, interpolate, reconstruct, train, measure, export."""
