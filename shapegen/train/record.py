"""The log of a run: a JSON line each time, TensorBoard beside it, and the means that go in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class Means:
    """Running means of losses and terms, kept on the device until a line is due."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.names: dict[str, list[str]] = {}
        self.sums: dict[str, Tensor] = {}

    @property
    def steps(self) -> int:
        """Since the last call of :meth:`take`: those of the objective that has taken most."""
        return max(self.counts.values(), default=0)

    def add(self, objective: str, names: list[str], values: Tensor) -> None:
        """Add one step's values of an objective."""
        if objective not in self.sums:
            self.counts[objective] = 0
            self.names[objective] = names
            self.sums[objective] = torch.zeros_like(values)
        if names != self.names[objective]:
            raise ValueError(
                f"objective {objective!r} must log the same terms at every step; "
                f"got {names} after {self.names[objective]}"
            )
        self.counts[objective] += 1
        self.sums[objective] += values

    def take(self) -> dict[str, float]:
        """The means since the last call: ``name`` the loss, ``name.term`` its terms."""
        result: dict[str, float] = {}
        for objective, total in self.sums.items():
            values = (total / self.counts[objective]).tolist()
            result |= dict(zip(self.names[objective], values, strict=True))
        self.counts, self.names, self.sums = {}, {}, {}
        return result


class Log:
    """``log.jsonl`` and TensorBoard files in a run's folder.

    Args:
        folder: The run's.
        size: Bytes of ``log.jsonl`` to keep: what a killed run wrote after its last checkpoint
            will be written again.
        step: Step from which TensorBoard drops older events, likewise.
        tensorboard: Write its files where it is installed.
    """

    def __init__(self, folder: Path, *, size: int, step: int, tensorboard: bool) -> None:
        path = folder / "log.jsonl"
        self._file = path.open("ab", buffering=0)
        self._file.truncate(min(size, path.stat().st_size))
        self._file.seek(0, os.SEEK_END)
        self._board: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return
            self._board = SummaryWriter(folder / "tensorboard", purge_step=step or None)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line; on a full disk none rather than a part of it."""
        before = self._file.tell()
        line = json.dumps({"step": step, **values}).encode() + b"\n"
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(28, "No space left on device", str(self._file.name))
        except OSError:
            self._file.truncate(before)
            raise
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def synced(self) -> int:
        """Size in bytes once all of it is on the disk."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()
