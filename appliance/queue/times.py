"""When periodic tasks are due: moments that follow from a rule alone, never from when something ran.

Guarantees that every host and every restart finds the same due times, to the second, without drift.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal, Protocol
from zoneinfo import ZoneInfo

from appliance import clock
from appliance.config.services import Interval


class Rule(Protocol):
    """Says when something is due, in whole seconds since the epoch."""

    def latest(self, now: float) -> int:
        """The last due time that is not after `now`."""

    def following(self, moment: float) -> int:
        """The first due time after `moment`."""


@dataclass(frozen=True, slots=True)
class Every(Rule):
    """Every so many seconds, counted from midnight UTC as far as they divide a day."""

    seconds: int

    def latest(self, now: float) -> int:
        """The last multiple."""
        return int(now // self.seconds) * self.seconds

    def following(self, moment: float) -> int:
        """The next multiple."""
        return self.latest(moment) + self.seconds


@dataclass(frozen=True, slots=True)
class At(Rule):
    """Daily, weekly on a weekday (0 is Monday) or monthly on a day, at a time of day in a zone.

    A time that the clocks skip in spring is that much later on that day; one that comes twice in autumn counts the
    first time. In a month without the day it is the month's last.
    """

    period: Literal["daily", "weekly", "monthly"]
    hour: int = 0
    minute: int = 0
    zone: tzinfo = UTC
    weekday: int = 0
    day: int = 1

    def latest(self, now: float) -> int:
        """Today's, or that of the last day there was one."""
        today = clock.local(now, self.zone).date()
        return next(due for back in range(63) if (due := self._on(today - timedelta(back))) is not None and due <= now)

    def following(self, moment: float) -> int:
        """That of the next day there is one."""
        today = clock.local(moment, self.zone).date()
        return next(due for on in range(63) if (due := self._on(today + timedelta(on))) is not None and due > moment)

    def _on(self, day: date) -> int | None:
        if self.period == "weekly" and day.weekday() != self.weekday:
            return None
        if self.period == "monthly" and day.day != min(self.day, calendar.monthrange(day.year, day.month)[1]):
            return None
        return clock.moment(datetime(day.year, day.month, day.day, self.hour, self.minute), self.zone)


#: Seconds of the ready-made intervals that are no longer than half a day.
_SECONDS: Final[dict[str, int]] = {
    "5m": 300, "10m": 600, "30m": 1800, "hourly": 3600, "2h": 7200, "6h": 21_600, "12h": 43_200,
}  # fmt: skip

#: The ready-made intervals as crontab has them, for whoever lets cron run `drain` or `periodic`.
CRON: Final[dict[str, str]] = {
    "5m": "*/5 * * * *", "10m": "*/10 * * * *", "30m": "*/30 * * * *", "hourly": "0 * * * *",
    "2h": "0 */2 * * *", "6h": "0 */6 * * *", "12h": "0 */12 * * *",
    "daily": "30 3 * * *", "weekly": "30 3 * * 1", "monthly": "30 3 1 * *",
}  # fmt: skip


def rule(interval: Interval, at: str = "00:00", zone: str = "UTC") -> Rule | None:
    """The rule of a ready-made interval; `at` and `zone` are for days and longer. None for 'never'."""
    hour, _, minute = at.partition(":")
    match interval:
        case "never":
            return None
        case "daily" | "weekly" | "monthly":
            return At(interval, int(hour), int(minute), ZoneInfo(zone))
        case _:
            return Every(_SECONDS[interval])
