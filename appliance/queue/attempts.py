"""The attempts of a job, one after the other: when each was due, began and ended, by which worker, and how.

Guarantees that an attempt which failed, was snoozed or lost its worker has a row, written in the transaction that ends
it, and that success costs nothing: the attempt that succeeded is in the row of its job. Attempts that were given back
untouched leave no row, only a gap in the numbers. A job keeps its last attempts, and snoozed ones in a row with the
same error share a row, so a job that is snoozed for days has few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.db import NOW
from appliance.errors import SourceExcerpt
from appliance.queue.failures import KEPT, FailureDetails, decode_excerpt, encode_excerpt
from appliance.queue.models import BadEnd, State

#: An attempt older than so many others of its job is forgotten.
LAST: Final = 50


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt, or several snoozed ones in a row. Times are seconds since the epoch on the database's clock."""

    #: The number of the last one.
    number: int
    #: How many there were in a row.
    times: int
    worker: str
    #: When the first one was due, and began.
    due_at: float
    started_at: float
    #: When the last one ended; None while it runs.
    ended_at: float | None
    #: A `BadEnd`, 'running', 'changed' or 'unchanged'.
    result: str
    error_class: str = ""
    error_message: str = ""
    about: str = ""
    excerpt: SourceExcerpt | None = None

    @property
    def waited(self) -> float:
        """Seconds from when it was due until it began."""
        return max(0.0, self.started_at - self.due_at)

    @property
    def ran(self) -> float | None:
        """Seconds that it ran; None while it runs."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.started_at)


_FOLD = f"""
UPDATE job_attempt SET number = ?, times = times + 1, ended_at = {NOW}, error_message = ?
WHERE job_id = ? AND result = 'snoozed' AND error_class = ?
  AND number = (SELECT MAX(number) FROM job_attempt WHERE job_id = ?)
"""
_ADD = f"""
INSERT INTO job_attempt (job_id, number, times, worker, due_at, started_at, ended_at, result,
                         error_class, error_message, about, excerpt)
SELECT id, attempt, 1, COALESCE(worker, ''), ?, COALESCE(claimed_at, {NOW}), {NOW}, ?, ?, ?, ?, ?
FROM job WHERE id = ?
"""


def record(job: int, number: int, due_at: float, result: BadEnd, failure: FailureDetails) -> None:
    """Record an attempt that ends without success. Call it in the transaction that ends it."""
    message = failure.message[:KEPT]
    if result == "snoozed" and db.execute(_FOLD, [number, message, job, failure.error, job]).rowcount:
        return
    excerpt = encode_excerpt(failure.excerpt)
    db.execute(_ADD, [due_at, result, failure.error, message, failure.about, excerpt, job]).close()
    if number > LAST:
        db.execute("DELETE FROM job_attempt WHERE job_id = ? AND number <= ?", [job, number - LAST]).close()


_COLUMNS: Final = """
number, times, worker, due_at, started_at, ended_at, result, error_class, error_message, about, excerpt
"""
_OF_JOB = f"SELECT {_COLUMNS} FROM job_attempt WHERE job_id = ? ORDER BY number"
_CURRENT = "SELECT state, outcome, attempt, worker, run_at, claimed_at, finished_at FROM job WHERE id = ?"


def list_attempts(job: int) -> list[Attempt]:
    """Return the attempts of a job that are known, the first one first: those recorded, and the one in its row."""
    with db.snapshot():
        rows = db.execute(_OF_JOB, [job]).fetchall()
        current = db.execute(_CURRENT, [job]).fetchone()
    found = [Attempt(*(*row[:10], decode_excerpt(row[10]))) for row in rows]
    return found + (_in_row(*current) if current else [])


def _in_row(
    state: State, outcome: str | None, number: int, worker: str | None, due_at: float, started_at: float | None,
    finished_at: float | None,
) -> list[Attempt]:  # fmt: skip
    """The attempt in the row of its job: one that runs or succeeded."""
    if state not in ("running", "done") or started_at is None:
        return []
    result, ended_at = ("running", None) if state == "running" else (outcome or "unchanged", finished_at)
    return [Attempt(number, 1, worker or "", due_at, started_at, ended_at, result)]
