"""The command line: ``shapegen VERB``, also as ``python -m shapegen``."""

from __future__ import annotations

import warnings
from typing import Any

import typer

from shapegen.cli import (  # noqa: F401 - verbs
    assets,
    data,
    demo,
    dissect,
    edit,
    generate,
    lab,
    learn,
    measure,
    rendering,
    translation,
)
from shapegen.cli.app import app as app


def main() -> None:
    """Run the command line on the process's arguments."""
    warnings.showwarning = _show_warning
    app()


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    typer.echo(f"shapegen: note: {' '.join(str(message).split())}", err=True)
