"""How much of a backlog is sent at a time, learned from how long earlier pushes took.

Guarantees that a stretch takes about a second once a few were sent, whether the target is fast or slow, so that what is
published meanwhile waits no longer than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from appliance.delivery.journal import JournalRange, PublishedChange, Put

#: Seconds that a stretch should take, and how many of them make a target count as far behind.
SECONDS: Final = 1.0
FAR: Final = 5
#: The cost of the first stretch, and the least.
FIRST: Final = 500
_LEAST: Final = 10
#: A file costs one, and one more for each so many bytes.
_BYTES: Final = 64 * 1024


class Stretch:
    """The stretch of one target. `most` is the number of publications of the longest push."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._cost = min(FIRST, most)

    @property
    def files(self) -> int:
        """The most publications that a stretch may have."""
        return self._cost

    def is_far(self, changes: Sequence[PublishedChange]) -> bool:
        """Whether it would take too long to send all of these changes, the first of a longest push, at once."""
        return len(changes) >= self._most or _cost(changes) > FAR * self._cost

    def newest_begin_after(self, newest: Sequence[tuple[int, PublishedChange]]) -> int | None:
        """Return the number after which the newest changes of one stretch begin; None if all belong to it.

        Args:
            newest: changes with their numbers, newest first.
        """
        cost = 0
        for place, (number, change) in enumerate(newest):
            cost += _cost([change])
            if place and cost > self._cost:
                return number
        return None

    def cut(self, found: JournalRange) -> JournalRange:
        """Return the beginning of a range that a stretch can take; at least one change."""
        cost = 0
        for place, change in enumerate(found.changes):
            cost += _cost([change])
            if place and cost > self._cost:
                return JournalRange(found.changes[:place], found.numbers[place - 1], found.numbers[:place])
        return found

    def learn(self, changes: Sequence[PublishedChange], seconds: float) -> None:
        """Adapt to how long a push of these changes took. A small push says nothing."""
        cost = _cost(changes)
        if cost >= self._cost / 2 or seconds > SECONDS:
            fitting = cost * SECONDS / max(seconds, 0.01)
            bounded = min(2 * self._cost, max(self._cost / 10, fitting))
            self._cost = int(min(self._most, max(_LEAST, bounded)))


def _cost(changes: Sequence[PublishedChange]) -> int:
    return sum(1 + (change.size // _BYTES if isinstance(change, Put) else 0) for change in changes)
