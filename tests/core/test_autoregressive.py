"""Values one after the other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution

from shapegen.core.autoregressive import draw, influences, shifted, stepwise_log_prob


def test_what_is_known_is_the_value_before() -> None:
    values = torch.arange(6.0).view(2, 3)
    assert shifted(values, 1).tolist() == [[0, 0, 1], [0, 3, 4]]
    assert shifted(values, 0, start=7.0).tolist() == [[7, 7, 7], [0, 1, 2]]


@dataclass
class Chain:
    """The chance of a one depends on all values so far."""

    rate: float = 0.7

    def start(self, n: int) -> Tensor:
        return torch.zeros(n, 1)

    def predict(self, state: Tensor) -> Distribution:
        return Bernoulli(torch.sigmoid(self.rate * state - 0.5))

    def advance(self, state: Tensor, value: Tensor) -> Tensor:
        return 2 * state + value


def test_probabilities_of_all_sequences_sum_to_one() -> None:
    everything = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))[..., None]
    log_prob = stepwise_log_prob(Chain(), everything)
    torch.testing.assert_close(log_prob.exp().sum(), torch.tensor(1.0))
    # In closed form: p(1, 1) = s(-.5) s(.7 - .5).
    pair = torch.tensor([[[1.0], [1.0]]])
    expected = torch.tensor([-0.5, 0.2]).sigmoid().log().sum()
    torch.testing.assert_close(stepwise_log_prob(Chain(), pair)[0], expected)


def test_draws_have_their_probabilities(rng: torch.Generator) -> None:
    def choose(predicted: Distribution) -> Tensor:
        return torch.bernoulli(predicted.mean, generator=rng)

    drawn = draw(Chain(), 20000, 3, choose)
    codes = (drawn[..., 0] @ torch.tensor([4.0, 2.0, 1.0])).long()
    shares = torch.bincount(codes, minlength=8) / 20000
    everything = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)))[..., None]
    expected = stepwise_log_prob(Chain(), everything).exp()
    torch.testing.assert_close(shares, expected, atol=0.015, rtol=0)


def test_values_that_are_given_are_told_first(rng: torch.Generator) -> None:
    def choose(predicted: Distribution) -> Tensor:
        return torch.bernoulli(predicted.mean, generator=rng)

    given = torch.tensor([[[1.0], [1.0]]]).expand(20000, -1, -1)
    drawn = draw(Chain(), 20000, 3, choose, given=given)
    assert torch.equal(drawn[:, :2], given)
    # In closed form: s(.7 (2 1 + 1) - .5).
    expected = torch.tensor(1.6).sigmoid()
    torch.testing.assert_close(drawn[:, 2].mean(), expected, atol=0.015, rtol=0)
    assert torch.equal(draw(Chain(), 20000, 1, choose, given=given), given[:, :1])


def test_influences_are_a_triangle_of_what_is_causal() -> None:
    values = torch.randn(5, 2, dtype=torch.float64)
    causal = influences(lambda x: shifted(x, 0).cumsum(0), values)
    assert torch.equal(causal, torch.ones(5, 5).tril(-1).bool())
    assert influences(lambda x: x + x.mean(0), values).all()
