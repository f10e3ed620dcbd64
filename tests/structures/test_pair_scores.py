"""Scores of all pairs against writing the pairs' features out."""

import pytest
import torch
from torch import nn

from shapegen.structures import pair_scores
from shapegen.structures.structurenet_layers import ACTIVATIONS, Activation

Parts = tuple[torch.Tensor, ...]


def inputs(
    parents: int, rows: int = 4, hidden: int = 6, kinds: int = 3
) -> tuple[Parts, nn.Linear]:
    torch.manual_seed(parents)
    parts = tuple(
        torch.randn(parents, rows, hidden, dtype=torch.double).requires_grad_() for _ in range(2)
    )
    return parts, nn.Linear(hidden, kinds).double()


def plain(first: torch.Tensor, second: torch.Tensor, layer: nn.Linear, kind: str) -> torch.Tensor:
    scores: torch.Tensor = layer(ACTIVATIONS[kind](first[:, :, None] + second[:, None]))
    return scores


@pytest.mark.parametrize("kind", ["relu", "gelu"])
@pytest.mark.parametrize("parents", [0, 1, 5])
def test_values_and_gradients_are_those_of_pairs_written_out(
    kind: Activation, parents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Blocks of two parents: of five the last one is alone.
    monkeypatch.setattr(pair_scores, "CACHED_NUMBERS", 2 * 4 * 4 * 6)
    parts, layer = inputs(parents)
    found = pair_scores.pair_scores(*parts, layer, kind)
    expected = plain(*parts, layer, kind)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    leaves = [*parts, *layer.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), leaves),
        torch.autograd.grad((expected * weights).sum(), leaves),
    )


def test_more_than_the_cache_holds_goes_parent_by_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_scores, "CACHED_NUMBERS", 1)
    parts, layer = inputs(3)
    torch.testing.assert_close(
        pair_scores.pair_scores(*parts, layer, "relu"), plain(*parts, layer, "relu")
    )
