"""The lectures' pictures of adversarial training: why it fails, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from shapegen.core.dirac import Cure, dirac_field
from shapegen.core.dynamics import Order, trajectory
from shapegen.data.toy_densities import MODES
from shapegen.formats.png import write_png
from shapegen.train.critics import CriticResult, Pair
from shapegen.train.laboratory import LabResult
from shapegen.view.fields import cloud_picture, field_picture, panels
from shapegen.view.plots import Pixels, curves, write_curves

CASES: tuple[tuple[str, Cure, float, Order], ...] = (
    ("plain game", "none", 0.0, "simultaneous"),
    ("one after the other", "none", 0.0, "alternating"),
    ("instance noise, .7", "instance_noise", 0.7, "simultaneous"),
    ("R1, gamma .3", "r1", 0.3, "simultaneous"),
    ("Roth et al., gamma .6", "roth", 0.6, "simultaneous"),
    ("consensus, .6", "consensus", 0.6, "simultaneous"),
)
NOISES = (0.0, 0.5, 1.0)
_REACH, _RATE, _STEPS = 2.0, 0.1, 400
_APART, _WIDTH = 1.0, 0.1


def write_dirac(path: str | Path) -> None:
    """Fields and ways of the Dirac GAN, plain and with every cure, as PNG."""
    row = [(caption, _dirac(cure, strength, order)) for caption, cure, strength, order in CASES]
    write_png(panels([row[:3], row[3:]]), path)


def _dirac(cure: Cure, strength: float, order: Order) -> Pixels:
    field = dirac_field("saturating", cure, strength)
    start = torch.tensor([1.0, -1.0], dtype=torch.float64)
    way = trajectory(field, start, rate=_RATE, steps=_STEPS, order=order)

    def arrows(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return field(torch.from_numpy(places)).detach().numpy()

    return field_picture(arrows, _REACH, [way.numpy()])


def judged(x: Float[Tensor, "n"], noise: float) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """What the best discriminator makes of two narrow Gaussians far apart, in closed form.

    Data is N(-1, .01), what is generated N(1, .01); noise widens both.

    Args:
        x: Places.
        noise: Standard deviation of instance noise.

    Returns:
        The probability of data, and the slope of the minimax loss that a generator feels.
    """
    variance = _WIDTH**2 + noise**2
    logit = -2 * _APART * x / variance
    return logit.sigmoid(), logit.sigmoid() * 2 * _APART / variance


def write_vanishing(path: str | Path) -> None:
    """The best discriminator's verdict with more and more instance noise, as PNG.

    Where it is flat at 0 the generator, whose samples are at 1, feels nothing. Slopes are cut off
    at 1.
    """
    x = torch.linspace(-3, 3, 400, dtype=torch.float64)
    lines = {f"D(x), noise {noise}": judged(x, noise)[0].numpy() for noise in NOISES}
    lines |= {
        f"slope, noise {noise}": judged(x, noise)[1].clamp(max=1.0).numpy() for noise in NOISES[1:]
    }
    write_curves(x.numpy(), lines, path)


def write_critics(results: Mapping[str, tuple[Pair, CriticResult]], path: str | Path) -> None:
    """Trained critics and discriminators beside the best ones, a row a pair, as PNG."""
    rows = []
    for name, (pair, result) in results.items():
        x = pair.places()
        column = x[:, None].float()
        fake = pair.fake.density(x)
        critic = result.wasserstein(column).double()
        # A critic is one up to a constant: both have the mean 0 of what is generated.
        critic = critic - torch.trapezoid(critic * fake, x)
        judged_share = result.discriminator(column).sigmoid()
        lines = [
            {"critic": critic, "best one": pair.potential()},
            {
                "D(x)": judged_share,
                "p / (p + q)": pair.share(),
                "p": pair.real.density(x),
                "q": fake,
            },
        ]
        pictures = [
            curves(x.numpy(), {key: line.numpy() for key, line in each.items()}) for each in lines
        ]
        rows.append([(f"{name}: Wasserstein", pictures[0]), (f"{name}: judged", pictures[1])])
    write_png(panels(rows), path)


def write_shots(results: Sequence[tuple[str, LabResult]], modes: str, path: str | Path) -> None:
    """Samples on the way of several trainings, a row each, as PNG."""
    density = MODES[modes]
    reach = 1.25 * float(density.places.abs().max())
    rows = [
        [
            (f"{name}, step {step}", cloud_picture(points.numpy(), density.centres, reach))
            for step, points in result.shots
        ]
        for name, result in results
    ]
    write_png(panels(rows), path)
