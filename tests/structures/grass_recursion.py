"""GRASS one node at a time, straight from the paper: what the level-wise code must equal."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shapegen.structures.grass import GRASS, GRASSConfig, corner_error
from shapegen.structures.grass_decoding import Limits, decode_free, exact_types
from shapegen.structures.grass_networks import Branch, Folding
from shapegen.structures.merge_batch import MergeData
from shapegen.structures.merge_tree import ADJ, BOX, SYM, MergeTree

SIZES = {"feature_dim": 6, "hidden_dim": 9}
SETTINGS = {
    "official": GRASSConfig.official(**SIZES),
    "ours": GRASSConfig(**SIZES, components=2, max_folds=5, labels=("a", "b"), kl_weight=0.3),
}


def random_tree(rng: np.random.Generator, depth: int) -> MergeTree:
    """Post-order by recursion; ADJ pops its left child first, so it comes last."""
    boxes, syms, labels = [], [], []

    def grow(depth: int) -> list[int]:
        kind = BOX if depth == 0 else int(rng.choice([BOX, ADJ, ADJ, SYM]))
        if kind == BOX:
            boxes.append(rng.normal(size=12))
            labels.append("ab"[int(rng.integers(2))])
            return [BOX]
        if kind == ADJ:
            return [*grow(depth - 1), *grow(depth - 1), ADJ]
        below = grow(depth - 1)
        type_ = float(rng.integers(-1, 2))
        folds = 1 / int(rng.integers(2, 6)) if type_ == -1 else 0.0
        syms.append([type_, *rng.normal(size=6), folds])
        return [*below, SYM]

    ops = grow(depth)
    return MergeTree(np.array(ops), np.array(boxes), np.array(syms).reshape(-1, 8), tuple(labels))


def build(setting: str, **changes: Any) -> GRASS:
    torch.manual_seed(1)
    model = GRASS(replace(SETTINGS[setting], **changes)).double()
    with torch.no_grad():  # far from symmetric: a swapped child must show
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def prepared(model: GRASS, trees: list[MergeTree]) -> MergeData:
    numbers = [{"a": 0, "b": 1}[name] for tree in trees for name in tree.labels]
    labels = np.array(numbers) if model.config.labels else None
    data = MergeData(trees, labels=labels)
    data._boxes, data._syms = data._boxes.double(), data._syms.double()
    return data


def branch(
    net: nn.Module, x: Tensor, z: Tensor | None, activation: Callable[[Tensor], Tensor]
) -> Tensor:
    if not isinstance(net, Branch):
        return net(x)
    hidden = net.hidden(x)
    if net.context is not None:
        hidden = hidden + net.context(z)
    return net.out(activation(hidden))


def numbers(tree: MergeTree) -> tuple[Tensor, Tensor]:
    """Boxes and symmetries as the batches hold them."""
    return tuple(
        torch.from_numpy(rows.astype(np.float32)).double() for rows in (tree.boxes, tree.syms)
    )


def recursive_feature(net: Folding, tree: MergeTree, box: Tensor, sym: Tensor) -> Tensor:
    """The feature that one tree is folded into, one node at a time."""
    act, children = net.activation, tree.children()
    rows = {kind: np.cumsum(tree.ops == kind) - 1 for kind in (BOX, SYM)}

    def encode(node: int) -> Tensor:
        if tree.ops[node] == BOX:
            return act(branch(net.box, box[rows[BOX][node]], None, act))
        below = [encode(child) for child in children[node]]
        if tree.ops[node] == ADJ:
            return act(branch(net.adj, torch.cat(below), None, act))
        return act(branch(net.sym, torch.cat([*below, sym[rows[SYM][node]]]), None, act))

    return encode(len(tree) - 1)


def recursive_losses(model: GRASS, tree: MergeTree, eps: Tensor) -> dict[str, Tensor]:
    """One tree, one node at a time, straight from the paper."""
    config, encoder, decoder = model.config, model.encoder, model.decoder
    act = encoder.activation
    children = tree.children()
    rows = {kind: np.cumsum(tree.ops == kind) - 1 for kind in (BOX, SYM)}
    box, sym = numbers(tree)
    hidden = act(encoder.root(recursive_feature(encoder, tree, box, sym)))
    mean, logvar = encoder.mean(hidden), encoder.logvar(hidden)
    z = mean + torch.exp(logvar / 2) * eps
    losses = {name: torch.zeros((), dtype=torch.float64) for name in ("box", "sym", "kind")}
    losses["folds"] = losses["label"] = losses["box"]
    bound = torch.tanh if config.bounded else (lambda x: x)
    f = config.feature_dim

    def decode(node: int, feature: Tensor) -> None:
        kind = int(tree.ops[node])
        logits = branch(decoder.kind, feature, z, act)
        losses["kind"] = losses["kind"] - config.kind_weight * logits.log_softmax(0)[kind]
        if kind == ADJ:
            out = act(branch(decoder.adj, feature, z, act))
            decode(children[node][0], out[:f])
            decode(children[node][1], out[f:])
        elif kind == SYM:
            out, true = branch(decoder.sym, feature, z, act), sym[rows[SYM][node]]
            error = (bound(out[f : f + 8]) - true).square().mean()
            losses["sym"] = losses["sym"] + config.sym_weight * error
            if config.max_folds:
                number = {1.0: 0, 0.0: 1, -1.0: round(1 / max(float(true[7]), 1e-6))}[
                    float(true[0])
                ]
                losses["folds"] = (
                    losses["folds"] - config.kind_weight * out[f + 8 :].log_softmax(0)[number]
                )
            decode(children[node][0], act(out[:f]))
        else:
            out, true = branch(decoder.box, feature, z, act), box[rows[BOX][node]]
            found = bound(out[:12])
            error = (
                corner_error(found[None], true[None])[0]
                if config.box_loss == "corners"
                else (found - true).square().mean()
            )
            losses["box"] = losses["box"] + config.box_weight * error
            if config.labels:
                number = config.labels.index(tree.labels[rows[BOX][node]])
                losses["label"] = (
                    losses["label"] - config.label_weight * out[12:].log_softmax(0)[number]
                )

    decode(len(tree) - 1, act(branch(decoder.root, z, None, act)))
    losses["kl"] = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum()
    return losses


def recursive_decode(model: GRASS, z: Tensor) -> MergeTree:
    """The authors' stack decoder, one node at a time."""
    decoder, act, f = model.decoder, model.decoder.activation, model.config.feature_dim
    bound = torch.tanh if model.config.bounded else (lambda x: x)
    boxes, syms, labels = [], [], []

    def grow(feature: Tensor) -> list[int]:
        kind = int(branch(decoder.kind, feature, z, act).argmax())
        if kind == ADJ:
            out = act(branch(decoder.adj, feature, z, act))
            return [*grow(out[f:]), *grow(out[:f]), ADJ]
        if kind == SYM:
            out = branch(decoder.sym, feature, z, act)
            below = grow(act(out[:f]))
            syms.append(exact_types(bound(out[None, f : f + 8]), out[None, f + 8 :])[0].numpy())
            return [*below, SYM]
        out = branch(decoder.box, feature, z, act)
        boxes.append(bound(out[:12]).numpy())
        if model.config.labels:
            labels.append(model.config.labels[int(out[12:].argmax())])
        return [BOX]

    with torch.no_grad():
        ops = grow(act(branch(decoder.root, z, None, act)))
    return MergeTree(np.array(ops), np.array(boxes), np.array(syms).reshape(-1, 8), tuple(labels))


def terminating_codes(model: GRASS, count: int) -> Tensor:
    z = torch.randn(4000, model.latent_dim, dtype=torch.float64)
    decoded = decode_free(model.decoder, z, Limits(depth=12, nodes=60))
    sizes = np.bincount(decoded.shape)
    rows = np.flatnonzero(decoded.complete & (sizes > 3))[:count]
    assert len(rows) == count
    return z[torch.from_numpy(rows)]
