"""The only reader of this host's time.

Moments are seconds since 1970-01-01 UTC (float or int), never naive datetimes; durations come from a clock
that does not jump. Leases and versions do not come from here but from the database (`db.now`), so that hosts
whose clocks differ still agree.
"""

from __future__ import annotations

import re
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


_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def span(text: str) -> float:
    """Seconds of a length of time such as `30s`, `10m`, `1.5h` or `7d`.

    Raises:
        ValueError: it is none; says what would be.
    """
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"“{text}” is no length of time; write a number and s, m, h or d, such as 10m")
    return float(found[1]) * _UNITS[found[2]]


def local(moment: float, zone: tzinfo = UTC) -> datetime:
    """`moment` as an aware datetime in `zone`."""
    return datetime.fromtimestamp(moment, zone)


def moment(value: datetime, zone: tzinfo = UTC) -> int:
    """Whole seconds since the epoch of `value`; a naive one is read as a wall clock in `zone`."""
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    return int(value.timestamp())
