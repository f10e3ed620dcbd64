"""Attention: torch's numbers, weights that sum to one, nothing seen of what is to come."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shapegen.core.attention import MultiheadAttention, attention, causal_mask
from shapegen.core.autoregressive import influences


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [1, 4])
def test_numbers_are_torchs(heads: int, causal: bool) -> None:
    torch.manual_seed(0)
    right = nn.MultiheadAttention(8, heads, batch_first=True)
    model = MultiheadAttention(8, heads)
    nn.init.normal_(right.in_proj_bias)
    model.load_state_dict(right.state_dict())
    x, memory = torch.randn(3, 6, 8), None if causal else torch.randn(3, 9, 8)
    keys = x if memory is None else memory
    hidden = ~causal_mask(6) if causal else None
    expected = right(x, keys, keys, attn_mask=hidden, average_attn_weights=False)
    torch.testing.assert_close(model(x, memory, causal=causal), expected, atol=1e-6, rtol=1e-6)


def test_weights_sum_to_one_and_a_matching_key_is_read() -> None:
    out, weights = attention(100 * torch.eye(4), torch.eye(4), torch.arange(8.0).view(4, 2))
    torch.testing.assert_close(weights.sum(-1), torch.ones(4))
    torch.testing.assert_close(out, torch.arange(8.0).view(4, 2))
    _, weights = MultiheadAttention(8, 2)(torch.randn(3, 6, 8), causal=True)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 6))


def test_a_causal_step_sees_itself_and_those_before_it() -> None:
    torch.manual_seed(0)
    model = MultiheadAttention(8, 2).double()
    steps = torch.randn(7, 8, dtype=torch.float64)
    seen = influences(lambda x: model(x[None], causal=True)[0][0], steps)
    assert torch.equal(seen, torch.ones(7, 7).tril().bool())
    assert influences(lambda x: model(x[None])[0][0], steps).all()


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="heads must divide the dimension 8; got 3"):
        MultiheadAttention(8, 3)
    with pytest.raises(ValueError, match=r"as many keys as queries \(2\); got 3"):
        MultiheadAttention(8, 2)(torch.zeros(1, 2, 8), torch.zeros(1, 3, 8), causal=True)
