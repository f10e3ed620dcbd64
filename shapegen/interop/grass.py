"""Checkpoints of kevin-kaixu/grass_pytorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shapegen.interop.weight_files import as_state_dict, find_file, read_state_dict
from shapegen.structures.grass import GRASS, GRASSConfig
from shapegen.structures.grass_networks import SYM_DIM

Joined = dict[str, tuple[tuple[str, ...], int]]

# Ours on the left. Where the original applies two layers side by side, ours is one: to two inputs
# (the weights are columns of ours, dimension 1) or for two outputs (rows, dimension 0).
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


def load_grass(checkpoint: Mapping[str, Any] | str | Path, **config: Any) -> GRASS:
    """Load ``{"encoder": ..., "decoder": ...}``, or a folder of the two, as ``compat="official"``.

    The model then encodes shapes as if they faced +x, where the authors' chairs face, and the
    trees that it decodes say so (``PartTree.front``); their numbers are the original's.
    """
    states = _states(checkpoint)
    encoder, decoder = states["encoder"], states["decoder"]
    sizes = {
        "feature_dim": _matrix(encoder, "box_encoder.encoder.weight").shape[0],
        "hidden_dim": _matrix(encoder, "adj_encoder.left.weight").shape[0],
    }
    model = GRASS(GRASSConfig.official(**(sizes | config)))
    state = _joined(encoder, "encoder") | _joined(decoder, "decoder")
    expected = model.state_dict()
    for name, value in expected.items():
        if name not in state:
            raise ValueError(f"the checkpoint has nothing for {name}")
        if state[name].shape != value.shape:
            raise ValueError(
                f"{name} must be {tuple(value.shape)}; got {tuple(state[name].shape)}"
            )
    model.load_state_dict(state)
    return model.eval()


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


def _joined(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    used = set()
    for ours, (names, dim) in PARTS[part].items():
        weights = [_matrix(state, f"{name}.weight") for name in names]
        biases = [state[f"{name}.bias"] for name in names if f"{name}.bias" in state]
        if not biases:
            raise ValueError(f"the checkpoint lacks {names[0]}.bias")
        used |= {f"{name}.{kind}" for name in names for kind in ("weight", "bias")}
        out[f"{part}.{ours}.weight"] = torch.cat(weights, dim)
        out[f"{part}.{ours}.bias"] = torch.cat(biases) if dim == 0 else torch.stack(biases).sum(0)
    unknown = sorted(set(state) - used)
    if unknown:
        raise ValueError(f"the checkpoint's {part} has unknown tensors: {unknown[:3]}")
    return out


def _matrix(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise ValueError(f"the checkpoint lacks {name}; it has {sorted(state)[:3]} ...")
    if state[name].ndim != 2:
        raise ValueError(f"{name} must be a matrix; got {tuple(state[name].shape)}")
    return state[name]


def _states(checkpoint: Mapping[str, Any] | str | Path) -> dict[str, dict[str, Tensor]]:
    if isinstance(checkpoint, Mapping):
        if set(checkpoint) != set(PARTS):
            raise ValueError(f"give {sorted(PARTS)}; got {sorted(map(str, checkpoint))}")
        return {
            part: read_state_dict(content)
            if isinstance(content, str | Path)
            else as_state_dict(content, part)
            for part, content in checkpoint.items()
        }
    folder = Path(checkpoint)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder} with an encoder's and a decoder's file")
    return {part: read_state_dict(find_file(folder, part)) for part in PARTS}
