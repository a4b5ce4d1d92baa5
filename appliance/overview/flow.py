"""What was published, and how long it took: in the last hour as numbers, in the hour and the day as series."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.history.histogram import Histogram
from appliance.history.minutes import MINUTE, Minute, combined, grouped, minutes

_HOUR: Final = 3600
_DAY: Final = 86_400
#: Seconds of one point of the series of a day.
_STEP: Final = 1800
#: Seconds from the end of a minute until it is measured, at most.
_LATE: Final = 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Latency:
    """A latency in seconds; None if nothing was measured."""

    median: float | None
    #: What 99 of a hundred do not exceed.
    most: float | None

    @classmethod
    def of(cls, histogram: Histogram) -> Latency:
        """Return the latency of a histogram."""
        return cls(histogram.quantile(0.5), histogram.quantile(0.99))


@dataclass(frozen=True, slots=True)
class Flow:
    """What went through in the last hour that is measured."""

    #: Jobs that were done, and files that were published or deleted.
    done: int
    published: int
    #: The share of the files built whose bytes had not changed, from 0 to 1; None if none was built.
    unchanged: float | None
    to_published: Latency
    to_everywhere: Latency
    overall: Latency


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a series: what happened in the time from `at` on."""

    at: int
    published: int
    to_published: Latency
    to_everywhere: Latency


@dataclass(frozen=True, slots=True)
class Series:
    """The last hour by minute, and the last day by half an hour. Times in which nobody measured are left out."""

    hour: list[Point]
    day: list[Point]


def read_flow(sites: Collection[str] | None) -> Flow:
    """Add up the last hour on some sites, or on the whole installation."""
    now = db.now()
    hour = combined(int(now), minutes(now - _HOUR - _LATE, now, sites)[-60:])
    built = hour.published + hour.unchanged
    return Flow(
        hour.done,
        hour.published,
        hour.unchanged / built if built else None,
        Latency.of(hour.to_published),
        Latency.of(hour.to_everywhere),
        Latency.of(hour.overall),
    )


def read_series(sites: Collection[str] | None) -> Series:
    """Read the series of the last hour and of the last day."""
    now = db.now()
    day = minutes(now - _DAY, now, sites)
    hour = [minute for minute in day if minute.at >= now - _HOUR - _LATE][-60:]
    return Series([_point(minute) for minute in hour], [_point(group) for group in grouped(day, _STEP)])


def _point(minute: Minute) -> Point:
    published, everywhere = Latency.of(minute.to_published), Latency.of(minute.to_everywhere)
    return Point(minute.at, minute.published, published, everywhere)
