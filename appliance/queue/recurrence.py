"""Recurrence rules, which compute due times from the rule alone and never from the time of the last run.

Every host computes the same due times after every restart, to the second and without drift.
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
    """A rule for due times, in whole seconds since the epoch."""

    def latest(self, now: float) -> int:
        """The last due time that is not after `now`."""

    def next_after(self, moment: float) -> int:
        """The first due time after `moment`."""

    @property
    def words(self) -> str:
        """The rule as people say it."""


@dataclass(frozen=True, slots=True)
class Every(Rule):
    """Every `seconds` seconds, in multiples since the epoch. The times align with midnight UTC if they divide a day."""

    seconds: int

    def latest(self, now: float) -> int:
        """The last multiple that is not after `now`."""
        return int(now // self.seconds) * self.seconds

    def next_after(self, moment: float) -> int:
        """The first multiple after `moment`."""
        return self.latest(moment) + self.seconds

    @property
    def words(self) -> str:
        """The rule as people say it: `every 10 minutes`."""
        for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
            if self.seconds % length == 0:
                number = self.seconds // length
                return f"every {unit}" if number == 1 else f"every {number:,} {unit}s"
        return f"every {self.seconds:,} seconds"


@dataclass(frozen=True, slots=True)
class At(Rule):
    """Daily, weekly on a weekday (0 is Monday) or monthly on a day, at a time of day in a zone.

    A time that is skipped in spring, when clocks go forward, moves to as much later on that day. A time that occurs
    twice in autumn is due at its first occurrence. In a month that has no such day, the last day of the month is used.
    """

    period: Literal["daily", "weekly", "monthly"]
    hour: int = 0
    minute: int = 0
    zone: tzinfo = UTC
    weekday: int = 0
    day: int = 1

    def latest(self, now: float) -> int:
        """The last due time that is not after `now`."""
        today = clock.to_datetime(now, self.zone).date()
        return next(due for back in range(63) if (due := self._on(today - timedelta(back))) is not None and due <= now)

    def next_after(self, moment: float) -> int:
        """The first due time after `moment`."""
        today = clock.to_datetime(moment, self.zone).date()
        return next(due for on in range(63) if (due := self._on(today + timedelta(on))) is not None and due > moment)

    @property
    def words(self) -> str:
        """The rule as people say it: `Mondays at 03:30 (Europe/Berlin)`."""
        on = {
            "daily": "every day",
            "weekly": f"{calendar.day_name[self.weekday]}s",
            "monthly": "the 1st of each month" if self.day == 1 else f"day {self.day} of each month",
        }
        return f"{on[self.period]} at {self.hour:02}:{self.minute:02} ({self.zone})"

    def _on(self, day: date) -> int | None:
        if self.period == "weekly" and day.weekday() != self.weekday:
            return None
        if self.period == "monthly" and day.day != min(self.day, calendar.monthrange(day.year, day.month)[1]):
            return None
        return clock.to_timestamp(datetime(day.year, day.month, day.day, self.hour, self.minute), self.zone)


#: The length in seconds of the named intervals up to half a day.
_SECONDS: Final[dict[str, int]] = {
    "5m": 300, "10m": 600, "30m": 1800, "hourly": 3600, "2h": 7200, "6h": 21_600, "12h": 43_200,
}  # fmt: skip

#: The named intervals in the syntax of crontab, for hosts where cron runs `drain` or `periodic`.
CRONTAB: Final[dict[str, str]] = {
    "5m": "*/5 * * * *", "10m": "*/10 * * * *", "30m": "*/30 * * * *", "hourly": "0 * * * *",
    "2h": "0 */2 * * *", "6h": "0 */6 * * *", "12h": "0 */12 * * *",
    "daily": "30 3 * * *", "weekly": "30 3 * * 1", "monthly": "30 3 1 * *",
}  # fmt: skip


def rule_for(interval: Interval, at: str = "00:00", zone: str = "UTC") -> Rule | None:
    """The rule of a named interval; None for 'never'. `at` and `zone` apply to daily and longer intervals."""
    hour, _, minute = at.partition(":")
    match interval:
        case "never":
            return None
        case "daily" | "weekly" | "monthly":
            return At(interval, int(hour), int(minute), ZoneInfo(zone))
        case _:
            return Every(_SECONDS[interval])
