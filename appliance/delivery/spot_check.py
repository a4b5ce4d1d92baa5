"""Spot checks: whether a target still shows what it confirmed, although it may have been wiped or restored.

A target that was restored from a backup lacks everything it confirmed after that backup, so its latest confirmed
publications tell. But pushes may have gone on since, and what they brought is there. So the sample also has the latest
publications before the previous spot check, and some of any age, since a wiped target lacks all of them.
"""

from __future__ import annotations

import random

from appliance import clock
from appliance.delivery import cursors, journal
from appliance.delivery.journal import PublishedChange
from appliance.delivery.positions import Position
from appliance.delivery.targets import Target
from appliance.delivery.transports.base import Transport

#: Seconds between two spot checks of a target, and the factor for a target that always has something to receive.
INTERVAL = 10.0
_BUSY_FACTOR = 3.0
#: Publications of each host of origin in each part of the sample.
SAMPLE = 16
#: Places of the journal from which publications of any age are taken.
_AGES = 4


class SpotCheck:
    """Compares samples of what one target has confirmed, from time to time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._last_at = float("-inf")
        #: What the target had confirmed at the last successful check, by host of origin.
        self._last_confirmed: dict[str, Position] = {}

    @property
    def has_run(self) -> bool:
        """Whether the target was ever checked."""
        return self._last_at >= 0

    def is_due(self, *, busy: bool) -> bool:
        """Whether it is time for the next check. `busy` says that there is something to send."""
        return clock.monotonic() - self._last_at > INTERVAL * (_BUSY_FACTOR if busy else 0.75)

    def passes(self, transport: Transport) -> bool:
        """Check a sample now, and return whether the target shows all of it.

        Raises:
            DeliveryError: the target could not be compared.
        """
        confirmed = cursors.read_all(self._target)
        if transport.differing(_sample(confirmed, self._last_confirmed)):
            return False
        self._last_at, self._last_confirmed = clock.monotonic(), confirmed
        return True

    def postpone(self) -> None:
        """Count the target as checked now, although it could not be compared."""
        self._last_at = clock.monotonic()

    def restart(self) -> None:
        """Begin anew, since the cursors of the target were reset."""
        self._last_at, self._last_confirmed = clock.monotonic(), {}


def _sample(confirmed: dict[str, Position], last_confirmed: dict[str, Position]) -> list[PublishedChange]:
    sample = dict[str, PublishedChange]()
    for origin, position in confirmed.items():
        last = last_confirmed.get(origin, position)
        found = _sample_stretch(origin, 0, position.through, last.through)
        if position.has_backlog:
            found += _sample_stretch(origin, position.ahead_after, position.ahead, last.front)
        sample |= {change.path: change for change in found}
    return list(sample.values())


def _sample_stretch(origin: str, after: int, through: int, last: int) -> list[PublishedChange]:
    """Some publications after a number up to another: the last, the last of the check before, and some of any age."""
    span = max(1, through - after)
    ages = (after + random.randint(1, span) for _ in range(_AGES))  # noqa: S311 - not a secret
    ends = [(through, SAMPLE), (min(through, last), SAMPLE), *((min(age, through), SAMPLE // _AGES) for age in ages)]
    return [change for end, count in ends for change in journal.latest_through(origin, end, count, after)]
