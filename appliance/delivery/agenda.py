"""What this host has to send to a target now, and how far that brings it.

Of several publishing hosts each sends what it published itself, up to where an earlier publication of another still
waits, so that pages appear in the order in which they were published. What waits too long, since its host is dead or
cannot reach the target, is sent by any other that holds the same bytes; what nobody holds is asked to be built again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance import clock, db
from appliance.delivery import cursors, deletions, journal, lists
from appliance.delivery.journal import Change
from appliance.delivery.targets import Target
from appliance.queue import processes

#: Publications of one push: enough that rsync's start does not count, few enough to hold in memory.
STRETCH = 5000
#: Seconds after which a publication of another host is sent by whoever holds it, and for which its turn is kept.
GRACE = 3.0
IN_ORDER = 1.0
#: Seconds between two tries to send what another host published, and without a beat after which a host counts as dead.
AGAIN = 2.0
SILENT = 10.0
#: Tries after which what nobody sent is asked to be built again.
LOST_AFTER = 2

#: Asks for files to be built again; returns those that nothing makes any more.
Rebuild = Callable[[Sequence[str]], set[str]]

#: What is left when this host has sent what it may: nothing, what waits for its turn any moment, or for others first.
Left = Literal["done", "busy", "waiting"]


def rebuild_nothing(paths: Sequence[str]) -> set[str]:
    """Where nothing is built, nothing is built again."""
    return set(paths)


@dataclass(frozen=True, slots=True)
class Part:
    """What to send of one host's publications, and how far that moves the target's cursor."""

    cursor: int
    through: int
    changes: list[Change]
    #: Publications among them that this host's docroot lacks.
    missing: int
    #: This host published it.
    own: bool


class Agenda:
    """That of one target on this host."""

    def __init__(self, target: Target, host: str, several: bool, rebuild: Rebuild) -> None:
        self._target = target
        self._host = host
        self._several = several
        self._rebuild = rebuild
        #: By host of origin: the moment of the next try to send what it left, and tries so far.
        self._again: dict[str, float] = {}
        self._tries: Counter[str] = Counter()

    def due(self) -> tuple[list[str], Left]:
        """The hosts of whose publications something is to be sent from here now, and what is left then."""
        due, waits = list[str](), set[Left]()
        for origin in journal.origins():
            cursor = cursors.read(self._target, origin)
            if journal.newest(origin) <= cursor:
                continue
            if self._is_own(origin):
                is_due, otherwise = self._is_its_turn(origin, cursor), "busy"
            else:
                is_due, otherwise = self._is_left(origin, cursor), "waiting"
            if is_due:
                due.append(origin)
            else:
                waits.add(otherwise)  # type: ignore[arg-type]
        return due, "busy" if "busy" in waits else "waiting" if waits else "done"

    def part(self, origin: str) -> Part | None:
        """The next stretch of what `origin` published; None when others have sent it meanwhile.

        To be read while the target's lease is held.
        """
        own, cursor, docroot = self._is_own(origin), cursors.read(self._target, origin), self._target.docroot
        below = self._turn_of_others() if own else self._fresh_from(origin, cursor)
        if below is None and not own:
            return None
        stretch = journal.latest_after(origin, cursor, STRETCH, below)
        if stretch.through == cursor:
            return None
        if self._several:
            deletions.apply(stretch.changes, docroot, self._host)
        held = lists.held(stretch.changes, docroot, foreign=not own)
        changes = [change for change, here in zip(stretch.changes, held, strict=True) if here]
        missing = [
            (number, change.path)
            for number, change, here in zip(stretch.numbers, stretch.changes, held, strict=True)
            if not here
        ]
        through = self._lacking(origin, missing, stretch.through) if missing else stretch.through
        return Part(cursor, through, changes, len(missing), own) if changes or through > cursor else None

    def _is_own(self, origin: str) -> bool:
        return not self._several or origin == self._host

    def _is_its_turn(self, origin: str, cursor: int) -> bool:
        """Whether nothing that another host published before waits first."""
        if (turn := self._turn_of_others()) is None:
            return True
        first = journal.first_latest_since(origin, cursor, 0)
        return first is None or first < turn

    def _is_left(self, origin: str, cursor: int) -> bool:
        """Whether another host has left something for too long, and it is time to try and send it."""
        return clock.monotonic() >= self._again.get(origin, 0) and self._fresh_from(origin, cursor) is not None

    def _fresh_from(self, origin: str, cursor: int) -> int | None:
        """Up to where another host's publications have waited too long; None when none has."""
        since = db.now() - GRACE
        oldest = journal.oldest_after(origin, cursor)
        if oldest is None or oldest > since:
            return None
        return journal.first_since(origin, cursor, since) or journal.newest(origin) + 1

    def _turn_of_others(self) -> int | None:
        """The first publication of another host that still waits, and not for too long: it comes before later ones."""
        if not self._several:
            return None
        since = db.now() - IN_ORDER
        found = [
            first
            for origin in journal.origins()
            if not self._is_own(origin) and origin != self._target.peer
            if (first := journal.first_latest_since(origin, cursors.read(self._target, origin), since)) is not None
        ]
        return min(found, default=None)

    def _lacking(self, origin: str, missing: Sequence[tuple[int, str]], through: int) -> int:
        """How far the cursor may go when this host's docroot lacks some of a stretch."""
        paths = [path for _, path in missing]
        if self._is_own(origin):
            self._rebuild(paths)  # published anew, they come again with a greater number
            return through
        self._again[origin] = clock.monotonic() + AGAIN
        self._tries[origin] += 1
        if self._tries[origin] < LOST_AFTER or beats(origin):
            return missing[0][0] - 1
        self._tries[origin] = 0
        unknown = self._rebuild(paths)
        left = [number for number, path in missing if path not in unknown]
        return left[0] - 1 if left else through


def beats(*hosts: str) -> bool:
    """Whether a process of one of these hosts has lately said that it is alive."""
    since = db.now() - SILENT
    return any(row.host in hosts and row.beat_at > since for row in processes.list())
