"""Administration of the queue: people list, count, delete, retry and prioritise jobs.

Guarantees that an action is one transaction, that it changes exactly the jobs that match its filter, that a running job
is never touched, and that a failed job which is retried never collides with a newer request for its key: it is
superseded by it. `job_filter` has the filters, `job_queries` what reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict

from peewee import DatabaseError

from appliance import audit, db
from appliance.db import NOW
from appliance.queue.future_times import SLACK
from appliance.queue.job_filter import HOWS, How, JobFilter, TextFilter, condition, in_states
from appliance.queue.job_queries import (
    INDEXED_ORDERS,
    ORDERS,
    JobDetails,
    JobRow,
    Trigger,
    count,
    count_jobs,
    find,
    list_jobs,
    show,
)
from appliance.queue.models import State

#: The number of jobs by (old state, new state). Jobs whose two states are equal were left alone.
Acted = Counter[tuple[State, State]]

_TRIES = 100


def delete(selection: JobFilter) -> Acted:
    """Cancel the selected jobs that wait or are failed."""
    chosen = condition(selection)
    where, values = chosen.where, chosen.values

    def act() -> Acted:
        acted = _standing(where, values, ("pending", "failed"))
        _act(acted, "pending", "cancelled", f"finished_at = {NOW}", where, values)
        _act(acted, "failed", "cancelled", f"finished_at = {NOW}", where, values)
        _record("job.delete", selection, acted)
        return acted

    return _transaction(act)


_REVIVED = f"""
failures = 0, finished_at = NULL, worker = NULL, outcome = NULL, answer = 'added',
run_at = CASE WHEN every > 0
              THEN COALESCE((SELECT t.until FROM throttle t WHERE t.kind = job.kind AND t.key = job.key
                             AND t.until <= {NOW} + job.every + {SLACK}), {NOW})
              ELSE {NOW} END
"""
# Of several failed jobs of a key the newest is tried again, and none while another waits.
_NEWEST = """
NOT EXISTS (SELECT 1 FROM job AS w WHERE w.kind = job.kind AND w.key = job.key AND w.state = 'pending')
AND NOT EXISTS (SELECT 1 FROM job AS n WHERE n.kind = job.kind AND n.key = job.key AND n.state = 'failed'
                AND n.id > job.id AND n.id IN (SELECT id FROM job WHERE {where}))
"""


def retry(selection: JobFilter) -> Acted:
    """Retry the selected failed jobs as if for the first time. The last error stays until the next run.

    A job whose key has another that waits is superseded by it.
    """
    chosen = condition(selection)
    where, values = chosen.where, chosen.values
    newest = f"{where} AND {_NEWEST.format(where=where)}"

    def act() -> Acted:
        acted = _standing(where, values, ("failed",))
        _act(acted, "failed", "pending", _REVIVED, newest, [*values, *values])
        _act(acted, "failed", "superseded", f"finished_at = {NOW}", where, values)
        _record("job.retry", selection, acted)
        db.notify()
        return acted

    return _transaction(act)


def prioritise(selection: JobFilter, priority: int, *, ageing: float) -> Acted:
    """Change the priority of the selected pending jobs. Their age counts as before.

    A later request for the same key may raise it again.

    Args:
        selection: which jobs.
        priority: the new one; higher is sooner.
        ageing: seconds of waiting that weigh as much as one step of priority.
    """
    chosen = condition(selection)
    where, values = chosen.where, chosen.values
    to = "priority = ?, rank = created_at - ? * CAST(? AS DOUBLE PRECISION)"

    def act() -> Acted:
        acted = _standing(where, values, ("pending",))
        _act(acted, "pending", "pending", to, where, values, [priority, priority, ageing])
        if acted["pending", "pending"]:
            _record("job.prioritise", selection, acted, priority=priority)
        return acted

    return _transaction(act)


def _transaction(act: Callable[[], Acted]) -> Acted:
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


def _record(action: str, selection: JobFilter, acted: Acted, **values: object) -> None:
    """Record one act in the audit: which jobs were meant, and how many came from one state to another."""
    moved = {f"{old} → {new}": count for (old, new), count in acted.items() if old != new or values}
    if not moved:
        return
    given = {name: value for name, value in asdict(selection).items() if value not in (None, (), [])}
    sites = list(selection.scopes) or _scopes_of(selection.ids or ())
    number = selection.ids[0] if selection.ids and len(selection.ids) == 1 else ""
    site = sites[0] if len(sites) == 1 else ""
    audit.record(action, "job", number, site=site, after={"filter": given, "jobs": moved, **values})


def _scopes_of(ids: Sequence[int]) -> list[str]:
    """Return two of the scopes that jobs have, if they have several."""
    some = list(ids)[:_TRIES]
    found = db.execute(f"SELECT DISTINCT scope FROM job WHERE id IN ({db.placeholders(len(some)) or 'NULL'})", some)
    return [scope for (scope,) in found.fetchall()]


def _standing(where: str, values: Sequence[object], acted_on: Sequence[State]) -> Acted:
    """Count the selected jobs by state, and lock those to act on until the transaction ends."""
    some = f"{in_states(acted_on).sql} AND {where}"
    db.execute(f"SELECT id FROM job WHERE {some} ORDER BY id {db.for_update()}", values).close()
    rows = db.execute(f"SELECT state, COUNT(*) FROM job WHERE {where} GROUP BY state", values)
    return Counter({(state, state): number for state, number in rows.fetchall()})


def _act(
    acted: Acted, before: State, after: State, change: str, where: str, values: Sequence[object],
    bound: Sequence[object] = (),
) -> None:  # fmt: skip
    """Bring selected jobs from one state to another, and count them so."""
    done = db.execute(
        f"UPDATE job SET state = ?, {change} WHERE {in_states([before]).sql} AND {where}", [after, *bound, *values]
    ).rowcount
    if done and before != after:
        acted[before, after] += done
        acted[before, before] -= done
    acted += Counter()


__all__ = [
    "HOWS", "INDEXED_ORDERS", "ORDERS", "Acted", "How", "JobDetails", "JobFilter", "JobRow", "TextFilter", "Trigger",
    "count", "count_jobs", "delete", "find", "list_jobs", "prioritise", "retry", "show",
]  # fmt: skip
