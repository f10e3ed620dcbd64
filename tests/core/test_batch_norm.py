"""Batch norms of single rows and of averaged weights."""

import torch
from torch import Tensor, nn

from shapegen.core.batch_norm import RowNorm, measure_norms


def test_rows_are_normalised_as_by_torch(rng: torch.Generator) -> None:
    own, other = RowNorm(5), nn.BatchNorm1d(5)
    for _ in range(3):
        rows = torch.randn(8, 5, generator=rng) * 3 + 1
        assert torch.equal(own(rows), other(rows))
    assert torch.equal(own.eval()(rows), other.eval()(rows))


def test_a_single_row_is_normalised_by_the_rows_before(rng: torch.Generator) -> None:
    norm = RowNorm(5, momentum=1.0)
    rows = torch.randn(2000, 5, generator=rng) * 3 + 1
    norm(rows)
    kept = norm.running_mean.clone()
    row = torch.randn(1, 5, generator=rng)
    torch.testing.assert_close(norm(row), (row - rows.mean(0)) / rows.std(0), rtol=1e-3, atol=1e-4)
    assert torch.equal(norm.running_mean, kept)
    norm(row).sum().backward()
    assert norm.weight.grad is not None


def test_statistics_are_those_of_the_weights_of_now(rng: torch.Generator) -> None:
    module = nn.Sequential(nn.Linear(3, 4), RowNorm(4), nn.ReLU(), nn.Linear(4, 2), RowNorm(2))
    data = torch.randn(64, 3, generator=rng) + 2
    for _ in range(20):
        module(data)
    with torch.no_grad():
        module[0].weight.mul_(-3.0)
    module.eval()
    fed: list[Tensor] = []
    module[3].register_forward_hook(lambda layer, given, output: fed.append(output.detach()))
    measure_norms(module, len(data), lambda indices: module(data[indices]), rng=rng)
    assert not module.training
    first, second = module[1], module[4]
    assert isinstance(first, RowNorm)
    assert isinstance(second, RowNorm)
    torch.testing.assert_close(first.running_mean, module[0](data).mean(0))
    # The second norm is fed what the first makes of batches.
    assert [len(batch) for batch in fed] == [16] * 4
    means, variances = zip(*((batch.mean(0), batch.var(0)) for batch in fed), strict=True)
    torch.testing.assert_close(second.running_mean, torch.stack(means).mean(0))
    torch.testing.assert_close(second.running_var, torch.stack(variances).mean(0))


def test_every_item_is_used_once() -> None:
    seen: list[Tensor] = []
    measure_norms(RowNorm(3), 33, seen.append)
    assert sorted(torch.cat(seen).tolist()) == list(range(33))
    assert min(map(len, seen)) > 1
