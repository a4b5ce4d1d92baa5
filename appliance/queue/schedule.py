"""Periodic tasks: each due time is served once, by one host, and none is forgotten.

A task is due by a rule (`times`) or when its content says so (`moment`: the next entry to publish). A due time is
claimed by one conditional statement on the row of the task, by the database's clock, whoever else tries at the same
moment; the row says which due time was served last, so a restart neither repeats nor shifts anything. After downtime
there is one run for all the times missed. What fails is kept with its error and tried at the next due time, or after a
pause if its time is its own. A host that dies in the middle of a run leaves a lease, and when that has run out the same
due time is served again: what a task does must bear being done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance import clock, db, telemetry
from appliance.db import NOW
from appliance.errors import ApplianceError, QueueError
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.times import Rule
from appliance.queue.worker import Wake

log = telemetry.logger("schedule")

#: Seconds a run may be silent before it counts as lost.
LEASE = 60.0
#: Seconds after which a task that is due by its content is tried again when it failed.
PAUSE = 30.0
#: Seconds between two runs of such a task, were it to say that it is due still.
REST = 0.5
#: Seconds after which the schedule looks at the clock again, however far the next due time: clocks are set.
_LOOK = 15.0
#: Seconds between a commit somewhere and a look at what it made due.
_GATHER = 0.2


@dataclass(frozen=True)
class Task:
    """Something done periodically; exactly one of `rule` and `moment` says when."""

    name: str
    #: Does it; returns what it did, in words, or nothing when there was nothing to do.
    run: Callable[[], str]
    rule: Rule | None = None
    #: The moment the next work is due, in the past when it is due already; None when there is none.
    moment: Callable[[], float | None] | None = None

    def __post_init__(self) -> None:
        if (self.rule is None) == (self.moment is None):
            raise QueueError(f"the periodic task “{self.name}” needs either a rule or a moment; give it one of them")


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a task. Moments are seconds since the epoch on the database's clock."""

    name: str
    due_at: float
    done_at: float
    did: str
    #: The sentence of what went wrong; None when nothing did.
    error: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands, for reports."""

    name: str
    #: The due time that was served last, when that was done and by which host; None before the first.
    due_at: float | None
    done_at: float | None
    host: str
    error: str | None
    #: When it is due next; None when nothing is.
    next_at: float | None


# A row is claimed when its due time is newer than the one served, or when that one's run was lost; never while a run
# goes on. One from the time of a clock that was set wrong, later than any due time can be, does not count.
_CLAIM = f"""
INSERT INTO periodic (name, due_at, host, lease_until) VALUES (?, ?, ?, {NOW} + ?)
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at, host = excluded.host, lease_until = excluded.lease_until
WHERE (periodic.lease_until IS NULL OR periodic.lease_until < {NOW} OR periodic.lease_until > {NOW} + 2 * ?)
  AND (periodic.lease_until IS NOT NULL OR periodic.due_at < excluded.due_at OR periodic.due_at > ?)
RETURNING name
"""
_RENEW = f"UPDATE periodic SET lease_until = {NOW} + ? WHERE name = ? AND host = ? AND due_at = ?"
_END = f"""
UPDATE periodic SET lease_until = NULL, done_at = {NOW}, error = ?
WHERE name = ? AND host = ? AND due_at = ? AND lease_until IS NOT NULL RETURNING done_at
"""


class Schedule:
    """The periodic tasks of an installation, as one process of one host serves them."""

    def __init__(self, tasks: Sequence[Task], who: str, *, lease: float = LEASE) -> None:
        """`who` names this process among all of all hosts."""
        self.tasks = tasks
        self._who = who
        self._lease = lease

    def run_due(self, stopping: Callable[[], bool] = lambda: False) -> list[Ran]:
        """Run what is due now, one after the other; returns what was run here."""
        return [ran for task in self.tasks if not stopping() and (ran := self._serve(task))]

    def next_due(self) -> float | None:
        """When something is due next, in seconds since the epoch; in the past when something is due already."""
        return min((at for task in self.tasks if (at := self.standing(task).next_at) is not None), default=None)

    def run(self, stopping: Callable[[], bool], wake: Wake, doing: Callable[[str], None] = lambda _words: None) -> None:
        """Serve the tasks until `stopping` says to stop.

        Args:
            stopping: asked between runs and while waiting; `wake` is to ask it too.
            wake: told of commits, which may make something due earlier.
            doing: told what goes on, in words.
        """
        while not stopping():
            for ran in self.run_due(stopping):
                _tell(ran)
            due, now = self.next_due(), db.now()
            doing("waiting" if due is None else f"waiting {max(0.0, due - now):.0f} s")
            rest = _LOOK if due is None else min(_LOOK, max(0.0, due - now))
            if rest and wake.wait(rest) and not stopping():
                clock.sleep(min(_GATHER, rest))

    def standing(self, task: Task) -> Standing:
        """Where `task` stands."""
        row = db.execute("SELECT due_at, done_at, host, error, lease_until FROM periodic WHERE name = ?", [task.name])
        due_at, done_at, host, error, lease_until = row.fetchone() or (None, None, "", None, None)
        return Standing(task.name, due_at, done_at, host, error, self._next(task, due_at, done_at, error, lease_until))

    def _next(
        self, task: Task, due_at: float | None, done_at: float | None, error: str | None, lease_until: float | None
    ) -> float | None:
        """When `task` can be served next."""
        now = db.now()
        if task.rule:
            latest, following = task.rule.latest(now), task.rule.following(now)
            due: float | None = latest if due_at is None or due_at < latest or due_at > following else following
        else:
            due = task.moment() if task.moment else None
            if due is not None and done_at is not None and done_at <= now:
                due = max(due, done_at + (REST if error is None else PAUSE))
        if lease_until is None or lease_until > now + 2 * self._lease:
            return due
        if lease_until > now:
            return lease_until  # a run goes on; should it be lost, it is due again then
        return now if due is None else min(due, now)

    def _serve(self, task: Task) -> Ran | None:
        """Run a task if it is due and nobody else does."""
        due = self._due(task)
        if due is None or not self._claim(task, due):
            return None
        did, error = "", None
        try:
            with Heartbeat(lambda: self._renew(task, due), self._lease / 3):
                did = task.run()
        except Exception as fault:  # a task's failure is its own
            error = str(fault) if isinstance(fault, ApplianceError) else f"{type(fault).__name__}: {fault}"
            log.exception("periodic task failed", task=task.name)
        with db.write():
            ended = db.execute(_END, [error, task.name, self._who, due]).fetchone()
        return Ran(task.name, due, ended[0] if ended else db.now(), did, error)

    def _due(self, task: Task) -> float | None:
        """The due time to serve now, None when there is none."""
        standing, now = self.standing(task), db.now()
        if standing.next_at is None or standing.next_at > now:
            return None
        return task.rule.latest(now) if task.rule else now

    def _claim(self, task: Task, due: float) -> bool:
        latest = task.rule.following(due) if task.rule else due
        with db.write():
            values = [task.name, due, self._who, self._lease, self._lease, latest]
            return db.execute(_CLAIM, values).fetchone() is not None

    def _renew(self, task: Task, due: float) -> None:
        with db.write():
            db.execute(_RENEW, [self._lease, task.name, self._who, due])


def _tell(ran: Ran) -> None:
    if ran.did and not ran.error:
        log.info("periodic task done", task=ran.name, did=ran.did, late=round(ran.done_at - ran.due_at, 1))
