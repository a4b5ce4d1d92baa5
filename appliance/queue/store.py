"""The state machine, as fixed SQL. Starts no process, knows no kind.

Guarantees the fold (at most one job of a key waits and at most one runs, by unique index), the fence (a run is
named by (id, attempt); what no longer holds it changes nothing) and that a run which ends badly while a newer
request for its key waits is superseded by it in the same statement's transaction, never colliding with it.

All times are the database's. Every function is one write transaction, or joins the caller's; `release` and `rescue`
are one for each run, since who holds several rows and waits for another may be waited for by its holder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from peewee import IntegrityError

from appliance import db
from appliance.db import NOW
from appliance.queue.models import STATES
from appliance.queue.requests import Request, enqueue, enqueue_selected


@dataclass(frozen=True, slots=True)
class Claim:
    """One run of one job, as its worker holds it. (id, attempt) is the fence."""

    id: int
    attempt: int
    kind: str
    key: str
    scope: str
    priority: int
    failures: int
    payload: str | None


# COALESCE keeps planners from looking jobs up by kind and sorting them all, instead of reading job_order; and the rows
# are picked once, whatever way the update is joined with them.
_CLAIM = f"""
WITH picked AS MATERIALIZED (
    SELECT j.id FROM job AS j
    WHERE j.state = 'pending' AND j.run_at <= {NOW} AND COALESCE(j.kind, '') IN ({{kinds}}) {{keys}}
      AND NOT EXISTS (SELECT 1 FROM job AS r WHERE r.kind = j.kind AND r.key = j.key AND r.state = 'running')
      AND (j.every = 0 OR NOT EXISTS (
        SELECT 1 FROM throttle AS t WHERE t.kind = j.kind AND t.key = j.key AND t.until > {NOW}))
    ORDER BY j.rank, j.id LIMIT ? {{skip_locked}})
UPDATE job SET state = 'running', worker = ?, attempt = attempt + 1, claimed_at = {NOW}, lease_until = {NOW} + ?
WHERE id IN (SELECT id FROM picked)
RETURNING id, attempt, kind, key, scope, priority, failures, payload, rank
"""


def claim(
    worker: str, kinds: Sequence[str], limit: int, lease: float, *, keys: Sequence[str] | None = None
) -> list[Claim]:
    """Take up to `limit` due jobs of `kinds` for `worker`, the most urgent first, for `lease` seconds.

    A job whose key is being worked on is left until that run has ended. With `keys` only jobs of those keys are taken.
    """
    with db.write():
        db.by_index()
        among = "" if keys is None else f"AND j.key IN ({db.marks(len(keys)) or 'NULL'})"
        claiming = _CLAIM.format(kinds=db.marks(len(kinds)), keys=among, skip_locked=db.skip_locked())
        rows = db.execute(claiming, [*kinds, *(keys or ()), limit, worker, lease]).fetchall()
    rows.sort(key=lambda row: (row[8], row[0]))  # RETURNING promises no order
    return [Claim(*row[:8]) for row in rows]


def _fence(claims: Sequence[Claim]) -> tuple[str, list[int]]:
    # The ids are named twice: alone they are looked up by primary key, which no database does for pairs.
    ids, pairs = db.marks(len(claims)), db.marks(len(claims), 2)
    return (
        f"id IN ({ids}) AND state = 'running' AND (id, attempt) IN (VALUES {pairs})",
        [claim.id for claim in claims] + [v for claim in claims for v in (claim.id, claim.attempt)],
    )


def beat(claims: Sequence[Claim], lease: float) -> set[int]:
    """Renew the lease of what is still held; returns the ids that are."""
    where, values = _fence(claims)
    with db.write():
        rows = db.execute(f"UPDATE job SET lease_until = {NOW} + ? WHERE {where} RETURNING id", [lease, *values])
        return {row[0] for row in rows.fetchall()}


def held(claims: Sequence[Claim]) -> set[int]:
    """The ids still held. Inside a write transaction they stay so until it ends."""
    where, values = _fence(claims)
    rows = db.execute(f"SELECT id FROM job WHERE {where} {db.for_update()}", values).fetchall()
    return {row[0] for row in rows}


_FINISH = f"""
UPDATE job SET state = 'done', outcome = ?, finished_at = {NOW}, lease_until = NULL,
               error_class = NULL, error_message = NULL, error_trace = NULL
WHERE %s RETURNING kind, key, every
"""

# In the order in which a selection of failed jobs is tried again, lest each wait for the other.
_RESOLVE = f"""
WITH done (kind, key) AS (VALUES %s)
UPDATE job SET state = 'superseded', finished_at = {NOW}
WHERE id IN (SELECT f.id FROM done JOIN job AS f ON f.kind = done.kind AND f.key = done.key
             WHERE f.state = 'failed' ORDER BY f.id %s)
"""

# Keys with a least interval between two runs may run again only after it.
_THROTTLE = f"""
WITH done (kind, key, every) AS (VALUES %s)
INSERT INTO throttle (kind, key, until) SELECT kind, key, {NOW} + every FROM done WHERE true
ON CONFLICT (kind, key) DO UPDATE SET until = excluded.until
"""
# A claim looks at the interval too; this has the follow-up say when it is due. One that somebody is just asking for
# again need not be waited for.
_HOLD_BACK = """
WITH done (kind, key) AS (VALUES %s),
     held AS (SELECT w.id FROM done JOIN job AS w ON w.kind = done.kind AND w.key = done.key
              WHERE w.state = 'pending' AND w.every > 0 %s)
UPDATE job SET run_at = t.until
FROM throttle AS t
WHERE job.kind = t.kind AND job.key = t.key AND job.run_at < t.until AND job.id IN (SELECT id FROM held)
"""


def finish(outcomes: Mapping[Claim, str]) -> None:
    """End runs well, each with 'changed' or 'unchanged'; what lost its lease is passed over.

    A failed job of the same key is thereby resolved: it ends as superseded.
    """
    with db.write():
        done: list[tuple[str, str, float]] = []
        for outcome in set(outcomes.values()):
            where, values = _fence([c for c, o in outcomes.items() if o == outcome])
            done += db.execute(_FINISH % where, [outcome, *values]).fetchall()
        if done:
            keys = [v for kind, key, _ in done for v in (kind, key)]
            db.execute(_RESOLVE % (db.marks(len(done), 2), db.for_update("f")), keys)
            _hold_back([row for row in done if row[2] > 0])


def _hold_back(ended: Sequence[tuple[str, str, float]]) -> None:
    if ended:
        db.execute(_THROTTLE % db.marks(len(ended), 3), [v for row in ended for v in row])
        keys = [v for kind, key, _ in ended for v in (kind, key)]
        db.execute(_HOLD_BACK % (db.marks(len(ended), 2), db.skip_locked("w")), keys)


_SUPERSEDED = """
EXISTS (SELECT 1 FROM job AS w WHERE w.kind = job.kind AND w.key = job.key AND w.state = 'pending')
"""

_END_BADLY = f"""
UPDATE job SET
    state = CASE WHEN {_SUPERSEDED} THEN 'superseded' WHEN ? THEN 'pending' ELSE 'failed' END,
    run_at = {NOW} + ?, failures = failures + ?, finished_at = {NOW}, lease_until = NULL,
    error_class = COALESCE(?, error_class), error_message = COALESCE(?, error_message),
    error_trace = COALESCE(?, error_trace)
WHERE id = ? AND attempt = ? AND state = 'running' %s RETURNING state
"""

# What was urgent stays so: the follow-up takes the place in the order of the run that it supersedes.
_INHERIT = """
UPDATE job SET rank = CASE WHEN r.rank < job.rank THEN r.rank ELSE job.rank END,
               priority = CASE WHEN r.priority > job.priority THEN r.priority ELSE job.priority END
FROM job AS r WHERE r.id = ? AND r.kind = job.kind AND r.key = job.key AND job.state = 'pending'
"""


def _end_badly(
    job: int, values: Sequence[object], still: str = "", more: Sequence[object] = (), tries: int = 20
) -> str | None:
    """End a run that did not end well, if `still` is true of it; returns the job's new state."""
    try:
        with db.write():
            row = db.execute(_END_BADLY % still, [*values, *more]).fetchone()
            if row and row[0] == "superseded":
                db.execute(_INHERIT, [job])
            if row:
                db.notify()
    except IntegrityError:
        # While the row was put back as pending, somebody committed a request for the same key. Now the run sees it,
        # and is superseded by it; unless somebody deletes it this very moment, and asks once more.
        if not tries:
            raise
        return _end_badly(job, values, still, more, tries - 1)
    return row[0] if row else None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run failed: the error's class, its sentence and its stack trace."""

    error: str
    message: str
    trace: str


def fail(claim: Claim, fault: Fault, *, retry_after: float | None, counts: bool = True) -> str | None:
    """End a run badly: tried again after so many seconds, or failed for good when that is None.

    One that does not count leaves the job as many tries as it had.

    Returns:
        The job's new state ('pending', 'failed', 'superseded'), None when the lease was lost before.
    """
    values = [retry_after is not None, retry_after or 0.0, int(counts), fault.error, fault.message, fault.trace]
    return _end_badly(claim.id, [*values, claim.id, claim.attempt])


def release(claims: Iterable[Claim]) -> None:
    """Give runs back unworked; this counts as no attempt."""
    for claim in claims:
        _end_badly(claim.id, [True, 0.0, 0, None, None, None, claim.id, claim.attempt])


def rescue(retries: int, *, worker: str | None = None) -> int:
    """Free the jobs whose lease has run out, or all that `worker` (known to be dead) holds.

    A lost run counts as a failure; with more than `retries` of them the job is failed.

    Returns:
        How many were freed.
    """
    lost = f"lease_until < {NOW}" if worker is None else "worker = ?"
    whose: list[object] = [] if worker is None else [worker]
    rows = db.execute(
        f"SELECT id, attempt, failures, worker FROM job WHERE state = 'running' AND {lost} ORDER BY id", whose
    ).fetchall()
    freed = 0
    for job, attempt, failures, holder in rows:
        fault = ("LostLease", f"The worker {holder} vanished while it held this job.", "")
        values = [failures < retries, 0.0, 1, *fault, job, attempt]
        # A worker that was only late may have renewed its lease since.
        freed += _end_badly(job, values, f"AND {lost}", whose) is not None
    return freed


def counts() -> dict[str, int]:
    """Number of jobs by state."""
    rows = db.execute(
        """
        SELECT 'pending', COUNT(*) FROM job WHERE state = 'pending'
        UNION ALL SELECT 'running', COUNT(*) FROM job WHERE state = 'running'
        UNION ALL SELECT state, COUNT(*) FROM job WHERE state NOT IN ('pending', 'running') GROUP BY state
        """
    ).fetchall()
    return dict.fromkeys(STATES, 0) | dict(rows)


def unfinished() -> int:
    """Number of jobs that wait, for now or a later time, or run."""
    row = db.execute(
        """SELECT (SELECT COUNT(*) FROM job WHERE state = 'pending')
                + (SELECT COUNT(*) FROM job WHERE state = 'running')"""
    ).fetchone()
    return int(row[0])


def outstanding(kinds: Sequence[str] | None = None, patience: float = 1e9, besides: Sequence[str] = ()) -> int:
    """Number of jobs that run or wait for a worker.

    Not counted are those held back until the least interval of their key is over, those due only in more than
    `patience` seconds (a retry may be far off), those of other kinds when `kinds` says what there are workers for, and
    those that wait since their last run ended with one of the errors `besides`, by class.
    """
    strange = f"OR COALESCE(kind, '') NOT IN ({db.marks(len(kinds))})" if kinds else ""
    strange += f" OR error_class IN ({db.marks(len(besides))})" if besides else ""
    row = db.execute(
        f"""SELECT COUNT(*) FROM job WHERE state = 'pending'
            AND ((every > 0 AND failures = 0 AND run_at > {NOW}) OR run_at > {NOW} + ? {strange})""",
        [patience, *(kinds or ()), *besides],
    ).fetchone()
    return unfinished() - int(row[0])


def held_up(error: str, limit: int = 20) -> list[tuple[str, str, str]]:
    """The jobs that wait since their last run ended with this error, by class, as (kind, key, message)."""
    return list(
        db.execute(
            """SELECT kind, key, error_message FROM job WHERE state = 'pending' AND error_class = ?
               ORDER BY key LIMIT ?""",
            [error, limit],
        ).fetchall()
    )


def next_due(within: float) -> float | None:
    """Seconds until the next job that waits for its time is due, None when none is `within` so many seconds.

    0 for one that became due a moment ago: it may have done so after the claim that did not find it.
    """
    row = db.execute(
        f"""SELECT MIN(run_at) - {NOW} FROM job
            WHERE state = 'pending' AND run_at > {NOW} - 0.1 AND run_at < {NOW} + ?""",
        [within],
    ).fetchone()
    return None if row[0] is None else max(0.0, float(row[0]))


def unfinished_kinds() -> dict[str, int]:
    """Number of jobs that wait or run, by kind."""
    rows = db.execute("SELECT kind, COUNT(*) FROM job WHERE state IN ('pending', 'running') GROUP BY kind").fetchall()
    return dict(rows)


def holders() -> list[str]:
    """The names of the workers that hold jobs."""
    return [row[0] for row in db.execute("SELECT DISTINCT worker FROM job WHERE state = 'running'").fetchall()]


def failures(limit: int = 20) -> list[tuple[str, str, str]]:
    """The newest failed jobs as (kind, key, message)."""
    return list(
        db.execute(
            "SELECT kind, key, error_message FROM job WHERE state = 'failed' ORDER BY finished_at DESC LIMIT ?",
            [limit],
        ).fetchall()
    )


__all__ = [
    "Claim", "Fault", "Request", "beat", "claim", "counts", "enqueue", "enqueue_selected", "fail", "failures",
    "finish", "held", "held_up", "holders", "next_due", "outstanding", "release", "rescue", "unfinished",
    "unfinished_kinds",
]  # fmt: skip
