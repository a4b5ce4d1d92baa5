"""The state machine, as fixed SQL. Starts no process, knows no kind.

Guarantees the fold (at most one job of a key waits and at most one runs, by unique index), the fence (a run is
named by (id, attempt); what no longer holds it changes nothing) and that a run which ends badly while a newer
request for its key waits is superseded by it in the same statement's transaction, never colliding with it.

All times are the database's. Every function is one write transaction, or joins the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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


# COALESCE keeps planners from looking jobs up by kind and sorting them all, instead of reading job_order.
_CLAIM = f"""
UPDATE job SET state = 'running', worker = ?, attempt = attempt + 1, claimed_at = {NOW}, lease_until = {NOW} + ?
WHERE id IN (
    SELECT j.id FROM job AS j
    WHERE j.state = 'pending' AND j.run_at <= {NOW} AND COALESCE(j.kind, '') IN ({{kinds}})
      AND NOT EXISTS (SELECT 1 FROM job AS r WHERE r.kind = j.kind AND r.key = j.key AND r.state = 'running')
    ORDER BY j.rank, j.id LIMIT ? {{skip_locked}})
RETURNING id, attempt, kind, key, scope, priority, failures, payload, rank
"""


def claim(worker: str, kinds: Sequence[str], limit: int, lease: float) -> list[Claim]:
    """Take up to `limit` due jobs of `kinds` for `worker`, the most urgent first, for `lease` seconds.

    A job whose key is being worked on is left until that run has ended.
    """
    with db.write():
        db.by_index()
        claiming = _CLAIM.format(kinds=db.marks(len(kinds)), skip_locked=db.skip_locked())
        rows = db.execute(claiming, [worker, lease, *kinds, limit]).fetchall()
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
WHERE %s RETURNING kind, key
"""

_RESOLVE = f"""
WITH done (kind, key) AS (VALUES %s)
UPDATE job SET state = 'superseded', finished_at = {NOW}
WHERE id IN (SELECT f.id FROM done JOIN job AS f ON f.kind = done.kind AND f.key = done.key AND f.state = 'failed')
"""


# Keys with a least interval between two runs may run again only after it.
_THROTTLE = f"""
INSERT INTO throttle (kind, key, until)
SELECT kind, key, {NOW} + every FROM job WHERE id IN ({{ids}}) AND every > 0 AND state = 'done'
ON CONFLICT (kind, key) DO UPDATE SET until = excluded.until
"""
_HOLD_BACK = """
WITH done (kind, key) AS (VALUES %s)
UPDATE job SET run_at = t.until
FROM throttle AS t
WHERE job.kind = t.kind AND job.key = t.key AND job.state = 'pending' AND job.every > 0 AND job.run_at < t.until
  AND (t.kind, t.key) IN (SELECT kind, key FROM done)
"""


def finish(outcomes: Mapping[Claim, str]) -> None:
    """End runs well, each with 'changed' or 'unchanged'; what lost its lease is passed over.

    A failed job of the same key is thereby resolved: it ends as superseded.
    """
    with db.write():
        done: list[str] = []
        for outcome in set(outcomes.values()):
            claims = [c for c, o in outcomes.items() if o == outcome]
            where, values = _fence(claims)
            rows = db.execute(_FINISH % where, [outcome, *values]).fetchall()
            done += [v for row in rows for v in row]
        if done:
            db.execute(_RESOLVE % db.marks(len(done) // 2, 2), done)
            ended = [claim.id for claim in outcomes]
            db.execute(_THROTTLE.format(ids=db.marks(len(ended))), ended)
            db.execute(_HOLD_BACK % db.marks(len(done) // 2, 2), done)


_SUPERSEDED = """
EXISTS (SELECT 1 FROM job AS w WHERE w.kind = job.kind AND w.key = job.key AND w.state = 'pending')
"""

_END_BADLY = f"""
UPDATE job SET
    state = CASE WHEN {_SUPERSEDED} THEN 'superseded' WHEN ? THEN 'pending' ELSE 'failed' END,
    run_at = {NOW} + ?, failures = failures + ?, finished_at = {NOW}, lease_until = NULL,
    error_class = COALESCE(?, error_class), error_message = COALESCE(?, error_message),
    error_trace = COALESCE(?, error_trace)
WHERE id = ? AND attempt = ? AND state = 'running' RETURNING state
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run failed: the error's class, its sentence and its stack trace."""

    error: str
    message: str
    trace: str


def fail(claim: Claim, fault: Fault, *, retry_after: float | None) -> str | None:
    """End a run badly: tried again after so many seconds, or failed for good when that is None.

    Returns:
        The job's new state ('pending', 'failed', 'superseded'), None when the lease was lost before.
    """
    values = [retry_after is not None, retry_after or 0.0, 1, fault.error, fault.message, fault.trace]
    with db.write():
        row = db.execute(_END_BADLY, [*values, claim.id, claim.attempt]).fetchone()
    return row[0] if row else None


def release(claims: Iterable[Claim]) -> None:
    """Give runs back unworked; this counts as no attempt."""
    with db.write():
        for claim in claims:
            db.execute(_END_BADLY, [True, 0.0, 0, None, None, None, claim.id, claim.attempt])


def rescue(retries: int, *, worker: str | None = None) -> int:
    """Free the jobs whose lease has run out, or all that `worker` (known to be dead) holds.

    A lost run counts as a failure; with more than `retries` of them the job is failed.

    Returns:
        How many were freed.
    """
    lost = f"lease_until < {NOW}" if worker is None else "worker = ?"
    values: list[object] = [] if worker is None else [worker]
    with db.write():
        rows = db.execute(
            f"SELECT id, attempt, failures, worker FROM job WHERE state = 'running' AND {lost} {db.skip_locked()}",
            values,
        ).fetchall()
        for job_id, attempt, failures, holder in rows:
            fault = ["LostLease", f"The worker {holder} vanished while it held this job.", ""]
            db.execute(_END_BADLY, [failures < retries, 0.0, 1, *fault, job_id, attempt])
    return len(rows)


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


def outstanding() -> int:
    """Number of jobs that run or wait, but for those held back until the least interval of their key is over."""
    row = db.execute(
        f"""SELECT COUNT(*) FROM job
            WHERE state = 'pending' AND every > 0 AND failures = 0 AND run_at > {NOW}"""
    ).fetchone()
    return unfinished() - int(row[0])


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
    "finish", "held", "holders", "outstanding", "release", "rescue", "unfinished",
]  # fmt: skip
