"""Times as pages show them: how long ago, with the exact time in the zone of the sites on hover and for programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from flask import g
from markupsafe import Markup

from appliance import db
from appliance.config import Config
from appliance.overview.durations import duration, relative


def zone_of(config: Config) -> ZoneInfo:
    """Return the zone of all times of the dashboard: that of the sites if they share one, or else of the schedule."""
    zones = {site.timezone for site in config.sites}
    return ZoneInfo(zones.pop() if len(zones) == 1 else config.schedule.timezone)


def filters(config: Config) -> dict[str, Callable[..., Any]]:
    """Return the filters of templates that show times, which are seconds since the epoch."""
    zone = zone_of(config)

    def exact(at: float, *, seconds: bool = True) -> str:
        when = dt.datetime.fromtimestamp(at, zone)
        return f"{when.day} {when:%b %Y %H:%M:%S %Z}" if seconds else f"{when.day} {when:%b %Y %H:%M %Z}"

    def moment(at: float, *, seconds: bool = False) -> Markup:
        return _element(at, exact(at, seconds=seconds))

    def ago(at: float) -> Markup:
        return _element(at, relative(at - now()), title=exact(at))

    def clock_time(at: float) -> Markup:
        when = dt.datetime.fromtimestamp(at, zone)
        return _element(at, f"{when:%H:%M:%S}.{when.microsecond // 1000:03d}", title=exact(at))

    return {"moment": moment, "exact": exact, "ago": ago, "clock_time": clock_time, "duration": duration}


def now() -> float:
    """The time of the database, read once in a request."""
    if "now" not in g:
        g.now = db.now()
    found: float = g.now
    return found


def _element(at: float, text: str, *, title: str = "") -> Markup:
    moment = dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if title:
        return Markup('<time datetime="{}" title="{}">{}</time>').format(moment, title, text)
    return Markup('<time datetime="{}">{}</time>').format(moment, text)
