"""Moments as people type them: a date, a date and a time, or `now`."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from appliance import clock
from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.importing import dates

#: How moments are told: by the site's clock.
SHOWN = "%Y-%m-%d %H:%M"
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def moment(site: Site, value: str | int | float | datetime) -> int:
    """Seconds since the epoch of `now`, `2026-11-22`, `2026-11-22 08:30`, `tomorrow 08:30` or seconds since the epoch.

    What names no zone is by the site's clock.

    Raises:
        ContentError: it is no moment.
    """
    zone = ZoneInfo(site.timezone)
    if isinstance(value, str):
        value = value.strip()
        if value.lower() == "now":
            return int(clock.now())
        first, _, rest = value.partition(" ")
        if first.lower() in _DAYS:
            day = clock.local(clock.now(), zone).date() + timedelta(days=_DAYS[first.lower()])
            value = f"{day.isoformat()} {rest}".strip()
    found = dates.moment(value, zone)
    if found is None:
        raise ContentError(f"“{value}” is no date; write it like now, 2026-11-22, 2026-11-22 08:30 or tomorrow 08:30")
    return found


def shown(site: Site, at: int | None) -> str | None:
    """A moment as `2026-11-22T08:30:00+01:00`, by the site's clock."""
    return None if at is None else clock.local(at, ZoneInfo(site.timezone)).isoformat()
