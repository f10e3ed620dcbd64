"""Checkpoints of kevin-kaixu/grass_pytorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from shapegen.interop.fused import Joined, Pair, fused_state, load_fused, matrix, two_states
from shapegen.structures.grass import GRASS
from shapegen.structures.grass_config import GRASSConfig
from shapegen.structures.grass_networks import SYM_DIM

# The symmetry encoder acts on two inputs: dimension 1. See :data:`shapegen.interop.fused.Joined`.
ENCODER: Joined = {
    "box": (("box_encoder.encoder",), 0),
    "adj.hidden": (("adj_encoder.left", "adj_encoder.right"), 1),
    "adj.out": (("adj_encoder.second",), 0),
    "sym.hidden": (("sym_encoder.left", "sym_encoder.right"), 1),
    "sym.out": (("sym_encoder.second",), 0),
    "root": (("sample_encoder.mlp1",), 0),
    "mean": (("sample_encoder.mlp2mu",), 0),
    "logvar": (("sample_encoder.mlp2var",), 0),
}
DECODER: Joined = {
    "root.hidden": (("sample_decoder.mlp1",), 0),
    "root.out": (("sample_decoder.mlp2",), 0),
    "adj.hidden": (("adj_decoder.mlp",), 0),
    "adj.out": (("adj_decoder.mlp_left", "adj_decoder.mlp_right"), 0),
    "sym.hidden": (("sym_decoder.mlp",), 0),
    "sym.out": (("sym_decoder.mlp_sg", "sym_decoder.mlp_sp"), 0),
    "box": (("box_decoder.mlp",), 0),
    "kind.hidden": (("node_classifier.mlp1",), 0),
    "kind.out": (("node_classifier.mlp2",), 0),
}
PARTS = {"encoder": ENCODER, "decoder": DECODER}


def load_grass(checkpoint: Pair, **config: Any) -> GRASS:
    """Load an encoder and a decoder, or a folder of the two, as ``compat="official"``.

    The model then encodes shapes as if they faced +x, where the authors' chairs face, and the
    trees that it decodes say so (``PartTree.front``); their numbers are the original's.
    """
    encoder, decoder = two_states(checkpoint)
    sizes = {
        "feature_dim": matrix(encoder, "box_encoder.encoder.weight").shape[0],
        "hidden_dim": matrix(encoder, "adj_encoder.left.weight").shape[0],
    }
    model = GRASS(GRASSConfig.official(**(sizes | config)))
    state = fused_state(encoder, ENCODER, "encoder") | fused_state(decoder, DECODER, "decoder")
    return load_fused(model, state)


def split_official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cut tensors named like our parameters (weights, gradients) into the original's pieces.

    Names get the prefix ``encoder.`` or ``decoder.``. The two biases of the original's symmetry
    encoder act as their sum, so both get ours: right for gradients.
    """
    out: dict[str, Tensor] = {}
    for part, joined in PARTS.items():
        for ours, (names, dim) in joined.items():
            weight, bias = tensors[f"{part}.{ours}.weight"], tensors[f"{part}.{ours}.bias"]
            sizes = _piece_sizes(names, weight, dim)
            for name, piece in zip(names, weight.split(sizes, dim), strict=True):
                out[f"{part}.{name}.weight"] = piece
            biases = bias.split(sizes) if dim == 0 else [bias] * len(names)
            for name, piece in zip(names, biases, strict=True):
                if name != "adj_encoder.right":  # it has none
                    out[f"{part}.{name}.bias"] = piece
    return out


def _piece_sizes(names: tuple[str, ...], weight: Tensor, dim: int) -> list[int]:
    if len(names) == 1:
        return [weight.shape[dim]]
    if names[-1] in ("sym_encoder.right", "sym_decoder.mlp_sp"):
        return [weight.shape[dim] - SYM_DIM, SYM_DIM]
    return [weight.shape[dim] // 2] * 2
