"""A deadline for waits on the database: none while the process works, a short one once it is asked to end.

A signal handler only sets the deadline. Every wait for the server checks it a few times a second, so that a server that
stopped answering keeps no process from ending.
"""

from __future__ import annotations

from appliance import clock

#: Seconds that a statement may take which begins after the deadline. A healthy server answers sooner.
LAST = 0.3

_end = float("inf")


def set_deadline(seconds: float) -> None:
    """Wait for the database at most `seconds` from now on. Safe in a signal handler."""
    global _end
    _end = min(_end, clock.monotonic() + seconds)


def clear_deadline() -> None:
    """Remove the deadline."""
    global _end
    _end = float("inf")


def is_past_deadline(began: float) -> bool:
    """Whether a wait that began at `began` has passed the deadline."""
    return clock.monotonic() > max(_end, began + LAST)
