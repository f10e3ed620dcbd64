"""The verb of the stability laboratory."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shapegen.cli.app import app

if TYPE_CHECKING:
    from shapegen.train.laboratory import LabResult

FIGURES = ("modes", "high_quality", "reverse_kl")


@app.command()
def lab(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="As in configs/lab/.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of figures and pictures.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[section.key=value ...]", help="Other values.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Train so often, with seeds from 0 on.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Beside it the same game without any cure.")
    ] = False,
) -> None:
    """Train GANs of the plane, count the modes they find, and show why games fail.

    Beside the samples on the way, pictures of the Dirac GAN with every cure, of the gradients
    that vanish without noise, and of critics of known densities beside the exact ones.
    """
    from shapegen.train import lab_pictures
    from shapegen.train.critics import PAIRS, run_critics
    from shapegen.train.laboratory import load_lab, run_lab, without_cure

    experiment = load_lab(config, overrides or ())
    out.mkdir(parents=True, exist_ok=True)
    results = []
    for seed in [None] if seeds is None else range(seeds):
        results.append(("cured" if compare else "model", run_lab(experiment, seed)))
        _tell(*results[-1])
        if compare:
            results.append(("plain", run_lab(without_cure(experiment), seed)))
            _tell(*results[-1])
    lab_pictures.write_shots(results, experiment.modes, out / "samples.png")
    lab_pictures.write_dirac(out / "dirac.png")
    lab_pictures.write_vanishing(out / "vanishing.png")
    critics = {
        name: (pair, run_critics(pair, steps=experiment.critic_steps))
        for name, pair in PAIRS.items()
    }
    lab_pictures.write_critics(critics, out / "critics.png")
    exact = {name: result.figures for name, (_, result) in critics.items()}
    for name, values in exact.items():
        typer.echo(
            f"critic of {name}: {values['value']:.4g} of {values['exact']:.4g} "
            f"({values['error']:+.1%}); D is {values['judgement_error']:.2g} off p / (p + q)"
        )
    _write(exact, out / "critics.json")
    lines = [
        {"game": name, "seed": found.seed, "steps": found.steps, "seconds": found.seconds}
        | _finite(found.figures)
        for name, found in results
    ]
    _write(lines, out / "figures.json")
    typer.echo(f"{out}")


def _write(figures: object, path: Path) -> None:
    path.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n")


def _finite(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """None for a divergence that is infinite, which JSON does not have."""
    return {
        weights: {name: value if math.isfinite(value) else None for name, value in each.items()}
        for weights, each in figures.items()
    }


def _tell(name: str, found: LabResult) -> None:
    for weights, figures in found.figures.items():
        values = "  ".join(f"{key} {figures[key]:.4g}" for key in FIGURES)
        typer.echo(f"{name}, seed {found.seed}, {weights}: {values}  ({found.seconds:.0f} s)")
