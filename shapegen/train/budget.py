"""How many steps of a training fit a given time."""

from __future__ import annotations

MEASURED = 0.1
"""Share of the time in which a machine's speed is measured."""


def steps_that_fit(done: int, seconds: float, minutes: float) -> int | None:
    """Steps that are done in a time, as a first tenth of it went.

    Args:
        done: Steps so far.
        seconds: They took.
        minutes: In which all steps are to be done.

    Returns:
        At least ``done``; None before a tenth of the time is over.
    """
    whole = 60 * minutes
    return None if seconds < MEASURED * whole else max(done, int(done * whole / seconds))
