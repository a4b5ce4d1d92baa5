"""Administration of the queue: people list, count, delete, retry and prioritise jobs.

Guarantees that an action is one transaction, that it changes exactly the jobs that match its filter, that a running job
is never touched, and that a failed job which is retried never collides with a newer request for its key: it is
superseded by it. `job_filter` has the filters, `job_queries` what reads, `job_changes` what writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from peewee import DatabaseError

from appliance import db
from appliance.queue import job_changes
from appliance.queue.job_changes import Acted
from appliance.queue.job_filter import HOWS, How, JobFilter, TextFilter
from appliance.queue.job_queries import (
    INDEXED_ORDERS,
    ORDERS,
    JobDetails,
    JobRow,
    count,
    count_jobs,
    find,
    list_jobs,
    show,
)
from appliance.queue.triggers import Trigger

T = TypeVar("T")

_TRIES = 100


def delete(selection: JobFilter) -> Acted:
    """Cancel the selected jobs that wait or are failed."""
    return in_transaction(lambda: job_changes.cancel(selection))


def retry(selection: JobFilter) -> Acted:
    """Retry the selected failed jobs as if for the first time. The last error stays until the next run.

    A job whose key has another that waits is superseded by it.
    """
    return in_transaction(lambda: job_changes.revive(selection))


def prioritise(selection: JobFilter, priority: int, *, ageing: float) -> Acted:
    """Change the priority of the selected pending jobs. Their age counts as before.

    A later request for the same key may raise it again.

    Args:
        selection: which jobs.
        priority: the new one; higher is sooner.
        ageing: seconds of waiting that weigh as much as one step of priority.
    """
    return in_transaction(lambda: job_changes.rank(selection, priority, ageing))


def in_transaction(act: Callable[[], T]) -> T:
    """Act in one write transaction, from the beginning again when it got in the way of another.

    Jobs may be asked for and claimed meanwhile, in any order: it is this one that gives way, and a job that is new
    then is seen the next time.
    """
    tries = 0
    while True:
        try:
            with db.write():
                db.set_short_lock_timeout()
                return act()
        except DatabaseError as error:
            tries += 1
            if not db.is_conflict(error) or tries == _TRIES:
                raise


__all__ = [
    "HOWS", "INDEXED_ORDERS", "ORDERS", "Acted", "How", "JobDetails", "JobFilter", "JobRow", "TextFilter", "Trigger",
    "count", "count_jobs", "delete", "find", "in_transaction", "list_jobs", "prioritise", "retry", "show",
]  # fmt: skip
