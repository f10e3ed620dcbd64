"""The pool of earlier samples: what it keeps, gives, and how it comes back."""

from __future__ import annotations

import pytest
import torch

from shapegen.core.replay import ReplayPool


def numbered(first: int, n: int) -> torch.Tensor:
    """Samples that say their number."""
    return torch.arange(first, first + n).float()[:, None].expand(n, 3)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_until_it_is_full_samples_are_kept_and_given_back() -> None:
    pool = ReplayPool(6, (3,))
    for first in (0, 3):
        assert torch.equal(pool(numbered(first, 3), rng=stream()), numbered(first, 3))
        assert pool.count == first + 3
    assert torch.equal(pool.samples, numbered(0, 6))


def test_a_full_pool_is_a_plain_one_written_out() -> None:
    pool, plain, rng = ReplayPool(5, (3,)), [], stream(7)
    for step in range(40):
        made = numbered(10 * step, 3)
        given = pool(made, rng=rng)
        twin = stream(7)
        for _ in range(step + 1):
            chances = torch.rand(3, 2, generator=twin)
        for number in range(3):
            own = float(made[number, 0])
            if len(plain) < 5:
                plain.append(own)
                expected = own
            elif chances[number, 0] < 0.5:
                at = int(chances[number, 1] * 5)
                expected, plain[at] = plain[at], own
            else:
                expected = own
            assert given[number].tolist() == [expected] * 3
        assert pool.samples[: len(plain), 0].tolist() == plain


def test_half_of_what_is_given_is_old_and_any_place_is_as_likely() -> None:
    pool, rng = ReplayPool(50, (3,)), stream()
    pool(numbered(0, 50), rng=rng)
    old = 0
    for step in range(1, 201):
        made = numbered(50 * step, 10)
        old += int((pool(made, rng=rng) != made).any(1).sum())
    assert old / 2000 == pytest.approx(0.5, abs=0.05)
    # 20 exchanges a place: none is left of the first ones but by a chance of 1e-7.
    assert pool.samples.min() >= 50


def test_a_pool_that_comes_back_goes_on_as_it_would_have() -> None:
    pool, rng = ReplayPool(4, (3,)), stream(1)
    pool(numbered(0, 6), rng=rng)
    again = ReplayPool(4, (3,))
    again.load_state_dict(pool.state_dict())
    twin = torch.Generator()
    twin.set_state(rng.get_state())
    for step in range(1, 6):
        made = numbered(10 * step, 6)
        assert torch.equal(pool(made, rng=rng), again(made, rng=twin))


def test_measured_models_leave_their_pool_alone() -> None:
    pool = ReplayPool(2, (3,)).eval()
    assert torch.equal(pool(numbered(1, 5)), numbered(1, 5))
    assert pool.count == 0
    none = ReplayPool(0, (3,))
    assert torch.equal(none(numbered(1, 5)), numbered(1, 5))
    with pytest.raises(ValueError, match="capacity of a pool must be at least 0; got -1"):
        ReplayPool(-1, (3,))
