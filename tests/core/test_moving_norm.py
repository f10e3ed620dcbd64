"""Running statistics: what normalises, and what they become."""

from __future__ import annotations

import pytest
import torch

from shapegen.core.moving_norm import MovingBatchNorm


def test_a_training_batch_is_normalised_by_what_stood_before_it(rng: torch.Generator) -> None:
    norm = MovingBatchNorm(2).train()
    x = 3 + 2 * torch.randn(50, 2, generator=rng)
    z, _ = norm(x)
    # Mean 0 and variance 1 stand at first.
    torch.testing.assert_close(z, x / (1 + 1e-4) ** 0.5)
    torch.testing.assert_close(norm.running_mean, 0.1 * x.mean(0))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * x.var(0))
    assert float(norm.batches) == 1
    again = norm.eval()(x)[0]
    torch.testing.assert_close(
        again, (x - norm.running_mean) / (norm.running_var + 1e-4).sqrt(), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(norm.running_mean, 0.1 * x.mean(0))


def test_running_statistics_come_to_those_of_the_channels(rng: torch.Generator) -> None:
    norm = MovingBatchNorm(3).train()
    scale, shift = torch.tensor([0.1, 1.0, 10.0]), torch.tensor([1.0, 0.0, -5.0])
    for _ in range(150):
        norm(shift + scale * torch.randn(4, 200, 3, generator=rng))
    torch.testing.assert_close(norm.running_mean, shift, atol=0.5, rtol=0)
    torch.testing.assert_close(norm.running_var.sqrt(), scale, atol=0, rtol=0.05)


def test_the_authors_statistics_of_points_are_pooled(rng: torch.Generator) -> None:
    x = torch.randn(2, 9, 3, generator=rng) * torch.tensor([0.1, 1.0, 10.0])
    norm = MovingBatchNorm(3, compat="official").train()
    norm(x)
    blocks = [x[:, 3 * k : 3 * k + 3] for k in range(3)]
    means = torch.stack([block.mean() for block in blocks])
    variances = torch.stack([block.var() for block in blocks])
    torch.testing.assert_close(norm.running_mean, 0.1 * means)
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * variances)


def test_a_lag_lets_the_batch_in_and_gradients_through(rng: torch.Generator) -> None:
    x = (3 + 2 * torch.randn(50, 2, generator=rng)).requires_grad_()
    norm = MovingBatchNorm(2, lag=0.5).train()
    z, _ = norm(x)
    # As the authors have it: half the batch's, half the running statistics, over 1 - lag.
    mean = 0.5 * x.mean(0) / 0.5
    var = (0.5 * x.var(0) + 0.5) / 0.5
    torch.testing.assert_close(z, (x - mean) / (var + 1e-4).sqrt())
    (gradient,) = torch.autograd.grad(z.sum(), x)
    assert gradient.abs().max() < 1e-5  # the batch's mean is taken away, whatever x is


def test_a_single_row_leaves_no_trace() -> None:
    norm = MovingBatchNorm(2).train()
    norm(torch.ones(1, 2))
    assert norm.running_mean.tolist() == [0, 0]
    assert norm.running_var.tolist() == [1, 1]


@pytest.mark.parametrize("training", [True, False])
def test_gradients_reach_scale_and_bias(training: bool, rng: torch.Generator) -> None:
    norm = MovingBatchNorm(2).train(training)
    z, log_det = norm(torch.randn(5, 2, generator=rng))
    (z.square().sum() + log_det.sum()).backward()
    assert norm.log_scale.grad is not None
    assert norm.bias.grad is not None
    assert (norm.log_scale.grad != 0).all()
