"""Decides what this host sends to a target now, and how far that moves the target's cursors.

Each publishing host sends what it published itself, but only up to where an earlier publication of another host still
waits, so that pages appear in the order in which they were published. If a host is dead or cannot reach the target, any
other host with the same bytes takes over after a while. Files that no host has are built again.

A target is far behind if it would take several seconds to send all that it lacks: it joins, was wiped, was away or is
slow. It is sent the newest publications first, and from then on whatever is published before any of the rest. The rest
is its backlog, sent in order, in stretches of about a second. Both are read from the journal while the target's lease
is held, and only the latest publication of each path. So nothing of the backlog can replace what was sent ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance import clock, db
from appliance.delivery import cursors, deletions, file_lists, journal
from appliance.delivery.journal import JournalRange, PublishedChange
from appliance.delivery.positions import Position
from appliance.delivery.stretches import Stretch
from appliance.delivery.targets import Target
from appliance.queue import processes
from appliance.queue.future_times import SLACK

#: Publications of one push: enough that the start of rsync does not matter, few enough to hold in memory.
BATCH_SIZE = 5000
#: Seconds that a publication of another host may wait before this host sends it.
TAKEOVER_AFTER = 3.0
#: Seconds that later publications of this host wait for an earlier one of another host.
ORDER_WAIT = 1.0
#: Seconds between two attempts to send what another host published.
RETRY_AFTER = 2.0
#: Seconds without a heartbeat after which a host counts as dead.
HOST_TIMEOUT = 10.0
#: Attempts after which files that nobody sent are built again.
REBUILD_AFTER = 2

#: Requests that files be built again. Returns the paths for which no artifact exists any more.
Rebuild = Callable[[Sequence[str]], set[str]]

#: What remains after this host has sent what is due: nothing, publications that will be due in a moment, or
#: publications that other hosts send first.
Remaining = Literal["done", "busy", "waiting"]


def rebuild_nothing(paths: Sequence[str]) -> set[str]:
    """The `Rebuild` of a host that builds nothing."""
    return set(paths)


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Changes of one host of origin to send, and how far that moves the target's cursor."""

    #: What the target has confirmed before and after.
    before: Position
    after: Position
    #: The publications sent, superseded ones included, are those after the first number up to the second.
    cursor: int
    through: int
    changes: list[PublishedChange]
    #: Publications of the range that this host's docroot lacks.
    missing: int
    #: Whether this host published it.
    is_own: bool


class SendPlan:
    """Plans what this host sends to one target."""

    def __init__(self, target: Target, host: str, several_hosts: bool, rebuild: Rebuild) -> None:
        self._target = target
        self._host = host
        self._several_hosts = several_hosts
        self._rebuild = rebuild
        #: How much of a backlog to send at a time.
        self.stretch = Stretch(BATCH_SIZE)
        #: By host of origin: when to try again to send what that host has not sent, and attempts so far.
        self._retry_at: dict[str, float] = {}
        self._attempts: Counter[str] = Counter()

    def due(self) -> tuple[list[str], Remaining]:
        """Return the hosts whose publications are to be sent from here now, and what remains after that."""
        due, waits = list[str](), set[Remaining]()
        for origin in journal.origins():
            cursor = cursors.read(self._target, origin)
            if journal.newest(origin) <= cursor:
                continue
            otherwise: Remaining
            if self._is_own(origin):
                is_due, otherwise = self._is_next(origin, cursor), "busy"
            else:
                is_due, otherwise = self._is_overdue(origin, cursor), "waiting"
            if is_due:
                due.append(origin)
            else:
                waits.add(otherwise)
        return due, "busy" if "busy" in waits else "waiting" if waits else "done"

    def next_batch(self, origin: str) -> SendBatch | None:
        """Return the next publications of `origin` to send, ahead of a backlog if there is one.

        None if there are none, or if another host has sent them meanwhile. Call it while the target's lease is held.
        """
        position, below = cursors.position(self._target, origin), self._below(origin)
        if below is None:
            return None
        found = journal.latest_after(origin, position.front, BATCH_SIZE, below)
        if found.through == position.front:
            return None
        after = None
        if self.stretch.is_far(found.changes):
            newest = journal.latest_numbered(origin, below - 1, self.stretch.files + 1, position.front)
            after = self.stretch.newest_begin_after(newest)
        if after is None:
            return self._batch(origin, position, position.front, found)
        return self._batch(origin, position, after, journal.latest_after(origin, after, BATCH_SIZE, below))

    def next_backlog(self, origin: str) -> SendBatch | None:
        """Return the next stretch of the backlog of `origin`; None if there is none. Call it as `next_batch`."""
        position, below = cursors.position(self._target, origin), self._below(origin, backlog=True)
        if not position.has_backlog or below is None:
            return None
        end = min(position.ahead_after + 1, below)
        found = journal.latest_after(origin, position.through, self.stretch.files, end)
        return self._batch(origin, position, position.through, self.stretch.cut(found))

    def is_far_behind(self, origins: Sequence[str]) -> bool:
        """Whether the target has yet to be sent a backlog of one of these hosts."""
        return any(cursors.position(self._target, origin).has_backlog for origin in origins)

    def by_age(self, origins: Sequence[str]) -> list[str]:
        """Return these hosts by how old the next publication is that the target lacks, the oldest first."""
        return sorted(origins, key=lambda origin: cursors.read(self._target, origin))

    def reach(self, origin: str) -> int:
        """Return the publication up to which one push after the cursor may have reached, in any size."""
        return journal.latest_after(origin, cursors.read(self._target, origin), BATCH_SIZE).through

    def _batch(self, origin: str, before: Position, cursor: int, found: JournalRange) -> SendBatch | None:
        """Return what of a range of the journal this host's docroot has, and how far that moves the position."""
        own, docroot = self._is_own(origin), self._target.docroot
        if self._several_hosts:
            deletions.apply(found.changes, docroot, self._host)
        applied = file_lists.are_applied(found.changes, docroot, check_digest=not own)
        changes = [change for change, here in zip(found.changes, applied, strict=True) if here]
        missing = [
            (number, change.path)
            for number, change, here in zip(found.numbers, found.changes, applied, strict=True)
            if not here
        ]
        through = self._through_despite(origin, missing, found.through) if missing else found.through
        after = before.having(cursor, through)
        if not changes and after == before:
            return None
        return SendBatch(before, after, cursor, through, changes, len(missing), own)

    def _below(self, origin: str, *, backlog: bool = False) -> int | None:
        """Return the number before which publications of `origin` are to be sent from here; None if none are."""
        if self._is_own(origin):
            return (None if backlog else self._first_of_others()) or journal.newest(origin) + 1
        return self._overdue_below(origin, cursors.read(self._target, origin))

    def _is_own(self, origin: str) -> bool:
        return not self._several_hosts or origin == self._host

    def _is_next(self, origin: str, cursor: int) -> bool:
        """Whether no earlier publication of another host waits."""
        if (earliest := self._first_of_others()) is None:
            return True
        first = journal.first_latest_after(origin, cursor)
        return first is None or first < earliest

    def _is_overdue(self, origin: str, cursor: int) -> bool:
        """Whether a publication of another host has waited too long, and it is time to try to send it."""
        return clock.monotonic() >= self._retry_at.get(origin, 0) and self._overdue_below(origin, cursor) is not None

    def _overdue_below(self, origin: str, cursor: int) -> int | None:
        """Return the number below which publications of another host have waited too long; None if none has."""
        now = db.now()
        since, until = now - TAKEOVER_AFTER, now + SLACK  # later than that is by a clock that ran ahead: it is old
        oldest = journal.oldest_after(origin, cursor)
        if oldest is None or since < oldest <= until:
            return None
        return journal.first_since(origin, cursor, since, until) or journal.newest(origin) + 1

    def _first_of_others(self) -> int | None:
        """Return the first recent publication of another host that waits. It goes before later ones of this host."""
        if not self._several_hosts:
            return None
        now = db.now()
        since, until = now - ORDER_WAIT, now + SLACK
        found = [
            first
            for origin in journal.origins()
            if not self._is_own(origin) and origin != self._target.peer
            if (first := self._first_recent(origin, since, until)) is not None
        ]
        return min(found, default=None)

    def _first_recent(self, origin: str, since: float, until: float) -> int | None:
        return journal.first_latest_since(origin, cursors.position(self._target, origin).front, since, until)

    def _through_despite(self, origin: str, missing: Sequence[tuple[int, str]], through: int) -> int:
        """Return how far the cursor may move although this host's docroot lacks some files, and have them rebuilt."""
        paths = [path for _, path in missing]
        if self._is_own(origin):
            self._rebuild(paths)  # published anew, they come again with a greater number
            return through
        self._retry_at[origin] = clock.monotonic() + RETRY_AFTER
        self._attempts[origin] += 1
        if self._attempts[origin] < REBUILD_AFTER or any_alive(origin):
            return missing[0][0] - 1
        self._attempts[origin] = 0
        unknown = self._rebuild(paths)
        awaited = [number for number, path in missing if path not in unknown]
        return awaited[0] - 1 if awaited else through


def any_alive(*hosts: str) -> bool:
    """Return whether a process of one of these hosts has sent a heartbeat lately."""
    now = db.now()
    return any(
        row.host in hosts and now - HOST_TIMEOUT < row.beat_at <= now + SLACK for row in processes.list_processes()
    )
