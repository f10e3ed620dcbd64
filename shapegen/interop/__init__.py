"""The original repositories' checkpoints, read without running their code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shapegen.base import GenerativeModel
from shapegen.interop.graf import load_graf
from shapegen.interop.grass import load_grass
from shapegen.interop.part_geometry import load_partgeometry
from shapegen.interop.pointflow import load_pointflow
from shapegen.interop.structurenet import load_structurenet

Checkpoint = Mapping[str, Any] | Sequence[Any] | str | Path

LOADERS: dict[str, Callable[..., GenerativeModel]] = {
    "graf": load_graf,
    "grass": load_grass,
    "partgeometry": load_partgeometry,
    "pointflow": load_pointflow,
    "structurenet": load_structurenet,
}


def load_official(name: str, checkpoint: Checkpoint, **config: Any) -> GenerativeModel:
    """Load an official checkpoint into our model of the same name, in eval mode.

    Args:
        name: ``"grass"``, ``"structurenet"`` (boxes or point clouds), ``"partgeometry"``,
            ``"pointflow"`` or ``"graf"``.
        checkpoint: State dicts, or a path to them (``.safetensors``, or a ``torch.save`` file that
            ``weights_only=True`` can read). PointFlow: one state dict, bare or as ``{"model":
            ...}``. GRAF: ``{"generator": state dict, "discriminator": state dict or None}``, or
            the original's file of them. The others: ``{"encoder": state dict, "decoder": state
            dict}``, a pair of the two, or a folder that holds a file of either.
        **config: Fields of the model's config; sizes are read off the weights. StructureNet needs
            ``vocabulary=[full labels]``; PointFlow takes ``mean`` and ``std``, the training
            data's, as numbers or ``.npy`` files.

    Raises:
        ValueError: An unknown name, a missing or misshaped tensor, or a pickle that needs code.
    """
    if name not in LOADERS:
        raise ValueError(f"no official checkpoints of {name!r} are read; known: {sorted(LOADERS)}")
    return LOADERS[name](checkpoint, **config)
