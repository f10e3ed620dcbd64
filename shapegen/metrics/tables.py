"""Results of ``compare`` and ``evaluate`` as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def comparison_table(result: Mapping[str, Any]) -> Table:
    """What :func:`shapegen.metrics.compare` returned; columns without figures are left out."""
    settings = result["settings"]
    columns = {"samples": result["metrics"]}
    if result["floor"]:
        columns |= {"floor": result["floor"], settings["baseline"]: result["baseline"]}
    title = (
        f"{settings['samples']} samples against {settings['reference']}, "
        f"distance: {settings['distance']}"
    )
    return _table(title, {"generation": columns})


def evaluation_table(result: Mapping[str, Any]) -> Table:
    """What :func:`shapegen.metrics.evaluate` returned: a row a figure, a column a rival."""
    settings, metrics = result["settings"], result["metrics"]
    generation = {name: metrics[name] for name in (*result["floor"], "finite_share")}
    reconstructed = {name: value for name, value in metrics.items() if name not in generation}
    title = (
        f"{settings['reference']} held out, {settings['train']} for training, "
        f"{settings['samples']} samples, {settings['draws']} draws"
    )
    sections: dict[str, dict[str, Any]] = {
        "generation": {
            "model": generation,
            "floor": result["floor"],
            settings["baseline"]: result["baseline"],
            "jitter": result["jitter"],
        },
        "reconstruction": {
            "model": reconstructed,
            "retrieval": result["retrieval"],
            "data": result.get("truth", {}),
        },
        "validity": {
            "model": result["validity"]["samples"],
            "data": result["validity"]["data"],
        },
        "structures": {
            "model": result["structures"]["samples"],
            "data": result["structures"]["data"],
        },
    }
    return _table(title, sections)


def _table(title: str, sections: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    from rich.table import Table

    table = Table(title=title)
    table.add_column("figure")
    columns = list(dict.fromkeys(name for section in sections.values() for name in section))
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for heading, section in sections.items():
        table.add_section()
        table.add_row(f"[bold]{heading}[/bold]")
        for name in next(iter(section.values())):
            cells = [_cell(section.get(column, {}).get(name, "")) for column in columns]
            table.add_row(name, *cells)
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.3f}"
