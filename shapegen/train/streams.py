"""The random streams of a run, and what stops one."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal

import torch

Reason = Literal["time", "interrupted"]
"""Why a run stops before its last step."""


class TrainingDiverged(RuntimeError):
    """A loss or a weight is not finite any more, or a loss could not be computed."""


def derived(seed: int, *purpose: object) -> torch.Generator:
    """A stream of its own for each purpose: to use one leaves every other as it was."""
    words = " ".join(map(str, (seed, *purpose)))
    digest = hashlib.blake2b(words.encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch use so many CPU threads for a while; None: as many as it does."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class StopRequest:
    """Turns Ctrl-C, SIGTERM and the end of the time into a stop between two steps.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self, max_minutes: float | None) -> None:
        self._deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._signal: int | None = None
        self._old: dict[signal.Signals, Any] = {}

    @property
    def reason(self) -> Reason | None:
        """None: go on."""
        if self._signal is not None:
            return "interrupted"
        if self._deadline is not None and time.monotonic() > self._deadline:
            return "time"
        return None

    def __enter__(self) -> StopRequest:
        # Python lets only the main thread handle signals.
        if threading.current_thread() is threading.main_thread():
            for kind in (signal.SIGINT, signal.SIGTERM):
                self._old[kind] = signal.signal(kind, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._old.items():
            signal.signal(kind, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number
