"""Corrects times on the queue that were set while the clock ran ahead.

Guarantees that, counted from now, no job waits and no lease lasts longer than its rule allows. The queue stores the
moment at which each time was set. If that moment lies in the future, the clock has been put back since, and the time is
moved back by the same amount.
"""

from __future__ import annotations

from typing import Final

from appliance import db

#: Seconds that a time may lie in the future before the clock counts as having been wrong.
SLACK: Final = 5.0

#: When a job's due time was set: at the end of its last run, or when it was enqueued.
_SET_AT: Final = "COALESCE({0}.finished_at, {0}.created_at)"
#: The condition that a pending job is due although its due time has not come: the due time was set in the future, or is
#: later than the minimum interval of its key allows. Format arguments: the job's alias and the SQL of the current time.
_FROM_FUTURE: Final = (
    f"({_SET_AT.format('{0}')} > {{1}} + {SLACK}"
    f" OR {{0}}.every > 0 AND {{0}}.finished_at IS NULL AND {{0}}.run_at > {{1}} + {{0}}.every + {SLACK})"
)


def is_from_future(job: str, now: str) -> str:
    """SQL condition: the due time of the pending job is further ahead than its rule allows.

    `job` is the alias of the job's table, `now` the SQL of the current time.
    """
    return _FROM_FUTURE.format(job, now)


_MOVE_DUE: Final = f"""
UPDATE job SET run_at = CASE WHEN {_SET_AT.format("job")} > ? AND run_at - ({_SET_AT.format("job")} - ?) > ?
                             THEN run_at - ({_SET_AT.format("job")} - ?) ELSE ? END,
    rank = CASE WHEN created_at > ? THEN rank - (created_at - ?) ELSE rank END,
    created_at = CASE WHEN created_at > ? THEN ? ELSE created_at END,
    finished_at = CASE WHEN finished_at > ? THEN ? ELSE finished_at END
WHERE id IN (SELECT j.id FROM job AS j WHERE j.state = 'pending' AND %s AND {_FROM_FUTURE.format("j", "?")} %s)
"""
#: Jobs that wait for a later due time, and jobs ranked behind everything enqueued now. Each condition has an index.
_HELD_BACK: Final = f"j.run_at > j.created_at AND j.run_at > ? + {SLACK}"
_BEHIND: Final = f"j.rank > ? + {SLACK}"
_SHORTEN: Final = """
UPDATE job SET lease_until = ? WHERE id IN
    (SELECT j.id FROM job AS j WHERE j.state = 'running' AND j.lease_until > ? %s)
"""


_MOVE_THROTTLE: Final = "UPDATE throttle SET until = until - (since - ?), since = ? WHERE since > ?"


def correct(lease: float) -> None:
    """Move due times and leases that lie too far in the future; `lease` is the length of a lease in seconds.

    A lease is shortened rather than ended: a live worker renews it, so only a dead worker loses its jobs.
    """
    now = db.now()
    if db.execute("SELECT 1 FROM throttle WHERE since > ? LIMIT 1", [now + SLACK]).fetchone():
        with db.write():
            db.execute(_MOVE_THROTTLE, [now, now, now + SLACK])
    for which in (_HELD_BACK, _BEHIND):
        if db.execute(f"SELECT 1 FROM job AS j WHERE j.state = 'pending' AND {which} LIMIT 1", [now]).fetchone():
            with db.write():
                move = _MOVE_DUE % (which, db.skip_locked("j"))
                moved = db.execute(move, [now] * move.count("?"))
                if moved.rowcount:
                    db.notify()
    late = now + 2 * lease
    if db.execute("SELECT 1 FROM job WHERE state = 'running' AND lease_until > ? LIMIT 1", [late]).fetchone():
        with db.write():
            db.execute(_SHORTEN % db.skip_locked("j"), [now + lease, late])
