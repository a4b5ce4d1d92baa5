"""What the last runs of each periodic task did: when, how long, where and how each ended.

Guarantees that the history stays small and keeps what matters: runs in a row with the same result are one row with
their number, and only the newest rows of a task are kept, with the newest of those that failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from peewee import AutoField, DoubleField, IntegerField, TextField

from appliance import db
from appliance.db import NOW, BaseModel

#: Rows that are kept of each task, and of those that failed.
KEPT, KEPT_FAILURES = 50, 10
#: Seconds after which the rows of any task go, also of one that is no more.
_FORGOTTEN: Final = 180 * 86_400
#: Characters of an error or of a description that are kept.
_LONGEST: Final = 2000


class PeriodicRun(BaseModel):
    """A run, or several in a row with the same result. Times are seconds since the epoch on the database's clock."""

    id = AutoField()
    #: The name of the task.
    task = TextField()
    #: When the first of them began.
    first_at = DoubleField()
    #: When the last of them began and ended, and the host and process id of the process that ran it.
    started_at = DoubleField()
    ended_at = DoubleField()
    host = TextField(default="")
    times = IntegerField(default=1)
    #: What the last of them did; empty if there was nothing to do, or if it failed.
    did = TextField(default="")
    #: Empty unless it failed.
    error = TextField(default="")

    class Meta:
        """The rows of a task are found by its name, in their order."""

        indexes = ((("task", "id"), False),)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A row of the history; see `PeriodicRun`."""

    first_at: float
    started_at: float
    ended_at: float
    host: str
    times: int
    did: str
    error: str


_NEWEST: Final = "SELECT id, did, error FROM periodic_run WHERE task = ? ORDER BY id DESC LIMIT 1"
_REPEAT: Final = f"UPDATE periodic_run SET started_at = ?, ended_at = {NOW}, host = ?, times = times + 1 WHERE id = ?"
_ADD: Final = f"""
INSERT INTO periodic_run (task, first_at, started_at, ended_at, host, times, did, error)
VALUES (?, ?, ?, {NOW}, ?, 1, ?, ?)
"""
_PRUNE: Final = f"""
DELETE FROM periodic_run WHERE ended_at < {NOW} - {_FORGOTTEN} OR (task = ?
    AND id NOT IN (SELECT id FROM periodic_run WHERE task = ? ORDER BY id DESC LIMIT {KEPT})
    AND id NOT IN (SELECT id FROM periodic_run WHERE task = ? AND error <> '' ORDER BY id DESC LIMIT {KEPT_FAILURES}))
"""
_LIST: Final = """
SELECT first_at, started_at, ended_at, host, times, did, error FROM periodic_run
WHERE task = ? ORDER BY id DESC
"""


def record(task: str, started_at: float, host: str, *, did: str = "", error: str = "") -> None:
    """Record a run that ends now. Call it in the transaction that ends the run.

    Args:
        task: the name of the task.
        started_at: when it began, by the database's clock.
        host: the host and process id of the process that ran it.
        did: what it did; empty if there was nothing to do.
        error: why it failed; empty if it did not.
    """
    did, error = did[:_LONGEST], error[:_LONGEST]
    last = db.execute(_NEWEST, [task]).fetchone()
    if last is not None and tuple(last[1:]) == (did, error):
        db.execute(_REPEAT, [started_at, host, last[0]])
        return
    db.execute(_ADD, [task, started_at, started_at, host, did, error])
    db.execute(_PRUNE, [task, task, task])


def read(task: str) -> list[RunRow]:
    """The last runs of a task, the newest first; none of one that never ran."""
    return [RunRow(*values) for values in db.execute(_LIST, [task]).fetchall()]
