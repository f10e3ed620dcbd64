"""What a model asks the training loop to minimise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Loss = Callable[[Any, int], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Objective:
    """One loss and the module whose parameters it trains: a VAE has one, a GAN has two."""

    name: str
    """Key in logs and checkpoints, unique within a model."""
    module: nn.Module
    """Its parameters, and no others, get this objective's optimiser."""
    loss: Loss
    """``loss(batch, step)`` gives the scalar to minimise and scalar terms to log (the same ones at
    every step), all means over the batch's shapes, in the units that the model states."""
    every: int = 1
    """Steps from one of its own to the next: its optimiser acts at the last of so many."""
