"""Checkpoints of daerduoCarey/structurenet, of boxes and of point clouds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from shapegen.config import from_dict
from shapegen.interop.fused import (
    Joined,
    Pair,
    fused_state,
    load_fused,
    matrix,
    two_sources,
    two_states,
)
from shapegen.interop.namespaces import read_namespace
from shapegen.interop.part_geometry import part_state, taken_out
from shapegen.structures.part_geometry import PartGeometryConfig
from shapegen.structures.structurenet import StructureNet, StructureNetConfig
from shapegen.structures.structurenet_points import GeometryConfig

# The original's names of settings in its ``conf.pth``, and ours.
SETTINGS = {
    "node_symmetric_type": "node_pool",
    "edge_symmetric_type": "edge_pool",
    "edge_types": "edge_kinds",
}
BUFFERS = ("anchor", "unit_cube")


def load_structurenet(
    checkpoint: Pair,
    *,
    vocabulary: Sequence[str] = (),
    **config: Any,
) -> StructureNet:
    """Load an encoder and a decoder, or a folder of the two, as ``compat="official"``.

    Args:
        checkpoint: State dicts or files of them. The authors' ``conf.pth`` may lie beside the
            files: it is read without executing it, for what the weights do not tell.
        vocabulary: Full labels in the order of the authors' ids, without the id.
        **config: Fields of :class:`StructureNetConfig`, which win over ``conf.pth``; sizes are
            read off the weights.

    Raises:
        FileNotFoundError: No such folder or file.
        ValueError: A vocabulary of another length, a missing, unknown or misshaped tensor, or
            settings that are none of ours.
    """
    sources = two_sources(checkpoint)
    encoder, decoder = two_states(sources)
    part, encoder, decoder = _part(encoder, decoder)
    hidden, feature = matrix(decoder, "sample_decoder.mlp1.weight").shape
    parents = matrix(decoder, "child_decoder.mlp_parent.weight").shape[0]
    if not hidden or not parents or parents % hidden:
        raise ValueError(
            "child_decoder.mlp_parent.weight must have rows for whole children, a multiple of "
            f"{hidden}; got {parents}"
        )
    classes = matrix(decoder, "child_decoder.mlp_sem.weight").shape[0]
    encoder_passes = _count(encoder, "node_edge_op")
    decoder_passes = _count(decoder, "node_edge_op")
    kinds = _count(decoder, "mlp_edge_exists")
    given = config.pop("labels", vocabulary)
    labels = (given,) if isinstance(given, str) else tuple(given)
    if len(labels) != classes - 1:
        raise ValueError(
            f"the checkpoint knows {classes - 1} labels: give vocabulary=[full labels] of that "
            f"length; got {len(labels)}"
        )
    found: dict[str, Any] = {
        "labels": labels,
        "feature_dim": feature,
        "hidden_dim": hidden,
        "max_children": parents // hidden,
        "encoder_passes": encoder_passes,
        "decoder_passes": decoder_passes,
    }
    if part is not None:
        found["geometry"] = GeometryConfig(part=PartGeometryConfig(**part[0]))
    settings = found | _settings(sources[0]) | config
    checked = from_dict(StructureNetConfig, settings)
    model = StructureNet(
        StructureNetConfig.official(**{name: getattr(checked, name) for name in settings})
    )
    if len(model.config.edge_kinds) != kinds:
        raise ValueError(
            f"the checkpoint knows {kinds} kinds of relations: give edge_kinds=[...] of that "
            f"length; got {[str(kind) for kind in model.config.edge_kinds]}"
        )
    if len(model.table.roots) != 1:
        raise ValueError(
            "the authors' models know one category: one label without a /; got "
            f"{list(model.table.vocabulary.roots)}"
        )
    layers = layers_of(encoder_passes, decoder_passes, kinds, points=part is not None)
    state = fused_state(encoder, layers["encoder"], "encoder")
    state |= fused_state(decoder, layers["decoder"], "decoder", unused=BUFFERS)
    if part is not None:
        state |= {f"head.geometry.{name}": value for name, value in part[1].items()}
    return load_fused(model, state)


def _part(
    encoder: dict[str, Tensor], decoder: dict[str, Tensor]
) -> tuple[tuple[dict[str, Any], dict[str, Tensor]] | None, dict[str, Tensor], dict[str, Tensor]]:
    """The part autoencoder in a model of point clouds, and what is left of both states."""
    ours, encoder = taken_out(encoder, "node_encoder.part_encoder.")
    theirs, decoder = taken_out(decoder, "node_decoder.part_decoder.")
    return (part_state(ours, theirs) if ours or theirs else None), encoder, decoder


def layers_of(
    encoder_passes: int, decoder_passes: int, kinds: int, *, points: bool = False
) -> dict[str, Joined]:
    """Our layers of both networks, and the original's that they join.

    Args:
        encoder_passes: Rounds of messages.
        decoder_passes: The same.
        kinds: Of relations.
        points: Parts are point clouds, not boxes.
    """
    encoder = ["child_encoder.child_op", "child_encoder.parent_op"]
    encoder += [f"child_encoder.node_edge_op.{k}" for k in range(encoder_passes)]
    encoder += [f"sample_encoder.{name}" for name in ("mlp1", "mlp2mu", "mlp2var")]
    children = (
        "mlp_parent",
        "mlp_exists",
        "mlp_edge_latent",
        "mlp_child",
        "mlp_sem",
        "mlp_child2",
    )
    decoder = [f"child_decoder.{name}" for name in children]
    decoder += [f"child_decoder.node_edge_op.{k}" for k in range(decoder_passes)]
    decoder += ["sample_decoder.mlp1", "sample_decoder.mlp2"]
    decoder += ["leaf_classifier.mlp1", "leaf_classifier.mlp2"]
    heads = tuple(f"child_decoder.mlp_edge_exists.{k}" for k in range(kinds))
    joined = {"child_decoder.mlp_edge_exists": (heads, 0)}
    alike: Joined = {}
    if points:
        part = tuple(f"node_decoder.mlp{k}" for k in (1, 2, 3))
        alike = {
            f"box_encoder.{name}": ((f"node_encoder.{name}",), 0) for name in ("mlp1", "mlp2")
        }
    else:
        part = tuple(f"box_decoder.{name}" for name in ("center", "size", "quat"))
        encoder.append("box_encoder.encoder")
        decoder.append("box_decoder.mlp")
    joined["box_decoder.out"] = (part, 0)
    return {
        "encoder": {name: ((name,), 0) for name in encoder} | alike,
        "decoder": {name: ((name,), 0) for name in decoder} | joined,
    }


def split_official(tensors: Mapping[str, Tensor], model: StructureNet) -> dict[str, Tensor]:
    """Cut tensors named like our parameters (weights, gradients) into the original's pieces.

    The part autoencoder of a model of point clouds is left out.

    Names get the prefix ``encoder.`` or ``decoder.``.
    """
    config = model.config
    geometry = config.geometry
    layers = layers_of(
        config.encoder_passes,
        config.decoder_passes,
        len(config.edge_kinds),
        points=geometry is not None,
    )
    row = [3, 3, 4] if geometry is None else [3, 1, geometry.part.feature_dim]
    sizes = {"child_decoder.mlp_edge_exists": 1, "box_decoder.out": row}
    out: dict[str, Tensor] = {}
    for part, joined in layers.items():
        for ours, (names, _) in joined.items():
            for kind in ("weight", "bias"):
                value = tensors[f"{part}.{ours}.{kind}"]
                pieces = value.split(sizes.get(ours, len(value)))
                for name, piece in zip(names, pieces, strict=True):
                    out[f"{part}.{name}.{kind}"] = piece
    return out


def _count(state: Mapping[str, Tensor], layer: str) -> int:
    """Number of layers in a list of them."""
    words = [name.split(".") for name in state]
    return len({word[2] for word in words if len(word) > 2 and word[1] == layer})


def _settings(encoder: Any) -> dict[str, Any]:
    """What a ``conf.pth`` beside the encoder's file says."""
    if not isinstance(encoder, str | Path):
        return {}
    path = Path(encoder).parent / "conf.pth"
    if not path.is_file():
        return {}
    conf = read_namespace(path)
    found = {ours: conf[theirs] for theirs, ours in SETTINGS.items() if theirs in conf}
    if "non_variational" in conf:
        found["variational"] = not conf["non_variational"]
    return found
