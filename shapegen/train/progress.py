"""What a run shows while it works: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

BAR_SECONDS, LINE_SECONDS = 0.5, 15.0


class Progress:
    """Shows epoch, losses, speed and time left on the standard error.

    Args:
        steps: Of the whole run.
        per_epoch: Steps of an epoch.
        done: Steps done before.
        shapes: Training shapes, for the speed.
        shown: False: nothing.
    """

    def __init__(self, steps: int, per_epoch: int, done: int, shapes: int, *, shown: bool) -> None:
        self._steps, self._per_epoch, self._first, self._shapes = steps, per_epoch, done, shapes
        self._started = self._shown_at = time.monotonic()
        self._losses = ""
        self._bar: Any = None
        self._console: Any = None
        if not shown:
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self._console = Console(stderr=True, highlight=False)
        if self._console.is_terminal:
            columns = [BarColumn(), TextColumn("{task.description}", markup=False)]
            # No thread of its own: the cores belong to the training.
            self._bar = Bar(*columns, console=self._console, auto_refresh=False)
            self._task = self._bar.add_task("", total=steps, completed=done)
            self._bar.start()

    def cut(self, steps: int) -> None:
        """Set the steps of the whole run to fewer."""
        self._steps = steps
        if self._bar is not None:
            self._bar.update(self._task, total=steps)

    def losses(self, values: Mapping[str, float]) -> None:
        """Set the losses to show."""
        self._losses = ", ".join(f"{k} {v:.4g}" for k, v in values.items() if "." not in k)

    def advance(self, step: int, *, now: bool = False) -> None:
        """Show ``step``, unless something was shown just before."""
        if self._console is None:
            return
        time_now = time.monotonic()
        pause = BAR_SECONDS if self._bar is not None else LINE_SECONDS
        if not now and time_now - self._shown_at < pause:
            return
        self._shown_at = time_now
        text = self.text(step, time_now - self._started)
        if self._bar is None:
            self._console.print(text, markup=False)
        else:
            self._bar.update(self._task, completed=step, description=text, refresh=True)

    def text(self, step: int, seconds: float) -> str:
        """Epoch, losses, shapes a second and time left, in one line."""
        speed = (step - self._first) / seconds if seconds > 0 else 0.0
        left = f"{clock((self._steps - step) / speed)} left" if speed > 0 else "starting"
        per_step = self._shapes / self._per_epoch
        epoch = f"epoch {step / self._per_epoch:.1f}/{self._steps / self._per_epoch:.0f}"
        parts = [epoch, self._losses, f"{speed * per_step:.0f} shapes/s", left]
        return "  ".join(part for part in parts if part)

    def close(self) -> None:
        """Leave the terminal in order."""
        if self._bar is not None:
            self._bar.stop()


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
