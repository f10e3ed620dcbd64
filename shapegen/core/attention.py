r"""Attention: every query reads the values whose keys it matches.

.. math:: \mathrm{attention}(Q, K, V) = \mathrm{softmax}\bigl(Q K^T / \sqrt{d}\bigr)\, V

Reference: Vaswani et al., *Attention Is All You Need*, 2017, equation 1 and section 3.2.2,
https://arxiv.org/abs/1706.03762.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


def causal_mask(steps: int, *, device: torch.device | None = None) -> Bool[Tensor, "steps steps"]:
    """Which keys (columns) a query (row) may see: its own step's and those before it."""
    return torch.ones(steps, steps, dtype=torch.bool, device=device).tril()


def attention(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys out"],
    *,
    seen: Bool[Tensor, "queries keys"] | None = None,
) -> tuple[Float[Tensor, "*batch queries out"], Float[Tensor, "*batch queries keys"]]:
    """Mean of the values for every query, and the weights of that mean.

    Args:
        query: What is looked for.
        key: What is there.
        value: What is read.
        seen: Which keys a query may read, at least one each; None: all.
    """
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if seen is not None:
        scores = scores.masked_fill(~seen, -math.inf)
    weights = scores.softmax(-1)
    return weights @ value, weights


class MultiheadAttention(nn.Module):
    """Several attentions side by side, each in its own part of the projected vectors.

    Weights have the names and layout of ``torch.nn.MultiheadAttention``: each takes the other's
    state dict.

    Args:
        dim: Of queries, keys and values.
        heads: A divisor of ``dim``.

    Raises:
        ValueError: ``heads`` does not divide ``dim``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or dim % heads:
            raise ValueError(f"heads must divide the dimension {dim}; got {heads}")
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(
        self,
        query: Float[Tensor, "batch queries dim"],
        memory: Float[Tensor, "batch keys dim"] | None = None,
        *,
        causal: bool = False,
    ) -> tuple[Float[Tensor, "batch queries dim"], Float[Tensor, "batch heads queries keys"]]:
        """What every query reads, and the weights of every head, which sum to 1 over the keys.

        Args:
            query: Sequences.
            memory: Where keys and values are from; None: the queries themselves.
            causal: A step sees itself and those before it only.

        Raises:
            ValueError: ``causal`` with a memory of another length.
        """
        memory = query if memory is None else memory
        if causal and memory.shape[1] != query.shape[1]:
            raise ValueError(
                f"causal attention needs as many keys as queries ({query.shape[1]}); "
                f"got {memory.shape[1]}"
            )
        parts = zip(
            (query, memory, memory),
            self.in_proj_weight.chunk(3),
            self.in_proj_bias.chunk(3),
            strict=True,
        )
        q, k, v = (self._split(functional.linear(x, weight, bias)) for x, weight, bias in parts)
        seen = causal_mask(query.shape[1], device=query.device) if causal else None
        read, weights = attention(q, k, v, seen=seen)
        return self.out_proj(read.transpose(1, 2).flatten(2)), weights

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, steps, dim / heads)
