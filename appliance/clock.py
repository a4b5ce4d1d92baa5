"""The only reader of this host's time.

Moments are seconds since 1970-01-01 UTC (float or int), never naive datetimes; durations come from a clock
that does not jump. Leases and versions do not come from here but from the database (`db.now`), so that hosts
whose clocks differ still agree.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo


def now() -> float:
    """This host's idea of the present, seconds since the epoch."""
    return time.time()


def monotonic() -> float:
    """A reading for durations, in seconds; only differences mean anything."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Let `seconds` pass. For back-off only: where an event can be awaited, await it."""
    time.sleep(seconds)


def local(moment: float, zone: tzinfo = UTC) -> datetime:
    """`moment` as an aware datetime in `zone`."""
    return datetime.fromtimestamp(moment, zone)


def moment(value: datetime, zone: tzinfo = UTC) -> int:
    """Whole seconds since the epoch of `value`; a naive one is read as a wall clock in `zone`."""
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    return int(value.timestamp())
