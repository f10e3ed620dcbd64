"""Results of ``compare`` and ``evaluate`` as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

SMALL = 0.1
"""Figures below it, such as squared distances, are shown with three significant digits."""

if TYPE_CHECKING:
    from rich.table import Table

Sections = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""``sections[section][column][row]``."""


def comparison_table(result: Mapping[str, Any]) -> Table:
    """What :func:`shapegen.metrics.compare` returned; columns without figures are left out."""
    settings = result["settings"]
    columns = {"samples": result["metrics"]}
    if result.get("intervals"):
        columns |= _ends(result["intervals"])
    if result["floor"]:
        columns |= {"floor": result["floor"], settings["baseline"]: result["baseline"]}
    title = (
        f"{settings['samples']} samples against {settings['reference']}, "
        f"distance: {settings['distance']}"
    )
    sections = {"generation": columns}
    if "validity" in result:
        sections["validity"] = result["validity"]
    if result.get("novelty"):
        sections["novelty"] = {"samples": result["novelty"]}
    if result.get("memorisation"):
        sections["memorisation"] = {"samples": result["memorisation"]}
    return _table(title, sections, features_note(settings))


def evaluation_table(result: Mapping[str, Any]) -> Table:
    """What :func:`shapegen.metrics.evaluate` returned: a row a figure, a column a rival."""
    title, sections = evaluation_sections(result)
    return _table(title, sections, evaluation_note(result))


def evaluation_sections(result: Mapping[str, Any]) -> tuple[str, Sections]:
    """The same as a title and the figures of every section: ``sections[section][column][row]``."""
    settings, metrics = result["settings"], result["metrics"]
    if "reconstruction" in result:
        return _cloud_sections(result)
    if "novelty" in result:
        return _graph_sections(result)
    if settings.get("shapes") == "voxels":
        return _voxel_sections(result)
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
    return title, sections


def _cloud_sections(result: Mapping[str, Any]) -> tuple[str, Sections]:
    settings = result["settings"]
    measured = (
        f"{settings['points']} points, preset {settings['preset']}"
        if settings.get("points")
        else f"images, distance: {settings['distance']}"
    )
    title = (
        f"{settings['samples']} samples against {settings['reference']} of {measured}, "
        f"{settings['train']} for training"
    )
    generation = {"model": result["metrics"], **_ends(result["intervals"])}
    generation |= {"floor": result["floor"], settings["baseline"]: result["baseline"]}
    sections: dict[str, dict[str, Any]] = {
        "generation": generation,
        "reconstruction": {
            "model": result["reconstruction"]["model"],
            "floor": result["reconstruction"]["floor"],
            settings["baseline"]: result["reconstruction"]["baseline"],
        },
        "memorisation": {"model": result["memorisation"]},
        "model": {"model": result["model"]},
        **{name: each for name, each in result.get("fields", {}).items() if name != "settings"},
    }
    return title, _with_figures(sections)


def _voxel_sections(result: Mapping[str, Any]) -> tuple[str, Sections]:
    settings = result["settings"]
    title = (
        f"{settings['samples']} samples against {settings['reference']} of voxels, distance: "
        f"{settings['distance']}, {settings['train']} for training"
    )
    generation = {"model": result["metrics"], **_ends(result["intervals"])}
    generation |= {"floor": result["floor"], settings["baseline"]: result["baseline"]}
    sections: dict[str, dict[str, Any]] = {
        "generation": generation,
        "validity": {name: result["validity"][side] for name, side in _SIDES},
        "memorisation": {"model": result["memorisation"]},
        "model": {"model": result["model"]},
    }
    return title, _with_figures(sections)


_SIDES = (("model", "samples"), ("data", "data"))


def _graph_sections(result: Mapping[str, Any]) -> tuple[str, Sections]:
    settings = result["settings"]
    title = (
        f"{settings['samples']} graphs against {settings['reference']} held out, preset "
        f"{settings['preset']}, {settings['train']} for training, {settings['draws']} draws"
    )
    sections: dict[str, dict[str, Any]] = {
        "generation": {
            "model": result["metrics"],
            "floor": result["floor"],
            settings["baseline"]: result["baseline"],
        },
        **{
            name: {"model": result[name]["samples"], "data": result[name]["data"]}
            for name in ("validity", "novelty")
        },
        "model": {"model": result["model"]},
    }
    return title, _with_figures(sections)


def _ends(intervals: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Low and high ends of intervals, a column each."""
    return {
        heading: {name: ends[side] for name, ends in intervals.items()}
        for side, heading in enumerate(("95 % from", "to"))
    }


def features_note(settings: Mapping[str, Any]) -> str | None:
    """Whose features images were compared in: a distance in them means nothing without."""
    used = settings.get("features")
    # Hierarchies are compared in features of their own, which no network is behind.
    if used is None or "extractor" not in used:
        return None
    counts = f"{used['samples']} samples against {used['reference']}"
    if "floor_samples" in used:
        counts += f", floor of {used['floor_samples']}"
    return (
        f"features: {used['dimensions']} of {used['extractor']}; images resized to "
        f"{used['resize']}; {counts}; {used['neighbours']} neighbours"
    )


def evaluation_note(result: Mapping[str, Any]) -> str | None:
    """What figures of images and fields mean nothing without; None where there are none."""
    note = features_note(result["settings"])
    if "fields" not in result:
        return note
    used = result["fields"]["settings"]
    spaces = ", ".join(f"{name}: {what}" for name, what in used["features"].items())
    fields = (
        f"{used['samples']} pictures against {used['reference']} held out (floor and collapse of "
        f"{used['floor_samples']}), in {spaces}; densities of the first {used['solids']} samples "
        f"and {used['real_shapes']} real shapes in {used['cells']}^3 cells of the ball of radius "
        f"{used['reach']:.3g}, full from {used['level']:.3g}; meshes of the first "
        f"{used['meshes']} in {used['mesh_cells']}^3; {used['views']} views of the first "
        f"{used['viewed']}, depths within {used['tolerance']:.3g}"
    )
    return fields if note is None else f"{note}; fields: {fields}"


def _with_figures(sections: Sections) -> Sections:
    return {name: each for name, each in sections.items() if any(each.values())}


def _table(title: str, sections: Sections, caption: str | None = None) -> Table:
    from rich.table import Table

    table = Table(title=title, caption=caption)
    table.add_column("figure")
    columns = list(dict.fromkeys(name for section in sections.values() for name in section))
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for heading, section in sections.items():
        table.add_section()
        table.add_row(f"[bold]{heading}[/bold]")
        for name in dict.fromkeys(name for figures in section.values() for name in figures):
            cells = [cell(section.get(column, {}).get(name, "")) for column in columns]
            table.add_row(name, *cells)
    return table


def cell(value: Any) -> str:
    """A figure as text; ``-`` where it does not exist."""
    if value is None:
        return "-"
    if isinstance(value, str | int):
        return str(value)
    return f"{value:.3f}" if abs(value) >= SMALL or not value else f"{value:.3g}"
