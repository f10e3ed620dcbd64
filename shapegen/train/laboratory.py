"""The stability laboratory: GANs of points in the plane, measured on modes that are known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from shapegen.config import TrainConfig, from_dict
from shapegen.config.yaml_files import override, read
from shapegen.core.game import GameOptions
from shapegen.core.seeding import seeded
from shapegen.data.toy_densities import MODES
from shapegen.images.plane_gan import PlaneGAN, PlaneGANConfig
from shapegen.metrics.modes import mode_figures
from shapegen.train import parallel, streams
from shapegen.train.budget import steps_that_fit
from shapegen.train.descent import Descent
from shapegen.train.record import Means

SAMPLES = 10_000


@dataclass(frozen=True)
class LabConfig:
    """One experiment: a file ``configs/lab/*.yaml``."""

    modes: Literal["ring", "grid"] = "ring"
    model: PlaneGANConfig = field(default_factory=PlaneGANConfig)
    steps: int = 30_000
    train: TrainConfig = field(default_factory=TrainConfig)
    """Of it the optimiser, rates and schedule, batch size, moving average, seed, threads, and the
    minutes that the steps are cut to (``fit_minutes``)."""
    shots: int = 6
    """Pictures of samples on the way, the last one at the end."""
    critic_steps: int = 1500
    """Of every critic of densities that stand still (:mod:`shapegen.train.critics`)."""

    def __post_init__(self) -> None:
        for name in ("steps", "shots", "critic_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")


@dataclass(frozen=True)
class LabResult:
    """What became of a training."""

    seed: int
    figures: dict[str, dict[str, float]]
    """Of samples of the weights as they are (``raw``) and of their moving average (``ema``)."""
    shots: tuple[tuple[int, Float[Tensor, "n 2"]], ...]
    """Steps done, and samples of the average (of the weights, where there is none) by then."""
    steps: int
    seconds: float


def load_lab(path: str | Path, overrides: Sequence[str] = ()) -> LabConfig:
    """Read an experiment and apply overrides such as ``model.game.r1=0``.

    Raises:
        ValueError: Anything wrong with the file or an override, in one line that names it.
    """
    try:
        return from_dict(LabConfig, override(read(path), overrides))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def without_cure(config: LabConfig) -> LabConfig:
    """The same with the plain game of its loss: no penalty, no noise, one step a player."""
    game = GameOptions(loss=config.model.game.loss)
    return replace(config, model=replace(config.model, game=game))


def run_lab(config: LabConfig, seed: int | None = None) -> LabResult:
    """Train a GAN on fresh points of the modes at every step, and count the modes it finds.

    Args:
        config: The experiment.
        seed: Of weights, data and noise; default the configuration's.
    """
    train = config.train if seed is None else replace(config.train, seed=seed)
    density, rng = MODES[config.modes], torch.Generator().manual_seed(train.seed)
    fabric = parallel.start(train)
    with streams.threads(train.threads), seeded(train.seed, fabric.device):
        model = PlaneGAN(config.model).to(fabric.device)
        descent = Descent(model, train, fabric, rng=rng)
        shots: list[tuple[int, Tensor]] = []
        step, steps, start, means = 0, config.steps, time.monotonic(), Means()
        left = train.fit_minutes
        while step < steps:
            batch = model.prepare(density.sample(train.batch_size, rng=rng)).to(fabric.device)
            failed = descent.step([(batch, 1.0)], step, steps, means)
            if failed is not None:
                raise streams.TrainingDiverged(f"the loss `{failed}` is not finite at {step}")
            step += 1
            if left is not None:
                possible = steps_that_fit(step, time.monotonic() - start, left)
                if possible is not None:
                    steps, left = min(steps, possible), None
            if step * config.shots >= steps * (len(shots) + 1):
                shots.append((step, _samples(descent.weights, train.seed)[:1000]))
        seconds = time.monotonic() - start
        weights = {"raw": model} | ({} if descent.average is None else {"ema": descent.weights})
        figures = {
            name: mode_figures(_samples(each, train.seed), density.places, density.spread)
            for name, each in weights.items()
        }
    return LabResult(train.seed, figures, tuple(shots), step, seconds)


def _samples(model: torch.nn.Module, seed: int) -> Tensor:
    assert isinstance(model, PlaneGAN)
    # The same noise for all: what differs are the weights.
    return model.sample(SAMPLES, rng=torch.Generator().manual_seed(seed)).cpu()
