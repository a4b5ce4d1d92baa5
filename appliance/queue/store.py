"""The state machine of jobs, in SQL. It starts no processes and does not depend on any job kind.

Guarantees the fold (unique indexes allow at most one pending and one running job for each key) and the fence (a run is
identified by (id, attempt), and a worker that no longer holds it cannot change anything). A run that fails or is
released while a newer job for its key is pending becomes superseded in the same statement, so the two never collide.

All times are read from the database's clock. Every function runs in one write transaction or joins the caller's.
`release` and `rescue` use one transaction for each run, because a transaction that holds several rows while it waits
for another could deadlock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from peewee import IntegrityError

from appliance import db
from appliance.db import NOW
from appliance.queue import attempts, future_times
from appliance.queue.failures import FailureDetails, group_of
from appliance.queue.future_times import SLACK, is_from_future
from appliance.queue.models import STATES, BadEnd, State

#: Default length of a lease, in seconds.
LEASE = 30.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One run of one job, held by a worker. (id, attempt) is the fence."""

    id: int
    attempt: int
    kind: str
    key: str
    scope: str
    priority: int
    failures: int
    payload: str | None


# COALESCE keeps query planners from finding jobs by kind and sorting them all; they read the index job_order instead.
# MATERIALIZED makes them pick the rows once, however they join the update.
_CLAIM = f"""
WITH picked AS MATERIALIZED (
    SELECT j.id FROM job AS j
    WHERE j.state = 'pending' AND (j.run_at <= {NOW} OR {is_from_future("j", NOW)})
      AND COALESCE(j.kind, '') IN ({{kinds}}) {{keys}}
      AND NOT EXISTS (SELECT 1 FROM job AS r WHERE r.kind = j.kind AND r.key = j.key AND r.state = 'running')
      AND (j.every = 0 OR NOT EXISTS (
        SELECT 1 FROM throttle AS t WHERE t.kind = j.kind AND t.key = j.key AND t.until > {NOW}
          AND t.until <= {NOW} + j.every + {SLACK}))
    ORDER BY j.rank, j.id LIMIT ? {{skip_locked}})
UPDATE job SET state = 'running', worker = ?, attempt = attempt + 1, claimed_at = {NOW}, lease_until = {NOW} + ?
WHERE id IN (SELECT id FROM picked)
RETURNING id, attempt, kind, key, scope, priority, failures, payload, rank
"""


def claim(
    worker: str, kinds: Sequence[str], limit: int, lease: float, *, keys: Sequence[str] | None = None
) -> list[Claim]:
    """Claim up to `limit` due jobs of `kinds` for `worker`, the most urgent first, for `lease` seconds.

    A job is not claimed while another job of its key is running. With `keys`, only jobs of those keys are claimed.
    """
    with db.write():
        db.prefer_index_order()
        among = "" if keys is None else f"AND j.key IN ({db.placeholders(len(keys)) or 'NULL'})"
        claiming = _CLAIM.format(kinds=db.placeholders(len(kinds)), keys=among, skip_locked=db.skip_locked())
        rows = db.execute(claiming, [*kinds, *(keys or ()), limit, worker, lease]).fetchall()
    rows.sort(key=lambda row: (row[8], row[0]))  # RETURNING guarantees no order
    return [Claim(*row[:8]) for row in rows]


def _fence(claims: Sequence[Claim]) -> tuple[str, list[int]]:
    # The ids occur twice: a list of ids uses the primary key, a list of pairs does not.
    ids, pairs = db.placeholders(len(claims)), db.placeholders(len(claims), 2)
    return (
        f"id IN ({ids}) AND state = 'running' AND (id, attempt) IN (VALUES {pairs})",
        [claim.id for claim in claims] + [v for claim in claims for v in (claim.id, claim.attempt)],
    )


def heartbeat(claims: Sequence[Claim], lease: float) -> set[int]:
    """Renew the leases of the claims that are still held; returns their ids."""
    where, values = _fence(claims)
    with db.write():
        rows = db.execute(f"UPDATE job SET lease_until = {NOW} + ? WHERE {where} RETURNING id", [lease, *values])
        return {row[0] for row in rows.fetchall()}


def lock_held(claims: Sequence[Claim]) -> set[int]:
    """Lock the claims that are still held until the transaction ends; returns their ids."""
    where, values = _fence(claims)
    rows = db.execute(f"SELECT id FROM job WHERE {where} {db.for_update()}", values).fetchall()
    return {row[0] for row in rows}


_FINISH = f"""
UPDATE job SET state = 'done', outcome = ?, finished_at = {NOW}, lease_until = NULL,
               error_class = NULL, error_message = NULL, error_trace = NULL
WHERE %s RETURNING kind, key, every
"""

# Rows are locked in the order that administration.retry uses, so that the two cannot deadlock.
_RESOLVE = f"""
WITH done (kind, key) AS (VALUES %s)
UPDATE job SET state = 'superseded', finished_at = {NOW}
WHERE id IN (SELECT f.id FROM done JOIN job AS f ON f.kind = done.kind AND f.key = done.key
             WHERE f.state = 'failed' ORDER BY f.id %s)
"""

# A key with a minimum interval may run again only after that interval.
_THROTTLE = f"""
WITH done (kind, key, every) AS (VALUES %s)
INSERT INTO throttle (kind, key, since, until) SELECT kind, key, {NOW}, {NOW} + every FROM done WHERE true
ON CONFLICT (kind, key) DO UPDATE SET since = excluded.since, until = excluded.until
"""
# Claims check the interval too; this sets the due time of the follow-up. A row that another transaction is enqueueing
# right now is skipped rather than waited for.
_HOLD_BACK = """
WITH done (kind, key) AS (VALUES %s),
     held AS (SELECT w.id FROM done JOIN job AS w ON w.kind = done.kind AND w.key = done.key
              WHERE w.state = 'pending' AND w.every > 0 %s)
UPDATE job SET run_at = t.until
FROM throttle AS t
WHERE job.kind = t.kind AND job.key = t.key AND job.run_at < t.until AND job.id IN (SELECT id FROM held)
"""


def complete(outcomes: Mapping[Claim, str]) -> None:
    """End runs successfully, each as 'changed' or 'unchanged'. Claims that lost their lease are skipped.

    Failed jobs of the same keys become superseded.
    """
    with db.write():
        done: list[tuple[str, str, float]] = []
        for outcome in set(outcomes.values()):
            where, values = _fence([c for c, o in outcomes.items() if o == outcome])
            done += db.execute(_FINISH % where, [outcome, *values]).fetchall()
        if done:
            keys = [v for kind, key, _ in done for v in (kind, key)]
            db.execute(_RESOLVE % (db.placeholders(len(done), 2), db.for_update("f")), keys)
            _hold_back([row for row in done if row[2] > 0])


def _hold_back(ended: Sequence[tuple[str, str, float]]) -> None:
    if ended:
        db.execute(_THROTTLE % db.placeholders(len(ended), 3), [v for row in ended for v in row])
        keys = [v for kind, key, _ in ended for v in (kind, key)]
        db.execute(_HOLD_BACK % (db.placeholders(len(ended), 2), db.skip_locked("w")), keys)


_SUPERSEDED = """
EXISTS (SELECT 1 FROM job AS w WHERE w.kind = job.kind AND w.key = job.key AND w.state = 'pending')
"""

_END_BADLY = f"""
UPDATE job SET
    state = CASE WHEN {_SUPERSEDED} THEN 'superseded' WHEN ? THEN 'pending' ELSE 'failed' END,
    run_at = {NOW} + ?, failures = failures + ?, finished_at = {NOW}, lease_until = NULL,
    error_class = COALESCE(?, error_class), error_message = COALESCE(?, error_message),
    error_trace = COALESCE(?, error_trace), fault = COALESCE(?, fault)
WHERE id = ? AND attempt = ? AND state = 'running' %s RETURNING state
"""

# The follow-up inherits the place in the queue of the run that it supersedes.
_INHERIT = """
UPDATE job SET rank = CASE WHEN r.rank < job.rank THEN r.rank ELSE job.rank END,
               priority = CASE WHEN r.priority > job.priority THEN r.priority ELSE job.priority END
FROM job AS r WHERE r.id = ? AND r.kind = job.kind AND r.key = job.key AND job.state = 'pending'
"""


#: Called with the id of a job that is failed for good, inside the transaction that fails it.
_on_failure: list[Callable[[int], None]] = []


def subscribe_failures(tell: Callable[[int], None]) -> Callable[[int], None]:
    """Have `tell` called with the id of each job that is failed for good, inside the transaction that fails it."""
    _on_failure.append(tell)
    return tell


@dataclass(frozen=True, slots=True)
class _BadEnd:
    """How a run ends without success, in the words of `job_attempt`."""

    result: BadEnd
    failure: FailureDetails


# Held until the transaction ends, since what it was due at is gone with the next statement.
_HELD = "SELECT kind, key, scope, run_at FROM job WHERE id = ? AND attempt = ? AND state = 'running' {} {}"


def _end_badly(
    job: int, attempt: int, values: Sequence[object], end: _BadEnd | None = None, still: str = "",
    more: Sequence[object] = (), tries: int = 20,
) -> str | None:  # fmt: skip
    """End a run without success if the condition `still` holds for it; returns the job's new state.

    With `end` the attempt is recorded. Without, the run was given back.
    """
    try:
        with db.write():
            told: list[object] = [None] * 4
            due_at = 0.0
            if end:
                locked = _HELD.format(still, db.for_update())
                held = db.execute(locked, [job, attempt, *more]).fetchone()
                if held is None:
                    return None
                kind, key, scope, due_at = held
                failure = end.failure
                told = [failure.error, failure.message, failure.trace, group_of(kind, key, scope, failure)]
            row = db.execute(_END_BADLY % still, [*values, *told, job, attempt, *more]).fetchone()
            if row and end:
                attempts.record(job, attempt, due_at, end.result, end.failure)
            if row and row[0] == "superseded":
                db.execute(_INHERIT, [job])
            if row and row[0] == "failed":
                for tell in _on_failure:
                    tell(job)
            if row:
                db.notify()
    except IntegrityError:
        # Another transaction has committed a pending job of the same key. The next try sees that job and ends as
        # superseded, unless the job is deleted and enqueued again at this very moment.
        if not tries:
            raise
        return _end_badly(job, attempt, values, end, still, more, tries - 1)
    return row[0] if row else None


def fail(claim: Claim, fault: FailureDetails, *, retry_after: float | None, counts: bool = True) -> str | None:
    """Fail a run: the job is retried after `retry_after` seconds, or failed for good when that is None.

    With `counts=False` the run does not use up a retry.

    Returns:
        The job's new state ('pending', 'failed' or 'superseded'); None if the lease was lost before.
    """
    end = _BadEnd("failed" if counts else "snoozed", fault)
    return _end_badly(claim.id, claim.attempt, [retry_after is not None, retry_after or 0.0, int(counts)], end)


def release(claims: Iterable[Claim]) -> None:
    """Give claims back without having run them. This does not count as a failure."""
    for claim in claims:
        _end_badly(claim.id, claim.attempt, [True, 0.0, 0])


def rescue(retries: int, *, worker: str | None = None, lease: float = LEASE) -> int:
    """Free the jobs whose lease has expired, or all jobs of `worker` if that worker is known to be dead.

    A lost run counts as a failure; a job with more than `retries` failures is failed for good. Times that were
    set while the clock ran ahead are corrected first; `lease` is the length of a lease in seconds.

    Returns:
        The number of jobs freed.
    """
    if worker is None:
        future_times.correct(lease)
    # "+id" sorts the few running jobs. "id" would make SQLite walk through all jobs in the order of the primary key.
    lost = f"lease_until < {NOW}" if worker is None else "worker = ?"
    whose: list[object] = [] if worker is None else [worker]
    rows = db.execute(
        f"SELECT id, attempt, failures, worker FROM job WHERE state = 'running' AND {lost} ORDER BY +id", whose
    ).fetchall()
    freed = 0
    for job, attempt, failures, holder in rows:
        fault = FailureDetails("JobLeaseLost", f"The worker {holder} vanished while it held this job.", "")
        values = [failures < retries, 0.0, 1]
        # A worker that was only late may have renewed its lease meanwhile.
        freed += _end_badly(job, attempt, values, _BadEnd("lost", fault), f"AND {lost}", whose) is not None
    return freed


#: The states of jobs that have not ended. In statements they are written out: each has an index of its keys.
_OPEN: Final[tuple[State, ...]] = ("pending", "running")


def open_jobs(kind: str, keys: Sequence[str]) -> dict[str, tuple[State, str]]:
    """The jobs of a kind with these keys that run or wait: their state and worker by key. One that runs goes first."""
    found: dict[str, tuple[State, str]] = {}
    for some in db.chunks(keys):
        for state in _OPEN:
            rows = db.execute(
                f"SELECT key, COALESCE(worker, '') FROM job WHERE state = '{state}' AND kind = ?"
                f" AND key IN ({db.placeholders(len(some))})",
                [kind, *some],
            )
            found.update({key: (state, worker) for key, worker in rows.fetchall()})
    return found


# Each of these conditions has an index of its own. "finished_at > 0" is always true of ended jobs; it makes SQLite use
# the index.
_COUNTS = """
SELECT (SELECT COUNT(*) FROM job WHERE state = 'pending'), (SELECT COUNT(*) FROM job WHERE state = 'running'),
       (SELECT COUNT(*) FROM job WHERE state IN ('done', 'superseded', 'cancelled') AND finished_at > 0),
       (SELECT COUNT(*) FROM job WHERE state = 'failed'),
       (SELECT COUNT(*) FROM job WHERE state = 'superseded' AND state IN ('superseded', 'cancelled')),
       (SELECT COUNT(*) FROM job WHERE state = 'cancelled' AND state IN ('superseded', 'cancelled'))
"""


def count_by_state() -> dict[State, int]:
    """The number of jobs in each state."""
    pending, running, over, failed, superseded, cancelled = db.execute(_COUNTS).fetchone()
    done = over - superseded - cancelled
    return dict(zip(STATES, (pending, running, done, failed, superseded, cancelled), strict=True))


def count_unfinished() -> int:
    """The number of jobs that are pending, whenever they are due, or running."""
    row = db.execute(
        """SELECT (SELECT COUNT(*) FROM job WHERE state = 'pending')
                + (SELECT COUNT(*) FROM job WHERE state = 'running')"""
    ).fetchone()
    return int(row[0])


def count_pending(kinds: Sequence[str]) -> int:
    """The number of pending jobs of these kinds, whenever they are due."""
    row = db.execute(
        f"SELECT COUNT(*) FROM job WHERE state = 'pending' AND kind IN ({db.placeholders(len(kinds))})", [*kinds]
    ).fetchone()
    return int(row[0])


def count_outstanding(kinds: Sequence[str] | None = None, patience: float = 1e9, besides: Sequence[str] = ()) -> int:
    """The number of jobs that are running or waiting for a worker.

    Not counted are jobs held back by the minimum interval of their key, jobs due later than `patience` seconds from
    now (such as late retries), jobs of kinds other than `kinds`, and jobs whose last run ended with an error class in
    `besides`.
    """
    unknown = [kind for kind in _waiting_kinds("pending") if kinds and kind not in kinds]
    left = count_unfinished() - (count_pending(unknown) if unknown else 0)
    among = f"AND kind NOT IN ({db.placeholders(len(unknown))})" if unknown else ""
    others = f"OR error_class IN ({db.placeholders(len(besides))})" if besides else ""
    # An index has the jobs that were put off, by when they are due; its condition is repeated literally.
    due = "0" if besides else NOW
    row = db.execute(
        f"""SELECT COUNT(*) FROM job WHERE state = 'pending' AND run_at > created_at AND run_at > {due} {among}
            AND (NOT {is_from_future("job", NOW)}
                 AND ((every > 0 AND failures = 0 AND run_at > {NOW}) OR run_at > {NOW} + ?) {others})""",
        [*unknown, patience, *besides],
    ).fetchone()
    return left - int(row[0])


# A walk from one kind to the next: GROUP BY would read every job that waits.
_KINDS = """
WITH RECURSIVE found (kind) AS (
    SELECT MIN(kind) FROM job WHERE state = '{0}' UNION ALL
    SELECT (SELECT MIN(kind) FROM job WHERE state = '{0}' AND kind > found.kind) FROM found
    WHERE found.kind IS NOT NULL)
SELECT kind FROM found WHERE kind IS NOT NULL
"""


def _waiting_kinds(state: State) -> list[str]:
    """The kinds of the jobs that wait, or that run."""
    return [str(kind) for (kind,) in db.execute(_KINDS.format(state)).fetchall()]


def waiting_after_error(error: str, limit: int = 20) -> list[tuple[str, str, str]]:
    """Pending jobs whose last run ended with this class of error, as (kind, key, message)."""
    return list(
        db.execute(
            # The other conditions are those of an index, which has only the jobs that were put off.
            """SELECT kind, key, error_message FROM job
               WHERE state = 'pending' AND run_at > created_at AND run_at > 0 AND error_class = ?
               ORDER BY key LIMIT ?""",
            [error, limit],
        ).fetchall()
    )


def seconds_until_due(within: float) -> float | None:
    """Seconds until the next pending job is due; None if no job becomes due in the next `within` seconds.

    Returns 0 if a job became due in the last 0.1 s, perhaps after a claim that did not find it.
    """
    row = db.execute(
        f"""SELECT MIN(run_at) - {NOW} FROM job
            WHERE state = 'pending' AND run_at > {NOW} - 0.1 AND run_at < {NOW} + ?""",
        [within],
    ).fetchone()
    return None if row[0] is None else max(0.0, float(row[0]))


def count_unknown_kinds(kinds: Container[str]) -> dict[str, int]:
    """The number of pending and running jobs by kind, for all kinds that are not in `kinds`."""
    found: Counter[str] = Counter()
    for state in _OPEN:  # each has an index of its own
        for kind in _waiting_kinds(state):
            if kind not in kinds:
                counting = f"SELECT COUNT(*) FROM job WHERE state = '{state}' AND kind = ?"
                found[kind] += int(db.execute(counting, [kind]).fetchone()[0])
    return dict(found)


def holder_names() -> list[str]:
    """The names of the workers that hold claims."""
    return [row[0] for row in db.execute("SELECT DISTINCT worker FROM job WHERE state = 'running'").fetchall()]


def recent_failures(limit: int = 20) -> list[tuple[str, str, str]]:
    """The latest failed jobs, as (kind, key, message)."""
    return list(
        db.execute(
            "SELECT kind, key, error_message FROM job WHERE state = 'failed' AND finished_at > 0"
            " ORDER BY finished_at DESC LIMIT ?",
            [limit],
        ).fetchall()
    )
