"""A small variational autoencoder of vectors: the engine's tests train it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from shapegen.base import Autoencoder
from shapegen.core.objective import Objective
from shapegen.registry import Entry

ENTRY = Entry(
    module="tests.toy_model",
    model="Toy",
    config="ToyConfig",
    family="tests",
    summary="an autoencoder of vectors",
    capabilities=("encode",),
    paper="none",
)


@dataclass(frozen=True)
class ToyConfig:
    width: int = 16
    latent_dim: int = 2
    noise: float = 0.1
    dropout: float = 0.0
    activation: Literal["tanh", "relu"] = "tanh"
    labels: tuple[str, ...] = ()
    tied: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be at least 1; got {self.width}")


class Vectors(Sequence[Tensor]):
    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index] if isinstance(index, int) else Vectors(self.values[index])

    def to_scene(self) -> Any:
        from shapegen.scene import Boxes, Node, Scene

        boxes = np.array([[x, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0] for x in self.values[:, 0]])
        return Scene((Node("toy", primitive=Boxes(boxes)),))

    def write(self, path: str | Path) -> None:
        raise NotImplementedError


class Toy(Autoencoder):
    name: ClassVar[str] = "toy"
    NUM: ClassVar[int] = 4

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        act = nn.Tanh() if config.activation == "tanh" else nn.ReLU()
        self.encoder = nn.Sequential(
            nn.Linear(self.NUM, config.width),
            act,
            nn.Dropout(config.dropout),
            nn.Linear(config.width, config.latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(config.latent_dim, config.width), act, nn.Linear(config.width, self.NUM)
        )
        if config.tied:
            self.decoder[2].weight = nn.Parameter(self.encoder[0].weight.detach().clone().T)
            self.also = self.decoder[2]
        self.register_buffer("latent_mean", torch.zeros(config.latent_dim))

    @property
    def latent_dim(self) -> int:
        return int(self.config.latent_dim)

    def prepare(self, shapes: Any) -> Tensor:
        if not isinstance(shapes, Vectors):
            raise ValueError(f"shapes must be Vectors; got {type(shapes).__name__}")
        return shapes.values

    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        def loss(batch: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
            z = self.encoder(batch)
            if self.config.noise:
                z = z + self.config.noise * torch.randn(z.shape, generator=rng)
            error = (self.decoder(z) - batch).square().mean()
            size = z.square().mean()
            return error + 1e-3 * size, {"error": error, "size": size}

        return (Objective("vae", self, loss),)

    def calibrate(self, prepared: Tensor, *, rng: torch.Generator | None = None) -> None:
        # It draws, as a fit of clusters would: no draw may be felt by the training.
        chosen = torch.randperm(len(prepared), generator=rng)[: len(prepared) // 2]
        torch.rand(3)
        self.latent_mean.copy_(self.encoder(prepared[chosen]).mean(0))

    def encode(self, shapes: Any) -> Tensor:
        with torch.no_grad():
            return self.encoder(torch.stack(list(shapes)))

    def sample_latent(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        return self.latent_mean + torch.randn(n, self.latent_dim, generator=rng)

    def decode(self, z: Tensor, *, rng: torch.Generator | None = None) -> Vectors:
        with torch.no_grad():
            return Vectors(self.decoder(z))


def vectors(n: int, seed: int = 0) -> Vectors:
    """Points of a curved surface in four dimensions."""
    rng = torch.Generator().manual_seed(seed)
    u, v = torch.rand(2, n, generator=rng) * 2 - 1
    return Vectors(torch.stack([u, v, u * v, u.square()], 1))
