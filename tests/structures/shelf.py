"""A StructureNet whose codes are numbers of shapes on a shelf: decoding is looking one up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from shapegen.structures.part_tree import PartTree, PartTrees
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.vocabulary import vocabulary_of


class Found(NamedTuple):
    trees: PartTrees
    complete: np.ndarray

    def part_trees(self) -> PartTrees:
        return self.trees


class Shelf(StructureNet):
    """Shapes by the first number of a code, rounded; the prior is uniform over them."""

    def __init__(self, shapes: Sequence[PartTree]) -> None:
        labels = vocabulary_of(shapes).labels
        super().__init__(
            StructureNetConfig(
                labels=labels, feature_dim=4, hidden_dim=4, max_children=20, components=1
            )
        )
        self.shapes = list(shapes)

    def encode(self, shapes: Sequence[PartTree]) -> Tensor:
        names = [shape.name for shape in self.shapes]
        return torch.stack([self.code(names.index(shape.name)) for shape in shapes])

    def sample_latent(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        numbers = torch.randint(len(self.shapes), (n,), generator=rng)
        return torch.stack([self.code(int(number)) for number in numbers])

    def decode_structures(self, z: Tensor, *, limits: Any = None) -> Any:
        numbers = z[:, 0].round().long().clamp(0, len(self.shapes) - 1).tolist()
        return Found(
            PartTrees([self.shapes[number] for number in numbers]), np.ones(len(z), dtype=bool)
        )

    def code(self, number: int) -> Tensor:
        return torch.tensor([float(number), 0.0, 0.0, 0.0])
