"""The tally of one minute: what is counted and timed, on each site and on the whole installation."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Literal

from appliance.history.histogram import Histogram
from appliance.history.minutes import Minute

Counted = Literal["done", "unchanged", "published", "failed", "pending"]
Timed = Literal["to_published", "to_everywhere", "overall"]


class Tally:
    """Counts and durations of one minute by site. What belongs to no site counts for the installation alone."""

    def __init__(self, at: int) -> None:
        self.at = at
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._times: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)

    def count(self, site: str, what: Counted, number: int) -> None:
        """Add a number."""
        for name in {"", site}:
            self._counts[name][what] += number

    def time(self, site: str, what: Timed, seconds: float) -> None:
        """Add a duration."""
        for name in {"", site}:
            self._times[name, what].add(seconds)

    def minutes(self) -> dict[str, Minute]:
        """The minute of each site where anything happened, and that of the installation under the empty name."""
        names = {"", *self._counts, *(name for name, _ in self._times)}
        return {name: self._minute(name) for name in names}

    def _minute(self, site: str) -> Minute:
        counts = self._counts[site]
        return Minute(
            self.at,
            counts["done"],
            counts["unchanged"],
            counts["published"],
            counts["failed"],
            counts.get("pending"),
            *(self._times[site, what] for what in ("to_published", "to_everywhere", "overall")),
        )
