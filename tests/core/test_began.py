"""BEGAN's balance against its equations."""

from __future__ import annotations

import pytest
import torch

from shapegen.core.began import Equilibrium

REAL, FAKE = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 1.0, 1.0])


def test_losses_and_balance_by_hand() -> None:
    balance = Equilibrium(diversity=0.5, rate=0.1)
    assert balance.discriminator_loss(REAL, FAKE).item() == 3.0
    balance.step(REAL, FAKE)  # .1 (.5 * 3 - 1)
    assert balance.k.item() == pytest.approx(0.05)
    assert balance.discriminator_loss(REAL, FAKE).item() == pytest.approx(3 - 0.05)
    assert balance.convergence(REAL, FAKE).item() == pytest.approx(3.5)


def test_the_balance_stays_between_0_and_1() -> None:
    balance = Equilibrium(rate=10.0)
    balance.step(REAL, FAKE)
    assert balance.k == 1
    balance.step(REAL, 100 * FAKE)
    assert balance.k == 0


def test_in_balance_nothing_moves_and_the_measure_is_the_error_of_data() -> None:
    balance = Equilibrium(diversity=0.5)
    balance.k.fill_(0.3)
    balance.step(REAL, 1.5 * FAKE)
    assert balance.k.item() == pytest.approx(0.3)
    assert balance.convergence(REAL, 1.5 * FAKE).item() == pytest.approx(3.0)


def test_the_balance_is_kept_with_the_weights_and_is_no_parameter() -> None:
    balance = Equilibrium()
    balance.step(REAL, FAKE)
    other = Equilibrium()
    other.load_state_dict(balance.state_dict())
    assert other.k == balance.k > 0
    assert not list(balance.parameters())


def test_gradients_push_the_two_errors_apart() -> None:
    balance = Equilibrium()
    balance.k.fill_(0.4)
    real, fake = (torch.ones(2, requires_grad=True) for _ in range(2))
    found = torch.autograd.grad(balance.discriminator_loss(real, fake), (real, fake))
    torch.testing.assert_close(found[0], torch.full((2,), 0.5))
    torch.testing.assert_close(found[1], torch.full((2,), -0.2))


@pytest.mark.parametrize("fields", [{"diversity": 0.0}, {"diversity": 1.1}, {"rate": 0.0}])
def test_balances_out_of_range(fields: dict) -> None:
    with pytest.raises(ValueError, match="diversity must be above 0 and at most 1, rate above 0"):
        Equilibrium(**fields)
