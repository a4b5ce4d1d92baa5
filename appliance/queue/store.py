"""The state machine, as fixed SQL. Starts no process, knows no kind.

Guarantees the fold (at most one job of a key waits and at most one runs, by unique index), the fence (a run is
named by (id, attempt); what no longer holds it changes nothing) and that a run which ends badly while a newer
request for its key waits is superseded by it in the same statement's transaction, never colliding with it.

All times are the database's. Every function is one write transaction, or joins the caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from appliance import db
from appliance.db import NOW
from appliance.queue.models import ANSWERS, STATES, Answer

_ROWS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked of the queue: work on `key`."""

    key: str
    priority: int = 0
    scope: str = ""
    payload: str | None = None


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


_ENQUEUE = f"""
INSERT INTO job (kind, key, scope, priority, rank, state, run_at, created_at,
                 attempt, failures, triggers, reason, answer, payload)
SELECT ?, asked.key, asked.scope, asked.priority, {NOW} - asked.priority * ?, 'pending', {NOW}, {NOW},
       0, 0, 1, ?,
       CASE WHEN EXISTS (SELECT 1 FROM job AS r WHERE r.kind = ? AND r.key = asked.key AND r.state = 'running')
            THEN 'follow-up' ELSE 'added' END,
       asked.payload
FROM asked WHERE true
ON CONFLICT (kind, key) WHERE state = 'pending' DO UPDATE SET
    answer   = CASE WHEN excluded.priority > job.priority THEN 'raised' ELSE 'coalesced' END,
    rank     = CASE WHEN excluded.priority > job.priority
                    THEN excluded.rank - (excluded.created_at - job.created_at) ELSE job.rank END,
    priority = CASE WHEN excluded.priority > job.priority THEN excluded.priority ELSE job.priority END,
    run_at   = CASE WHEN excluded.run_at < job.run_at THEN excluded.run_at ELSE job.run_at END,
    payload  = excluded.payload,
    reason   = excluded.reason,
    triggers = job.triggers + 1
RETURNING answer
"""


def enqueue(kind: str, requests: Iterable[Request], *, ageing: float, reason: str = "") -> Counter[Answer]:
    """Ask for work. A key asked for twice in one call counts once, at its higher priority.

    Args:
        kind: the kind of all the requests.
        requests: what to work on; read lazily, a few hundred at a time.
        ageing: seconds of waiting that weigh as much as one step of priority.
        reason: why, in words; kept with each job.

    Returns:
        How many were added, raised, coalesced, or added as a follow-up of a running job.
    """
    answers: Counter[Answer] = Counter(dict.fromkeys(ANSWERS, 0))
    waiting = iter(requests)
    with db.write():
        while chunk := list(islice(waiting, _ROWS_A_STATEMENT)):
            asked: dict[str, Request] = {}
            for request in chunk:
                known = asked.get(request.key)
                if known is None or request.priority > known.priority:
                    asked[request.key] = request
            source = f"WITH asked (key, scope, priority, payload) AS (VALUES {db.marks(len(asked), 4)})"
            values = [v for r in asked.values() for v in (r.key, r.scope, r.priority, r.payload)]
            answers += _enqueue(kind, source, values, ageing, reason)
    return answers


def enqueue_selected(
    kind: str, select: str, parameters: Sequence[object], *, ageing: float, reason: str = ""
) -> Counter[Answer]:
    """Ask for work on everything a SELECT of (key, scope, priority) names, without bringing it here.

    The select must name a key once. Its answers are counted as in `enqueue`.
    """
    source = f"WITH asked (key, scope, priority, payload) AS (SELECT named.*, NULL FROM ({select}) AS named)"
    with db.write():
        return _enqueue(kind, source, list(parameters), ageing, reason)


def _enqueue(kind: str, source: str, values: Sequence[object], ageing: float, reason: str) -> Counter[Answer]:
    cursor = db.execute(source + _ENQUEUE, [*values, kind, ageing, reason, kind])
    db.notify()
    return Counter(answer for (answer,) in cursor.fetchall())


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
