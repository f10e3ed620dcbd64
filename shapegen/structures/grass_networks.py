"""GRASS's recursive networks, run level by level over a whole batch of trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from shapegen.core.gaussian import DiagGaussian
from shapegen.structures.merge_batch import MergeBatch

BOX_DIM, SYM_DIM, NUM_KINDS = 12, 8, 3

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "gelu": functional.gelu,
}


class Branch(nn.Module):
    """Two linear layers, ``out(act(hidden(x) + context(z)))``; the caller ends with an activation.

    Args:
        inputs: Length of ``x``.
        hidden: Length between the layers.
        outputs: Length of the result.
        activation: Key of :data:`ACTIVATIONS`.
        context: Length of the root code that is added between the layers; 0 for none.
        parts: Lengths that ``inputs`` is the sum of, each initialised as if it were the whole
            input, as the authors' side-by-side layers are.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        activation: str,
        *,
        context: int = 0,
        parts: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.context = nn.Linear(context, hidden, bias=False) if context else None
        self.out = nn.Linear(hidden, outputs)
        self.activation = ACTIVATIONS[activation]
        with torch.no_grad():
            for block in self.hidden.weight.split(list(parts), dim=1) if parts else ():
                block.uniform_(-(block.shape[1] ** -0.5), block.shape[1] ** -0.5)

    def contexts(self, z: Tensor) -> Tensor | None:
        """What a root code adds to the hidden layer: one row a shape, made once a batch."""
        return None if self.context is None else self.context(z)

    def forward(
        self, x: Tensor, contexts: Tensor | None = None, shape: Tensor | None = None
    ) -> Tensor:
        """Outputs of rows ``x``; row i belongs to shape ``shape[i]`` of the contexts."""
        hidden = self.hidden(x)
        if contexts is not None:
            hidden = hidden + (contexts if shape is None else contexts.index_select(0, shape))
        return self.out(self.activation(hidden))


class Folding(nn.Module):
    """Fold every tree, leaves to root, into a feature; what is read off it is a subclass's own.

    Args:
        feature_dim: Length of a feature.
        hidden_dim: Length of hidden layers.
        activation: Key of :data:`ACTIVATIONS`.
        box_hidden: A hidden layer between a box and its feature.
    """

    def __init__(
        self, feature_dim: int, hidden_dim: int, activation: str, *, box_hidden: bool = False
    ) -> None:
        super().__init__()
        f, h = feature_dim, hidden_dim
        self.feature_dim = f
        self.activation = ACTIVATIONS[activation]
        self.box = Branch(BOX_DIM, h, f, activation) if box_hidden else nn.Linear(BOX_DIM, f)
        self.adj = Branch(2 * f, h, f, activation, parts=(f, f))
        self.sym = Branch(f + SYM_DIM, h, f, activation, parts=(f, SYM_DIM))
        self.root = nn.Linear(f, h)

    def features(self, batch: MergeBatch) -> Float[Tensor, "shapes feature"]:
        """Root feature of every tree."""
        boxes = self.activation(self.box(batch.boxes)).split([v.num_box for v in batch.levels])
        syms = batch.syms.split([level.num_sym for level in batch.levels])
        below = boxes[0][:0]
        for level, box, sym in reversed(list(zip(batch.levels, boxes, syms, strict=True))):
            parts = []
            if level.num_adj:
                pairs = below[: 2 * level.num_adj].reshape(level.num_adj, -1)  # (n, 2 F)
                parts.append(self.activation(self.adj(pairs)))
            if level.num_sym:
                generators = below[2 * level.num_adj :]
                parts.append(self.activation(self.sym(torch.cat([generators, sym], dim=1))))
            if level.num_box:
                parts.append(box)
            below = permute(torch.cat(parts), level.inverse, level.permutation)
        return below

    def hidden(self, batch: MergeBatch) -> Float[Tensor, "shapes hidden"]:
        """What the root feature of every tree tells."""
        told: Tensor = self.activation(self.root(self.features(batch)))
        return told


class RecursiveEncoder(Folding):
    """A Gaussian over the root code of every tree."""

    def __init__(
        self, feature_dim: int, hidden_dim: int, activation: str, *, box_hidden: bool = False
    ) -> None:
        super().__init__(feature_dim, hidden_dim, activation, box_hidden=box_hidden)
        self.mean = nn.Linear(hidden_dim, feature_dim)
        self.logvar = nn.Linear(hidden_dim, feature_dim)

    def forward(self, batch: MergeBatch) -> DiagGaussian:
        """Posterior over the root code of every tree."""
        hidden = self.hidden(batch)
        return DiagGaussian(self.mean(hidden), self.logvar(hidden))


class Decoded(NamedTuple):
    """What the decoder says of the nodes of a batch, in the batch's order."""

    kinds: Float[Tensor, "nodes 3"]
    """Logits of BOX, ADJ, SYM."""
    boxes: Float[Tensor, "boxes 12"]
    syms: Float[Tensor, "syms 8"]
    folds: Float[Tensor, "syms classes"]
    """Logits of the symmetry's class; no column without that head."""
    labels: Float[Tensor, "boxes labels"]
    """Logits of the part's label; no column without that head."""


class RecursiveDecoder(nn.Module):
    """Unfold root codes into trees."""

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int,
        activation: str,
        *,
        context: bool = False,
        box_hidden: bool = False,
        bounded: bool = True,
        fold_classes: int = 0,
        num_labels: int = 0,
    ) -> None:
        super().__init__()
        f, h = feature_dim, hidden_dim
        c = f if context else 0
        self.feature_dim, self.bounded = f, bounded
        self.activation = ACTIVATIONS[activation]
        self.root = Branch(f, h, f, activation)
        self.adj = Branch(f, h, 2 * f, activation, context=c)
        self.sym = Branch(f, h, f + SYM_DIM + fold_classes, activation, context=c)
        self.kind = Branch(f, h, NUM_KINDS, activation, context=c)
        self.num_labels = num_labels
        outputs = BOX_DIM + num_labels
        self.box = (
            Branch(f, h, outputs, activation, context=c) if box_hidden else nn.Linear(f, outputs)
        )

    def root_features(self, z: Tensor) -> Float[Tensor, "shapes feature"]:
        """Features of the roots from the codes."""
        result: Tensor = self.activation(self.root(z))
        return result

    def contexts(self, z: Tensor) -> dict[str, Tensor | None]:
        """What the codes add to every branch, made once for all levels."""
        branches = {name: getattr(self, name) for name in ("adj", "sym", "kind", "box")}
        return {
            name: branch.contexts(z) if isinstance(branch, Branch) else None
            for name, branch in branches.items()
        }

    def unfold(
        self,
        features: Tensor,
        num_adj: int,
        num_sym: int,
        contexts: dict[str, Tensor | None],
        shape: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Features of the children of one level (as children) and the raw symmetry outputs."""
        f = self.feature_dim
        adj, sym = features[:num_adj], features[num_adj : num_adj + num_sym]
        below, raw = [], features.new_zeros(0, self.sym.out.out_features - f)
        if num_adj:
            pairs = self.adj(adj, contexts["adj"], shape[:num_adj])
            below.append(self.activation(pairs).view(2 * num_adj, f))
        if num_sym:
            out = self.sym(sym, contexts["sym"], shape[num_adj : num_adj + num_sym])
            below.append(self.activation(out[:, :f]))
            raw = out[:, f:]
        return (torch.cat(below) if below else features[:0]), raw

    def node_kinds(
        self, features: Tensor, contexts: dict[str, Tensor | None], shape: Tensor
    ) -> Float[Tensor, "nodes 3"]:
        """Logits of the three node types."""
        result: Tensor = self.kind(features, contexts["kind"], shape)
        return result

    def leaves(
        self, features: Tensor, contexts: dict[str, Tensor | None], shape: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Boxes and label logits of leaf features."""
        if isinstance(self.box, Branch):
            out = self.box(features, contexts["box"], shape)
        else:
            out = self.box(features)
        return self._bound(out[:, :BOX_DIM]), out[:, BOX_DIM:]

    def symmetries(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Symmetry vectors and fold logits of the raw outputs."""
        return self._bound(raw[:, :SYM_DIM]), raw[:, SYM_DIM:]

    def forward(self, z: Float[Tensor, "shapes feature"], batch: MergeBatch) -> Decoded:
        """Decode along the trees of ``batch`` (teacher forcing)."""
        features, contexts = self.root_features(z), self.contexts(z)
        shapes = batch.shape.split([sum(level.counts) for level in batch.levels])
        every, leaf, raw = [], [], []
        for level, shape in zip(batch.levels, shapes, strict=True):
            features = permute(features, level.permutation, level.inverse)
            every.append(features)
            leaf.append(features[level.num_adj + level.num_sym :])
            features, out = self.unfold(features, level.num_adj, level.num_sym, contexts, shape)
            raw.append(out)
        kinds = self.node_kinds(torch.cat(every), contexts, batch.shape)
        boxes, labels = self.leaves(torch.cat(leaf), contexts, batch.box_shape)
        syms, folds = self.symmetries(torch.cat(raw))
        return Decoded(kinds, boxes, syms, folds, labels)

    def _bound(self, values: Tensor) -> Tensor:
        return torch.tanh(values) if self.bounded else values


def permute(
    x: Float[Tensor, "nodes dim"], permutation: Int[Tensor, "nodes"], inverse: Int[Tensor, "nodes"]
) -> Float[Tensor, "nodes dim"]:
    """Rows of ``x`` in a new order; ``inverse`` undoes it."""
    apply: Callable[..., Tensor] = _Permute.apply
    return apply(x, permutation, inverse)


class _Permute(torch.autograd.Function):
    # index_select's own backward scatters into zeros; a permutation's is a plain gather.
    @staticmethod
    def forward(ctx: Any, x: Tensor, permutation: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(0, permutation)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (inverse,) = ctx.saved_tensors
        return grad.index_select(0, inverse), None, None
