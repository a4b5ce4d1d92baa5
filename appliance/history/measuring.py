"""Measures each minute after it has ended, from the queue, the journal and the cursors.

Guarantees that nothing counts twice: a minute that is written already is left as it is, and a publication's way to the
front ends is measured once, in the minute in which the last of them confirmed it. A front end that is paused or away is
waited for: its pages are not everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from appliance import db
from appliance.config import Config
from appliance.delivery import confirmations, cursors, journal
from appliance.delivery.targets import front_ends
from appliance.history.minutes import MINUTE, insert, last_minute, prune
from appliance.history.plans import Plans
from appliance.history.tally import Tally

#: Seconds after the end of a minute until it is measured, since a transaction that it began in may not be committed.
_PATIENCE: Final = 3.0
#: Minutes that are measured belatedly, after a time in which no schedule ran.
_CAUGHT_UP: Final = 1440
#: Publications read at once.
_ROWS: Final = 5000


def next_due() -> float:
    """When the next minute can be measured, in seconds since the epoch."""
    last = last_minute()
    return 0.0 if last is None else last + 2 * MINUTE + _PATIENCE


def measure(config: Config, stopping: Callable[[], bool] = lambda: False) -> int:
    """Measure the minutes that have ended since the last time; returns how many. Ends early if `stopping` says so."""
    now, last = db.now(), last_minute()
    newest = int((now - _PATIENCE) // MINUTE - 1) * MINUTE
    first = newest if last is None else max(last + MINUTE, newest - (_CAUGHT_UP - 1) * MINUTE)
    measured = 0
    for at in range(first, newest + 1, MINUTE):
        if stopping():
            break
        # Nothing is locked while much is read.
        with db.snapshot():
            tally = Tally(at)
            _count_jobs(tally, with_pending=at == newest)
            reached = {origin: _measure_origin(tally, config, origin) for origin in journal.origins()}
        measured += _save(tally, reached)
    with db.write():
        prune(now)
    return measured


def _save(tally: Tally, reached: dict[str, int | None]) -> bool:
    """Write a minute, unless another host did meanwhile; returns whether it is written now."""
    with db.write():
        db.acquire_lock("measure")
        minutes = tally.minutes()
        if not insert("", minutes.pop("")):
            return False
        for site, minute in minutes.items():
            insert(site, minute)
        for origin, publication in reached.items():
            if publication is not None:
                db.execute(_MOVE, [origin, publication])
    return True


_MOVE: Final = """
INSERT INTO measured_origin (origin, publication) VALUES (?, ?)
ON CONFLICT (origin) DO UPDATE SET publication = excluded.publication
"""

# The condition is that of an index, literally.
_DONE: Final = """
SELECT scope, kind, outcome, COUNT(*) FROM job
WHERE state IN ('done', 'superseded', 'cancelled') AND state = 'done' AND finished_at >= ? AND finished_at < ?
GROUP BY scope, kind, outcome
"""
_FAILED: Final = """
SELECT scope, COUNT(*) FROM job WHERE state = 'failed' AND finished_at >= ? AND finished_at < ? GROUP BY scope
"""
_PENDING: Final = "SELECT scope, COUNT(*) FROM job WHERE state = 'pending' GROUP BY scope"


def _count_jobs(tally: Tally, *, with_pending: bool) -> None:
    """Count the jobs that ended in the minute, and those that wait now."""
    within = [tally.at, tally.at + MINUTE]
    for scope, kind, outcome, number in db.execute(_DONE, within).fetchall():
        tally.count(scope, "done", number)
        if kind == "publish" and outcome == "unchanged":
            tally.count(scope, "unchanged", number)
    for scope, number in db.execute(_FAILED, within).fetchall():
        tally.count(scope, "failed", number)
    if with_pending:
        tally.count("", "pending", 0)
        for scope, number in db.execute(_PENDING).fetchall():
            tally.count(scope, "pending", number)


class _Publication(NamedTuple):
    """A publication, with the time and the site of its job if that is still known."""

    id: int
    at: float
    asked_at: float | None
    site: str


_PUBLICATIONS: Final = """
SELECT p.id, p.at, j.created_at, COALESCE(j.scope, '') FROM publication p LEFT JOIN job j ON j.id = p.job
WHERE p.origin = ? AND
"""


def _read(where: str, values: Sequence[object]) -> list[_Publication]:
    return [_Publication(*row) for row in db.execute(f"{_PUBLICATIONS} {where}", values).fetchall()]


def _measure_origin(tally: Tally, config: Config, origin: str) -> int | None:
    """Measure what a host published, and what of it reached the last front end; returns how far all of them are."""
    targets = front_ends(config)
    published = _read("p.at >= ? AND p.at < ?", [origin, tally.at, tally.at + MINUTE])
    for one in published:
        tally.count(one.site, "published", 1)
        if one.asked_at is not None:
            tally.time(one.site, "to_published", one.at - one.asked_at)
    if not targets:
        _time_changes(tally, [(one, one.at) for one in published])
        return None
    after = _measured(origin, tally.at)
    positions = {target.name: cursors.read(target, origin) for target in targets}
    steps = confirmations.steps(positions, origin, after, tally.at + MINUTE)
    for some in _delivered(origin, after, steps):
        for one, at in some:
            tally.time(one.site, "to_everywhere", at - one.at)
        _time_changes(tally, some)
    return steps[-1].publication if steps else after


def _measured(origin: str, at: int) -> int:
    """The publication up to which the way to the front ends is measured; at first the last one before the minute."""
    row = db.execute("SELECT publication FROM measured_origin WHERE origin = ?", [origin]).fetchone()
    if row is None:
        row = db.execute("SELECT MAX(id) FROM publication WHERE origin = ? AND at < ?", [origin, at]).fetchone()
    return int(row[0] or 0)


def _delivered(
    origin: str, after: int, steps: Sequence[confirmations.Step]
) -> Iterator[list[tuple[_Publication, float]]]:
    """The publications of some steps, each with the moment when the last front end had it, some thousand at a time."""
    waiting = iter(steps)
    step = next(waiting, None)
    while step is not None:
        some = _read("p.id > ? AND p.id <= ? ORDER BY p.id LIMIT ?", [origin, after, steps[-1].publication, _ROWS])
        found = []
        for one in some:
            while step is not None and step.publication < one.id:
                step = next(waiting, None)
            if step is not None and step.at is not None:
                found.append((one, step.at))
        yield found
        if len(some) < _ROWS:
            return
        after = some[-1].id


def _time_changes(tally: Tally, ended: Sequence[tuple[_Publication, float]]) -> None:
    """Count how long it took from the change behind each publication until a moment."""
    asked = [one.asked_at for one, _ in ended if one.asked_at is not None]
    if not asked:
        return
    plans = Plans({one.site for one, _ in ended}, min(asked))
    for one, at in ended:
        if one.asked_at is not None:
            tally.time(one.site, "overall", at - plans.changed_at(one.site, one.asked_at))
