"""Asking the queue for work: fold a request into the one that waits, or add it, or let it follow the one that runs.

Guarantees that a request is answered exactly (added, raised, coalesced, follow-up), that none is lost and
none doubled, whoever asks at the same time, and that the job remembers why it exists: which request, by whom,
when first and last, how often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from appliance import db
from appliance.db import NOW
from appliance.queue.models import ANSWERS, Answer

_ROWS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Request:
    """One thing asked of the queue: work on `key`."""

    key: str
    priority: int = 0
    scope: str = ""
    payload: str | None = None
    #: Seconds that must lie between the end of one run of the key and the beginning of the next.
    every: float = 0.0


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is asked for: what happened, who did it, the number of the change, how often it happened."""

    reason: str = ""
    actor: str = ""
    change: int | None = None
    times: int = 1


_ENQUEUE = f"""
INSERT INTO job (kind, key, scope, priority, every, rank, state, run_at, created_at,
                 attempt, failures, triggers, reason, answer, payload)
SELECT ?, asked.key, asked.scope, asked.priority, asked.every, {NOW} - asked.priority * ?, 'pending',
       CASE WHEN asked.every > 0
            THEN COALESCE((SELECT t.until FROM throttle AS t
                           WHERE t.kind = ? AND t.key = asked.key AND t.until > {NOW}), {NOW})
            WHEN EXISTS (SELECT 1 FROM job AS r WHERE r.kind = ? AND r.key = asked.key AND r.state = 'running')
            THEN {NOW} + ? ELSE {NOW} END,
       {NOW}, 0, 0, ?, ?,
       CASE WHEN EXISTS (SELECT 1 FROM job AS r WHERE r.kind = ? AND r.key = asked.key AND r.state = 'running')
            THEN 'follow-up' ELSE 'added' END,
       asked.payload
FROM asked WHERE true
ON CONFLICT (kind, key) WHERE state = 'pending' DO UPDATE SET
    answer   = CASE WHEN excluded.priority > job.priority THEN 'raised' ELSE 'coalesced' END,
    rank     = CASE WHEN excluded.priority > job.priority
                    THEN excluded.rank - (excluded.created_at - job.created_at) ELSE job.rank END,
    priority = CASE WHEN excluded.priority > job.priority THEN excluded.priority ELSE job.priority END,
    every    = excluded.every,
    run_at   = CASE WHEN job.failures = 0 AND job.every = excluded.every AND job.run_at < {NOW} + ? THEN job.run_at
                    WHEN excluded.run_at < job.run_at THEN excluded.run_at ELSE job.run_at END,
    payload  = excluded.payload,
    reason   = excluded.reason,
    triggers = job.triggers + excluded.triggers
RETURNING id, answer
"""

_REMEMBER = """
INSERT INTO job_trigger (job_id, reason, actor, change_id, first_at, last_at, times) VALUES %s
ON CONFLICT (job_id, reason, actor) DO UPDATE SET
    change_id = excluded.change_id, last_at = excluded.last_at, times = job_trigger.times + excluded.times
"""
_REMEMBERED = f"(?, ?, ?, ?, {NOW}, {NOW}, ?)"


def enqueue(
    kind: str,
    requests: Iterable[Request],
    *,
    ageing: float,
    reason: str = "",
    causes: Sequence[Cause] = (),
    pause: float = 0.0,
) -> Counter[Answer]:
    """Ask for work. A key asked for twice in one call counts once, at its higher priority.

    Args:
        kind: the kind of all the requests.
        requests: what to work on; read lazily, a few hundred at a time.
        ageing: seconds of waiting that weigh as much as one step of priority.
        reason: why, in words, for whom that is all there is to say.
        causes: why, in full; one for each (reason, actor), the latest last.
        pause: seconds after which a follow-up is due, so that a flood of requests becomes few runs.

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
            source = f"WITH asked (key, scope, priority, every, payload) AS (VALUES {db.marks(len(asked), 5)})"
            # Whoever asks for some of the same at once waits for the same first, so that neither waits for ever.
            ordered = [asked[key] for key in sorted(asked)]
            values = [v for r in ordered for v in (r.key, r.scope, r.priority, float(r.every), r.payload)]
            answers += _enqueue(kind, source, values, ageing, causes or [Cause(reason)], pause)
    return answers


def enqueue_selected(
    kind: str,
    select: str,
    parameters: Sequence[object],
    *,
    ageing: float,
    reason: str = "",
    causes: Sequence[Cause] = (),
    pause: float = 0.0,
) -> Counter[Answer]:
    """Ask for work on everything a SELECT of (key, scope, priority, every) names, without bringing it here.

    The select must name a key once. A follow-up is due `pause` seconds from now, and further requests fold into it
    meanwhile, so that a flood of them becomes few runs. Its answers are counted as in `enqueue`.
    """
    source = f"WITH asked (key, scope, priority, every, payload) AS (SELECT named.*, NULL FROM ({select}) AS named)"
    with db.write():
        return _enqueue(kind, source, list(parameters), ageing, causes or [Cause(reason)], pause)


def _enqueue(
    kind: str, source: str, values: Sequence[object], ageing: float, causes: Sequence[Cause], pause: float = 0.0
) -> Counter[Answer]:
    times = sum(cause.times for cause in causes)
    bound = [*values, kind, ageing, kind, kind, pause, times, causes[-1].reason, kind, pause]
    rows = db.execute(source + _ENQUEUE, bound).fetchall()
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        some = rows[start : start + _ROWS_A_STATEMENT]
        for cause in causes:
            why = (cause.reason, cause.actor, cause.change, cause.times)
            db.execute(_REMEMBER % ",".join([_REMEMBERED] * len(some)), [v for row in some for v in (row[0], *why)])
    db.notify()
    return Counter(answer for _, answer in rows)
