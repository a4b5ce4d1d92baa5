"""Reading dates as people type them: a date, a date and a time, or `now`."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from appliance import clock
from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.importing import dates

#: A date as people type it, or seconds since the epoch.
DateLike = str | int | float | datetime

_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def parse_timestamp(site: Site, value: DateLike) -> int:
    """Parse a date to seconds since the epoch.

    Accepts `now`, `2026-11-22`, `2026-11-22 08:30`, `tomorrow 08:30`, and seconds since the epoch. A date without a
    time zone is in the zone of the site.

    Raises:
        ContentError: it is not a date.
    """
    return parse_local(ZoneInfo(site.timezone), value)


def parse_local(zone: ZoneInfo, value: DateLike) -> int:
    """Parse a date, which is in this time zone unless it names another. Errors as `parse_timestamp`."""
    if isinstance(value, str):
        value = value.strip()
        if value.lower() == "now":
            return int(clock.now())
        first, _, rest = value.partition(" ")
        if first.lower() in _DAYS:
            day = clock.to_datetime(clock.now(), zone).date() + timedelta(days=_DAYS[first.lower()])
            value = f"{day.isoformat()} {rest}".strip()
    timestamp = dates.timestamp(value, zone)
    if timestamp is None:
        raise ContentError(f"“{value}” is no date; write it like now, 2026-11-22, 2026-11-22 08:30 or tomorrow 08:30")
    return timestamp


def local_datetime(site: Site, timestamp: int) -> datetime:
    """A time, in seconds since the epoch, in the time zone of the site."""
    return clock.to_datetime(timestamp, ZoneInfo(site.timezone))
