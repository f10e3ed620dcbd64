"""Recurrent networks: torch's numbers, and what each can remember."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from shapegen.core.recurrent import LSTM, ElmanRNN, lstm_update
from shapegen.core.seeding import seeded

SYMBOLS, DELAY = 4, 20


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("ours", "theirs"), [(ElmanRNN, nn.RNN), (LSTM, nn.LSTM)])
def test_numbers_are_torchs(ours: type, theirs: type, layers: int) -> None:
    torch.manual_seed(0)
    right = theirs(5, 7, num_layers=layers, batch_first=True)
    model = ours(5, 7, layers=layers)
    model.load_state_dict(right.state_dict())
    x = torch.randn(3, 11, 5)
    out, state = model(x)
    torch.testing.assert_close((out, state), right(x), atol=1e-6, rtol=1e-6)
    # The second half continues from the state after the first.
    first, middle = model(x[:, :6])
    second, last = model(x[:, 6:], middle)
    torch.testing.assert_close(
        (torch.cat([first, second], 1), last), (out, state), atol=1e-6, rtol=1e-6
    )


def test_an_open_forget_gate_and_a_closed_input_gate_keep_the_cell() -> None:
    gates = torch.tensor([-40.0, 40.0, 3.0, 40.0]).repeat_interleave(2).expand(3, 8)
    cell = torch.randn(3, 2)
    hidden, after = lstm_update(gates, cell)
    torch.testing.assert_close(after, cell)
    torch.testing.assert_close(hidden, cell.tanh())


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="hidden_dim must be at least 1; got 0"):
        LSTM(3, 0)


def recall(model: ElmanRNN | LSTM, steps: int) -> float:
    """Share of first symbols that are recalled after a delay of noise, when trained for it."""
    rng = torch.Generator().manual_seed(1)
    readout = nn.Linear(model.hidden_dim, SYMBOLS)
    parameters = [*model.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)

    def task(count: int) -> tuple[Tensor, Tensor]:
        # The symbol is shown once; what follows are other inputs, to be ignored.
        symbol = torch.randint(SYMBOLS, (count,), generator=rng)
        shown = torch.zeros(count, 1 + DELAY, SYMBOLS + 1)
        shown[torch.arange(count), 0, symbol] = 1
        shown[:, 1:, SYMBOLS] = torch.randint(2, (count, DELAY), generator=rng).float() * 2 - 1
        return shown, symbol

    for _ in range(steps):
        shown, symbol = task(32)
        loss = nn.functional.cross_entropy(readout(model(shown)[0][:, -1]), symbol)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    shown, symbol = task(512)
    with torch.no_grad():
        return float((readout(model(shown)[0][:, -1]).argmax(1) == symbol).float().mean())


def test_lstm_recalls_after_a_delay_and_elmans_network_does_not() -> None:
    with seeded(0):
        lstm, elman = LSTM(SYMBOLS + 1, 16), ElmanRNN(SYMBOLS + 1, 16)
        with torch.no_grad():
            # Memory is kept from the start (Gers et al.): else both begin by forgetting.
            lstm.get_parameter("bias_ih_l0")[16:32] = 3.0
        # Chance is 1/4.
        assert recall(lstm, 70) > 0.95
        assert recall(elman, 70) < 0.5
