"""Enqueue jobs: fold a request into the pending job of its key, add a job, or add a follow-up of the running one.

Guarantees that the results (added, raised, coalesced, follow-up) are exact, and that concurrent callers neither lose
nor duplicate a request. Each job records why it was enqueued: what happened, who did it, when first and last, and
how often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from appliance import db
from appliance.db import NOW
from appliance.queue.future_times import SLACK
from appliance.queue.models import ANSWERS, EnqueueResult
from appliance.queue.triggers import Cause, make_set, remember, remember_set

__all__ = ["Cause", "JobRequest", "enqueue", "enqueue_from_select"]

_ROWS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A request to work on `key`."""

    key: str
    priority: int = 0
    scope: str = ""
    payload: str | None = None
    #: Least number of seconds between the end of one run of the key and the start of the next.
    every: float = 0.0
    #: What the result is made with; see `models.Job.template`.
    template: str = ""


_ASKED = "WITH asked (key, scope, priority, every, template, payload) AS"
# All rows get the same time: rank and created_at are compared to the last digit.
_ENQUEUE = f"""
INSERT INTO job (kind, key, scope, priority, every, rank, state, run_at, created_at,
                 attempt, failures, triggers, reason, answer, payload, template, trigger_set)
SELECT ?, asked.key, asked.scope, asked.priority, asked.every, present.now - asked.priority * ?, 'pending',
       CASE WHEN ? > 0 THEN present.now + ?
            WHEN asked.every > 0
            THEN COALESCE((SELECT t.until FROM throttle AS t
                            WHERE t.kind = ? AND t.key = asked.key AND t.until > present.now
                              AND t.until <= present.now + asked.every + {SLACK}), present.now)
            WHEN EXISTS (SELECT 1 FROM job AS r WHERE r.kind = ? AND r.key = asked.key AND r.state = 'running')
            THEN present.now + ? ELSE present.now END,
       present.now, 0, 0, ?, ?,
       CASE WHEN EXISTS (SELECT 1 FROM job AS r WHERE r.kind = ? AND r.key = asked.key AND r.state = 'running')
            THEN 'follow-up' ELSE 'added' END,
       asked.payload, asked.template, CAST(? AS BIGINT)
FROM asked CROSS JOIN (SELECT {NOW} AS now LIMIT 1) AS present WHERE true
ON CONFLICT (kind, key) WHERE state = 'pending' DO UPDATE SET
    answer   = CASE WHEN excluded.priority > job.priority THEN 'raised' ELSE 'coalesced' END,
    rank     = CASE WHEN excluded.priority > job.priority
                    THEN excluded.rank - (excluded.created_at - job.created_at) ELSE job.rank END,
    priority = CASE WHEN excluded.priority > job.priority THEN excluded.priority ELSE job.priority END,
    every    = excluded.every,
    run_at   = CASE WHEN job.failures = 0 AND job.every = excluded.every AND job.run_at < {NOW} + ? THEN job.run_at
                    WHEN excluded.run_at < job.run_at THEN excluded.run_at ELSE job.run_at END,
    payload  = excluded.payload,
    template = CASE WHEN excluded.template <> '' THEN excluded.template ELSE job.template END,
    reason   = excluded.reason,
    triggers = job.triggers + excluded.triggers
RETURNING id, answer
"""


def enqueue(
    kind: str,
    requests: Iterable[JobRequest],
    *,
    ageing: float,
    reason: str = "",
    causes: Sequence[Cause] = (),
    pause: float = 0.0,
    delay: float = 0.0,
) -> Counter[EnqueueResult]:
    """Enqueue jobs. A key that occurs twice in one call counts once, with the higher priority.

    Args:
        kind: the kind of all jobs.
        requests: the keys to work on, read lazily, 500 at a time.
        ageing: seconds of waiting that weigh as much as one step of priority.
        reason: why, in words; a short form of `causes`.
        causes: why, one for each (reason, actor), the latest last.
        pause: seconds until a follow-up is due. Requests that arrive meanwhile fold into it.
        delay: seconds until the jobs are due, unless another request is due sooner. No worker is woken for them.

    Returns:
        The number of keys for each `EnqueueResult`.
    """
    answers: Counter[EnqueueResult] = Counter(dict.fromkeys(ANSWERS, 0))
    waiting = iter(requests)
    with db.write():
        while chunk := list(islice(waiting, _ROWS_A_STATEMENT)):
            asked: dict[str, JobRequest] = {}
            for request in chunk:
                known = asked.get(request.key)
                if known is None or request.priority > known.priority:
                    asked[request.key] = request
            source = f"{_ASKED} (VALUES {db.placeholders(len(asked), 6)})"
            # Transactions that enqueue the same keys lock them in the same order, so that they cannot deadlock.
            ordered = [asked[key] for key in sorted(asked)]
            values = [v for r in ordered for v in (r.key, r.scope, r.priority, float(r.every), r.template, r.payload)]
            answers += _enqueue(kind, source, values, ageing, causes or [Cause(reason)], pause, delay)
    return answers


def enqueue_from_select(
    kind: str,
    select: str,
    parameters: Sequence[object],
    *,
    ageing: float,
    reason: str = "",
    causes: Sequence[Cause] = (),
    pause: float = 0.0,
    trigger_set: int | None = None,
) -> Counter[EnqueueResult]:
    """Enqueue a job for each row of a SELECT of (key, scope, priority, every, template), without reading the rows here.

    The SELECT must name each key once. The arguments and the result are those of `enqueue`; the new jobs share their
    causes, which are those of `trigger_set` if it is given.
    """
    source = f"{_ASKED} (SELECT named.*, NULL FROM ({select}) AS named)"
    with db.write():
        given = causes or [Cause(reason)]
        shared = make_set(given) if trigger_set is None else trigger_set
        return _enqueue(kind, source, list(parameters), ageing, given, pause, trigger_set=shared)


def _enqueue(
    kind: str, source: str, values: Sequence[object], ageing: float, causes: Sequence[Cause], pause: float = 0.0,
    delay: float = 0.0, trigger_set: int | None = None,
) -> Counter[EnqueueResult]:  # fmt: skip
    times = sum(cause.times for cause in causes)
    bound = [*values, kind, ageing, delay, delay, kind, kind, pause, times, causes[-1].reason, kind, trigger_set, pause]
    rows = db.execute(source + _ENQUEUE, bound).fetchall()
    if trigger_set is None:
        remember([job for job, _ in rows], causes)
    else:  # a job that waited before points to no set, or to another one
        remember_set([job for job, answer in rows if answer in ("raised", "coalesced")], trigger_set)
    if not delay:
        db.notify()
    return Counter(answer for _, answer in rows)
