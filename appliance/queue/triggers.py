"""Why jobs were enqueued: what happened, who did it, when first and last, and how often.

What many jobs are enqueued for at once is one set of triggers, to which each new job points. A job into which a later
request is folded gets rows of its own beside it. A reader sees one list for each job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.db import NOW

#: Least age in seconds of a set that is removed: the plan that made it may still enqueue jobs.
_SET_KEPT: Final = 3600.0
#: Rows of one statement.
_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a job is enqueued: what happened, who did it, the id of the change, and how often it happened."""

    reason: str = ""
    actor: str = ""
    change: int | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Trigger:
    """One reason for a job: what happened, who did it, the latest change that did, when and how often."""

    reason: str
    actor: str
    change_id: int | None
    first_at: float
    last_at: float
    times: int


_COLUMNS: Final = "job_id, reason, actor, change_id, first_at, last_at, times"
_AGAIN: Final = """
ON CONFLICT (job_id, reason, actor) DO UPDATE SET
    change_id = excluded.change_id, last_at = excluded.last_at, times = job_trigger.times + excluded.times
"""
_REMEMBER: Final = f"INSERT INTO job_trigger ({_COLUMNS}) VALUES %s {_AGAIN}"
_REMEMBERED: Final = f"(?, ?, ?, ?, {NOW}, {NOW}, ?)"
_COPY: Final = f"""
INSERT INTO job_trigger ({_COLUMNS})
SELECT j.id, s.reason, s.actor, s.change_id, {NOW}, {NOW}, s.times FROM job j CROSS JOIN shared_trigger s
WHERE s.trigger_set_id = ? AND j.id IN (%s) {_AGAIN}
"""

#: SQL of the triggers of the jobs that `%s` selects: the columns of `Trigger` after the id of the job.
CHAINS: Final = """
SELECT j.id AS job_id, s.reason, s.actor,
       CASE WHEN t.last_at >= j.created_at THEN t.change_id ELSE s.change_id END AS change_id,
       CASE WHEN t.first_at < j.created_at THEN t.first_at ELSE j.created_at END AS first_at,
       CASE WHEN t.last_at > j.created_at THEN t.last_at ELSE j.created_at END AS last_at,
       s.times + COALESCE(t.times, 0) AS times
FROM job j JOIN shared_trigger s ON s.trigger_set_id = j.trigger_set
LEFT JOIN job_trigger t ON t.job_id = j.id AND t.reason = s.reason AND t.actor = s.actor
WHERE j.id IN (%s)
UNION ALL
SELECT t.job_id, t.reason, t.actor, t.change_id, t.first_at, t.last_at, t.times
FROM job j JOIN job_trigger t ON t.job_id = j.id
WHERE j.id IN (%s) AND NOT EXISTS (SELECT 1 FROM shared_trigger s
    WHERE s.trigger_set_id = j.trigger_set AND s.reason = t.reason AND s.actor = t.actor)
"""


def make_set(causes: Iterable[Cause]) -> int:
    """Store the causes of many jobs as one set; returns its number."""
    (number,) = db.execute(f"INSERT INTO trigger_set (at) SELECT {NOW} RETURNING id").fetchone()
    rows = [v for c in causes for v in (number, c.reason, c.actor, c.change, c.times)]
    insert = "INSERT INTO shared_trigger (trigger_set_id, reason, actor, change_id, times) VALUES"
    db.execute(f"{insert} {db.placeholders(len(rows) // 5, 5)}", rows)
    return int(number)


def remember(jobs: Sequence[int], causes: Iterable[Cause]) -> None:
    """Add the causes to the triggers of each job."""
    for some in db.chunks(jobs, _ROWS):
        for cause in causes:
            why = (cause.reason, cause.actor, cause.change, cause.times)
            db.execute(_REMEMBER % ",".join([_REMEMBERED] * len(some)), [v for job in some for v in (job, *why)])


def remember_set(jobs: Sequence[int], trigger_set: int) -> None:
    """Add the causes of a set to the triggers of each job that does not point to it."""
    for some in db.chunks(jobs, _ROWS):
        db.execute(_COPY % db.placeholders(len(some)), [trigger_set, *some])


def chain_of(job: int) -> list[Trigger]:
    """The triggers of a job, the latest last."""
    rows = db.execute(
        f"SELECT reason, actor, change_id, first_at, last_at, times FROM ({CHAINS % ('?', '?')}) AS chain"
        " ORDER BY last_at, COALESCE(change_id, 0), reason, actor",
        [job, job],
    )
    return [Trigger(*row) for row in rows.fetchall()]


_UNUSED: Final = f"""
SELECT id FROM trigger_set WHERE at < {NOW} - ?
  AND NOT EXISTS (SELECT 1 FROM job j WHERE j.trigger_set = trigger_set.id) ORDER BY at LIMIT ?
"""


def prune_sets(older_than: float, most: int) -> bool:
    """Remove at most so many of the sets that old to which no job points; returns whether there may be more."""
    unused = [row[0] for row in db.execute(_UNUSED, [max(older_than, _SET_KEPT), most]).fetchall()]
    for some in db.chunks(unused):
        db.execute(f"DELETE FROM trigger_set WHERE id IN ({db.placeholders(len(some))})", some)
    return len(unused) == most
