"""A latent model as sliders: along which directions, how far, and what it decodes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shapegen.base import LatentModel
from shapegen.core.latent import principal_directions
from shapegen.scene import Scene

Float = NDArray[np.float64]

DRAWS = 1024
"""Latents of the prior that the directions are found in."""
REACH = 3.0
"""Standard deviations that a slider goes to either side."""


@dataclass(frozen=True, eq=False)
class Latents:
    """A model as a viewer needs it."""

    decode: Callable[[Float], Scene]
    """The scene of a latent ``(d,)``."""
    draw: Callable[[], Float]
    """A new latent of the prior."""
    directions: Float
    """``(k, d)``: unit vectors that the sliders go along."""
    spread: Float
    """``(k,)``: a standard deviation along each."""


class Explorer:
    """A place among the latents: a draw of the prior, and steps from it along the directions.

    Args:
        latents: Of a model.
    """

    def __init__(self, latents: Latents) -> None:
        self.latents = latents
        self.steps = np.zeros(len(latents.spread))
        """``(k,)`` in standard deviations, to be set."""
        self._start = latents.draw()

    def resample(self) -> None:
        """Start from another draw, without steps."""
        self._start = self.latents.draw()
        self.steps[:] = 0.0

    def scene(self) -> Scene:
        """What lies at this place."""
        moved = (self.steps * self.latents.spread) @ self.latents.directions
        return self.latents.decode(self._start + moved)


def latents_of(model: LatentModel, *, count: int = 8, seed: int = 0) -> Latents:
    """Take a model apart for a viewer.

    The sliders go along the principal directions of draws from the prior: those of the training
    codes where the prior was fitted to them, orthogonal ones at random where it is a standard
    normal.

    Args:
        model: In eval mode.
        count: How many directions.
        seed: Of the draws, and of the noise with which every latent is decoded.
    """
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        latents = model.sample_latent(DRAWS, rng=rng)
    directions, spread = principal_directions(latents, count)

    def decode(latent: Float) -> Scene:
        # The same noise for every latent: what changes on the screen is what the slider changed.
        noise = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            z = torch.as_tensor(latent, dtype=latents.dtype, device=latents.device)
            scene: Scene = model.decode(z[None], rng=noise).to_scene()
        return scene

    def draw() -> Float:
        with torch.no_grad():
            return np.asarray(model.sample_latent(1, rng=rng)[0].double().cpu().numpy())

    return Latents(decode, draw, directions.double().cpu().numpy(), spread.double().cpu().numpy())
