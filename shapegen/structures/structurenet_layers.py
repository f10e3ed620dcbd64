"""Linear layers over concatenated features, and pooling by name: what StructureNet is made of.

A linear layer over concatenated features is applied as a sum of products with slices of its
weight, so that what belongs to a node is computed once a node and not once an edge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

Pooling = Literal["max", "sum", "avg"]
Activation = Literal["relu", "gelu"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
}
ACTIVATION_GRADIENTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda gradient, x: torch.ops.aten.threshold_backward(gradient, x, 0),
    "gelu": torch.ops.aten.gelu_backward,
}
"""From the gradient of an activation's result to that of what it was applied to."""
_REDUCE = {"max": "max", "sum": "sum", "avg": "mean"}


def gathered(
    x: Float[Tensor, "n dim"], index: Int[Tensor, "n"], size: int, pool: Pooling
) -> Float[Tensor, "size dim"]:
    """Pool the rows of equal index; 0 where there is none."""
    from torch_geometric.utils import scatter

    return scatter(x, index, dim_size=size, reduce=_REDUCE[pool])


def with_class(
    layer: nn.Linear, x: Float[Tensor, "n dim"], number: Int[Tensor, "n"]
) -> Float[Tensor, "n out"]:
    """``layer`` of features and one-hot classes."""
    width = x.shape[1]
    own = functional.linear(x, layer.weight[:, :width], layer.bias)
    return own + functional.embedding(number, layer.weight[:, width:].T)


def message_inputs(
    layer: nn.Module, x: Float[Tensor, "n dim"], edges: Int[Tensor, "2 edges"]
) -> Float[Tensor, "edges out"]:
    """``layer`` of the features of both ends, which come first among its inputs."""
    width, weight = x.shape[1], weight_of(layer)
    bias = layer.bias
    assert isinstance(bias, Tensor)
    first = functional.linear(x, weight[:, :width], bias)
    second = functional.linear(x, weight[:, width : 2 * width])
    return first.index_select(0, edges[0]) + second.index_select(0, edges[1])


def kind_inputs(
    layer: nn.Module, x: Tensor, kind: Int[Tensor, "edges"]
) -> Float[Tensor, "edges out"]:
    """``layer`` of the one-hot kinds, which follow the features of both ends."""
    return functional.embedding(kind, weight_of(layer)[:, 2 * x.shape[1] :].T)


def weight_of(layer: nn.Module) -> Tensor:
    """Weight of a linear layer in a list of modules."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight


def split_linear(layer: nn.Linear, parts: list[Tensor]) -> Tensor:
    """``layer`` of the concatenated parts."""
    weights = layer.weight.split([part.shape[1] for part in parts], dim=1)
    result = functional.linear(parts[0], weights[0], layer.bias)
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        result = torch.addmm(result, part, weight.T)
    return result
