"""What a part of StructureNet is: the one thing in which its variants differ.

The hierarchy (levels, matching, existence, labels, relations, free decoding) knows a part as a row
of numbers only. A head gives the rows, the networks that read and write them, and the losses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from shapegen.structures.structurenet_matching import Matched
from shapegen.structures.tree_batch import Siblings, TreeBatch


class Parts(NamedTuple):
    """Parts as shapes have them."""

    boxes: Float[Tensor, "n 12"]
    points: Float[Tensor, "n points 3"] | None = None


class NodeHead(nn.Module, ABC):
    """Networks, costs and losses of one kind of part."""

    @property
    @abstractmethod
    def loss_weights(self) -> Mapping[str, float]:
        """Weights of those of the head's losses that the model's ``LossWeights`` do not name."""

    @abstractmethod
    def encoder(self) -> nn.Module:
        """Make the network from rows of leaves ``(n, row)`` to features ``(n, feature)``."""

    @abstractmethod
    def decoder(self) -> nn.Module:
        """Make the network from latents ``(..., feature)`` to rows ``(..., row)``."""

    @abstractmethod
    def rows(self, batch: TreeBatch) -> Float[Tensor, "nodes row"]:
        """The true rows of all nodes."""

    @abstractmethod
    def costs(
        self,
        slots: Float[Tensor, "parents slots row"],
        rows: Float[Tensor, "nodes row"],
        batch: TreeBatch,
        siblings: Siblings,
    ) -> Float[Tensor, "children slots"]:
        """What it costs to match the nodes of a level to their parents' slots; no gradients."""

    @abstractmethod
    def part_losses(
        self, found: Matched, rows: Float[Tensor, "nodes row"], batch: TreeBatch
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """Losses of the parts themselves, unweighted sums over the nodes of every shape."""

    @abstractmethod
    def relation_losses(
        self, found: Matched, batch: TreeBatch
    ) -> dict[str, Float[Tensor, "shapes"]]:
        """``sym`` and ``adj``: how far the predicted parts are from their true relations."""

    @abstractmethod
    def parts(self, rows: Float[Tensor, "n row"]) -> Parts:
        """What decoded rows stand for."""
