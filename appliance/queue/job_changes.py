"""The changes that people make to jobs, in SQL: each one in the caller's write transaction.

Guarantees that a change touches exactly the jobs of its filter that are in a state for it, that a running job is none
of them, that a failed job which is retried never collides with a newer request for its key, and that the audit has a
row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from appliance import audit, db
from appliance.db import NOW
from appliance.queue.future_times import SLACK
from appliance.queue.job_filter import JobFilter, condition, in_states
from appliance.queue.models import State

#: The number of jobs by (old state, new state). Jobs whose two states are equal were left alone, or kept theirs.
Acted = Counter[tuple[State, State]]

_MANY: Final = 100


def cancel(selection: JobFilter, meant: JobFilter | None = None) -> Acted:
    """Cancel the selected jobs that wait or are failed. `meant` is what the audit says, if not the selection."""
    chosen = condition(selection)
    where, values = chosen.where, chosen.values
    acted = _standing(where, values, ("pending", "failed"))
    _change(acted, "pending", "cancelled", f"finished_at = {NOW}", where, values)
    _change(acted, "failed", "cancelled", f"finished_at = {NOW}", where, values)
    _record("job.delete", meant or selection, acted)
    return acted


_REVIVED: Final = f"""
failures = 0, finished_at = NULL, worker = NULL, outcome = NULL, answer = 'added',
run_at = CASE WHEN every > 0
              THEN COALESCE((SELECT t.until FROM throttle t WHERE t.kind = job.kind AND t.key = job.key
                             AND t.until <= {NOW} + job.every + {SLACK}), {NOW})
              ELSE {NOW} END
"""
# Of several failed jobs of a key the newest is tried again, and none while another waits.
_NEWEST: Final = """
NOT EXISTS (SELECT 1 FROM job AS w WHERE w.kind = job.kind AND w.key = job.key AND w.state = 'pending')
AND NOT EXISTS (SELECT 1 FROM job AS n WHERE n.kind = job.kind AND n.key = job.key AND n.state = 'failed'
                AND n.id > job.id AND n.id IN (SELECT id FROM job WHERE {where}))
"""


def revive(selection: JobFilter, meant: JobFilter | None = None) -> Acted:
    """Have the selected failed jobs wait again as if for the first time. The last error stays until the next run.

    A job whose key has another that waits is superseded by it.
    """
    chosen = condition(selection)
    where, values = chosen.where, chosen.values
    newest = f"{where} AND {_NEWEST.format(where=where)}"
    acted = _standing(where, values, ("failed",))
    _change(acted, "failed", "pending", _REVIVED, newest, [*values, *values])
    _change(acted, "failed", "superseded", f"finished_at = {NOW}", where, values)
    _record("job.retry", meant or selection, acted)
    db.notify()
    return acted


def rank(selection: JobFilter, priority: int, ageing: float, meant: JobFilter | None = None) -> Acted:
    """Give the selected pending jobs a priority, and the place in the queue that it makes with their age."""
    chosen = condition(selection)
    where, values = chosen.where, chosen.values
    to = "priority = ?, rank = created_at - ? * CAST(? AS DOUBLE PRECISION)"
    acted = _standing(where, values, ("pending",))
    _change(acted, "pending", "pending", to, where, values, [priority, priority, ageing])
    if acted["pending", "pending"]:
        _record("job.prioritise", meant or selection, acted, priority=priority)
    return acted


# Before all that waits. A least interval between two runs of the key holds for later requests again.
_FIRST: Final = f"""
run_at = {NOW}, every = 0,
rank = (SELECT MIN(w.rank) FROM job AS w WHERE w.state = 'pending' AND w.rank IS NOT NULL) - 1
"""


def advance(selection: JobFilter, meant: JobFilter | None = None) -> Acted:
    """Make the selected pending jobs due now, before all others, whatever their least interval."""
    chosen = condition(selection)
    acted = _standing(chosen.where, chosen.values, ("pending",))
    _change(acted, "pending", "pending", _FIRST, chosen.where, chosen.values)
    if acted["pending", "pending"]:
        _record("job.run", meant or selection, acted, first=True)
    db.notify()
    return acted


def _record(action: str, selection: JobFilter, acted: Acted, **values: object) -> None:
    """Record one act in the audit: which jobs were meant, and how many came from one state to another."""
    moved = {f"{old} → {new}": count for (old, new), count in acted.items() if old != new or values}
    if not moved:
        return
    given = {name: value for name, value in asdict(selection).items() if value not in (None, (), [])}
    sites = list(selection.scopes) or _scopes_of(selection.ids or ())
    number = selection.ids[0] if selection.ids and len(selection.ids) == 1 else ""
    site = sites[0] if len(sites) == 1 else ""
    audit.record(action, "job", number, site=site, after={"filter": _brief(given), "jobs": moved, **values})


def _brief(value: Any) -> Any:
    """A part of a filter without what it does not say."""
    if isinstance(value, dict):
        return {name: _brief(one) for name, one in value.items() if one not in (None, (), [])}
    return [_brief(one) for one in value] if isinstance(value, (list, tuple)) else value


def _scopes_of(ids: Sequence[int]) -> list[str]:
    """Return two of the scopes that jobs have, if they have several."""
    some = list(ids)[:_MANY]
    found = db.execute(f"SELECT DISTINCT scope FROM job WHERE id IN ({db.placeholders(len(some)) or 'NULL'})", some)
    return [scope for (scope,) in found.fetchall()]


def _standing(where: str, values: Sequence[object], acted_on: Sequence[State]) -> Acted:
    """Count the selected jobs by state, and lock those to act on until the transaction ends."""
    some = f"{in_states(acted_on).sql} AND {where}"
    db.execute(f"SELECT id FROM job WHERE {some} ORDER BY id {db.for_update()}", values).close()
    rows = db.execute(f"SELECT state, COUNT(*) FROM job WHERE {where} GROUP BY state", values)
    return Counter({(state, state): number for state, number in rows.fetchall()})


def _change(
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
