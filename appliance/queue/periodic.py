"""Periodic tasks: each due time is served once, by one host, and none is forgotten.

A task is due by a rule (`recurrence`) or at a time that the content decides (`next_time`: the next scheduled entry). A
process claims a due time with one conditional statement on the row of the task, by the database's clock. The row holds
the due time that was served last, so a restart neither repeats nor shifts anything, and one run covers all times missed
while no process was running.

A failed run is recorded with its error. It is repeated at the next due time, or after `RETRY_DELAY` seconds if the task
has no rule. A host that dies during a run leaves a lease; when it expires, the same due time is served again. So tasks
must be idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance import audit, clock, db, logging
from appliance.actor import SCHEDULE, acting
from appliance.db import NOW
from appliance.errors import ApplianceError, QueueError
from appliance.queue import periodic_history
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.periodic_history import RunRow
from appliance.queue.recurrence import Rule
from appliance.queue.worker import Wake

log = logging.get_logger("schedule")

#: Seconds without a heartbeat after which a run counts as lost.
LEASE = 60.0
#: Seconds until a failed task without a rule is run again.
RETRY_DELAY = 30.0
#: Least number of seconds between two runs of a task without a rule.
MIN_DELAY = 0.5
#: The longest sleep in seconds, however far away the next due time is, since the clock may be changed meanwhile.
_LOOK = 15.0
#: Seconds between a commit and the check whether it made a task due.
_GATHER = 0.2


@dataclass(frozen=True)
class PeriodicTask:
    """A periodic task. Exactly one of `rule` and `next_time` decides when it is due."""

    name: str
    #: Runs the task and returns a short description of the work done, or an empty string if there was none.
    run: Callable[[], str]
    rule: Rule | None = None
    #: Returns when work is due next, in the past if it is due already; None if there is none.
    next_time: Callable[[], float | None] | None = None

    def __post_init__(self) -> None:
        if (self.rule is None) == (self.next_time is None):
            raise QueueError(f"the periodic task “{self.name}” needs either a rule or a moment; give it one of them")


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of a task. Times are seconds since the epoch on the database's clock."""

    name: str
    due_at: float
    done_at: float
    did: str
    #: The error message; None if the run succeeded.
    error: str | None


@dataclass(frozen=True, slots=True)
class TaskState:
    """The state of a task, for reports."""

    name: str
    #: The due time that was served last, when that run ended, and its host. The times are None before the first run.
    due_at: float | None
    done_at: float | None
    host: str
    error: str | None
    #: When the task is due next; None if it is not.
    next_at: float | None


@dataclass(frozen=True, slots=True)
class TaskOverview:
    """A task with its state, for people."""

    task: PeriodicTask
    state: TaskState
    #: The process that is running it; empty while none is.
    runs_on: str
    #: Whether somebody asked for a run that has not begun.
    is_asked_for: bool


# A claim succeeds if its due time is newer than the one served last, or if the last run was lost, and never during a
# run. A stored due time or lease later than the rule allows comes from a clock that was wrong, and is ignored.
_CLAIM = f"""
INSERT INTO periodic (name, due_at, host, lease_until) VALUES (?, ?, ?, {NOW} + ?)
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at, host = excluded.host, lease_until = excluded.lease_until
WHERE (periodic.lease_until IS NULL OR periodic.lease_until < {NOW} OR periodic.lease_until > {NOW} + 2 * ?)
  AND (periodic.lease_until IS NOT NULL OR periodic.due_at < excluded.due_at OR periodic.due_at > ?)
RETURNING {NOW}
"""
_RENEW = f"UPDATE periodic SET lease_until = {NOW} + ? WHERE name = ? AND host = ? AND due_at = ?"
_END = f"""
UPDATE periodic SET lease_until = NULL, done_at = {NOW}, error = ?
WHERE name = ? AND host = ? AND due_at = ? AND lease_until IS NOT NULL RETURNING done_at
"""

_LEASES = "SELECT name, host, lease_until FROM periodic WHERE lease_until IS NOT NULL"

# As if a run had been lost: the task is due at once, by the statement that claims it. A run in progress goes on.
_REQUEST = """
INSERT INTO periodic (name, due_at, host, lease_until) VALUES (?, 0, '', 0)
ON CONFLICT (name) DO UPDATE SET lease_until = 0 WHERE periodic.lease_until IS NULL
"""
_GIVE_UP = "UPDATE periodic SET lease_until = 0 WHERE name = ? AND due_at = ? AND host = ? AND lease_until IS NOT NULL"


class Schedule:
    """Runs the periodic tasks of an installation in one process."""

    def __init__(self, tasks: Sequence[PeriodicTask], who: str, *, lease: float = LEASE) -> None:
        """`who` is the name of this process, unique among all hosts."""
        self.tasks = tasks
        self._who = who
        self._lease = lease
        #: The task and due time of a run that an outage of the database ended. Its lease is given up once it is over.
        self._broken_off: tuple[str, float] | None = None

    def run_due(self, stopping: Callable[[], bool] = lambda: False) -> list[TaskRun]:
        """Run the tasks that are due now, one after the other; returns the runs of this process."""
        if self._broken_off:
            with db.write():
                db.execute(_GIVE_UP, [*self._broken_off, self._who])
            self._broken_off = None
        return [ran for task in self.tasks if not stopping() and (ran := self._serve(task))]

    def request_run(self, name: str) -> None:
        """Have the task with this name run now, by whichever host is first. One that is running is not run again.

        Raises:
            QueueError: there is no such task.
        """
        self._refuse_unknown(name)
        with db.write():
            db.execute(_REQUEST, [name])
            audit.record("periodic.run", "periodic task", name, label=name)
            db.notify()

    def runs_of(self, name: str) -> list[RunRow]:
        """The last runs of the task with this name, the newest first.

        Raises:
            QueueError: there is no such task.
        """
        self._refuse_unknown(name)
        return periodic_history.read(name)

    def _refuse_unknown(self, name: str) -> None:
        if name not in {task.name for task in self.tasks}:
            raise QueueError(f"there is no periodic task “{name}”; periodic --list names them")

    def next_due(self) -> float | None:
        """When the next task is due, in seconds since the epoch; in the past if one is due already."""
        return min((at for task in self.tasks if (at := self.state(task).next_at) is not None), default=None)

    def run(self, stopping: Callable[[], bool], wake: Wake, doing: Callable[[str], None] = lambda _words: None) -> None:
        """Run tasks as they become due, until `stopping` returns true.

        Args:
            stopping: called between runs; the waits of `wake` must call it too.
            wake: waits for commits, which may make a task due earlier.
            doing: called with a description of the current activity.
        """
        while not stopping():
            for ran in self.run_due(stopping):
                _tell(ran)
            due, now = self.next_due(), db.now()
            doing("waiting" if due is None else f"waiting {max(0.0, due - now):.0f} s")
            rest = _LOOK if due is None else min(_LOOK, max(0.0, due - now))
            if rest and wake.wait(rest) and not stopping():
                clock.sleep(min(_GATHER, rest))

    def state(self, task: PeriodicTask) -> TaskState:
        """The state of `task`."""
        return self.states([task])[0]

    def states(self, tasks: Sequence[PeriodicTask] | None = None) -> list[TaskState]:
        """The states of some tasks, or of all, in their order, by one query besides what tell the tasks themselves."""
        chosen = self.tasks if tasks is None else tasks
        rows = db.execute(
            "SELECT name, due_at, done_at, host, error, lease_until FROM periodic"
            f" WHERE name IN ({db.placeholders(len(chosen)) or 'NULL'})",
            [task.name for task in chosen],
        )
        known, now = {name: row for name, *row in rows.fetchall()}, db.now()
        found = []
        for task in chosen:
            due_at, done_at, host, error, lease_until = known.get(task.name) or (None, None, "", None, None)
            next_at = self._next(task, now, due_at, done_at, error, lease_until)
            found.append(
                TaskState(task.name, due_at, done_at, host, error, None if next_at is None else float(next_at))
            )
        return found

    def overview(self) -> list[TaskOverview]:
        """All tasks with their states, in their order."""
        leases = {name: (host, until) for name, host, until in db.execute(_LEASES).fetchall()}
        now, found = db.now(), []
        for task, state in zip(self.tasks, self.states(), strict=True):
            host, until = leases.get(task.name, ("", -1.0))
            runs = now < until < now + 2 * self._lease
            found.append(TaskOverview(task, state, host if runs else "", until == 0))
        return found

    def _next(
        self,
        task: PeriodicTask,
        now: float,
        due_at: float | None,
        done_at: float | None,
        error: str | None,
        lease_until: float | None,
    ) -> float | None:
        """When `task` can be served next."""
        if task.rule:
            latest, following = task.rule.latest(now), task.rule.next_after(now)
            due: float | None = latest if due_at is None or due_at < latest or due_at > following else following
        else:
            due = task.next_time() if task.next_time else None
            if due is not None and done_at is not None and done_at <= now:
                due = max(due, done_at + (MIN_DELAY if error is None else RETRY_DELAY))
        if lease_until is None or lease_until > now + 2 * self._lease:
            return due
        if lease_until > now:
            return lease_until  # a run is in progress; if it is lost, the task is due again then
        return now if due is None else min(due, now)

    def _serve(self, task: PeriodicTask) -> TaskRun | None:
        """Run a task if it is due and no other process is running it."""
        due = self._due(task)
        started_at = None if due is None else self._claim(task, due)
        if due is None or started_at is None:
            return None
        did, error = "", None
        try:
            with Heartbeat(lambda: self._renew(task, due), self._lease / 3), acting(SCHEDULE):
                did = task.run()
        except Exception as fault:  # a failing task must not stop the schedule
            if db.is_unavailable(fault):
                self._broken_off = (task.name, due)
                raise
            error = str(fault) if isinstance(fault, ApplianceError) else f"{type(fault).__name__}: {fault}"
            log.exception("periodic task failed", task=task.name)
        with db.write():
            ended = db.execute(_END, [error, task.name, self._who, due]).fetchone()
            if ended:
                periodic_history.record(task.name, started_at, self._who, did=did, error=error or "")
        return TaskRun(task.name, due, ended[0] if ended else db.now(), did, error)

    def _due(self, task: PeriodicTask) -> float | None:
        """The due time to serve now; None if the task is not due."""
        state, now = self.state(task), db.now()
        if state.next_at is None or state.next_at > now:
            return None
        return task.rule.latest(now) if task.rule else now

    def _claim(self, task: PeriodicTask, due: float) -> float | None:
        """Claim a due time; returns when, by the database's clock, or None if another process has it."""
        latest = task.rule.next_after(due) if task.rule else due
        with db.write():
            values = [task.name, due, self._who, self._lease, self._lease, latest]
            claimed = db.execute(_CLAIM, values).fetchone()
        return float(claimed[0]) if claimed else None

    def _renew(self, task: PeriodicTask, due: float) -> None:
        with db.write():
            db.execute(_RENEW, [self._lease, task.name, self._who, due])


def _tell(ran: TaskRun) -> None:
    if ran.did and not ran.error:
        log.info("periodic task done", task=ran.name, did=ran.did, late=round(ran.done_at - ran.due_at, 1))
