"""The only module that reads this host's clock.

Times are seconds since 1970-01-01 UTC (float or int), never naive datetimes. Durations come from a monotonic clock.
Leases and versions use the database's clock (`db.now`) instead, so that hosts whose clocks differ agree.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, tzinfo


def now() -> float:
    """The current time of this host, in seconds since the epoch."""
    return time.time()


def monotonic() -> float:
    """The monotonic clock, in seconds. Only differences are meaningful."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Sleep for `seconds`. For back-off only: wait for an event where there is one."""
    time.sleep(seconds)


_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Parse a duration such as `30s`, `10m`, `1.5h` or `7d` into seconds.

    Raises:
        ValueError: the text is no duration.
    """
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"“{text}” is no length of time; write a number and s, m, h or d, such as 10m")
    return float(found[1]) * _UNITS[found[2]]


def to_datetime(moment: float, zone: tzinfo = UTC) -> datetime:
    """`moment` as an aware datetime in `zone`."""
    return datetime.fromtimestamp(moment, zone)


def to_iso(moment: float) -> str:
    """`moment` in UTC to the second, as RFC 3339 writes it: 2026-11-29T14:53:11Z."""
    return to_datetime(moment).isoformat(timespec="seconds").replace("+00:00", "Z")


def to_timestamp(value: datetime, zone: tzinfo = UTC) -> int:
    """Whole seconds since the epoch of `value`; a naive one is read as a wall clock in `zone`."""
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    return int(value.timestamp())
