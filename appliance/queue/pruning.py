"""Rows of the queue that nobody needs any more."""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.db import NOW
from appliance.queue import triggers

#: Seconds for which it is known what people did to jobs.
ACTS_KEPT: Final = 3600.0
#: Rows of one transaction: few enough that nobody waits for long.
_MOST = 2000

_OLD = f"""
SELECT id FROM job WHERE state IN ('done', 'superseded', 'cancelled') AND finished_at < {NOW} - ?
ORDER BY finished_at LIMIT ?
"""


def prune(older_than: float) -> int:
    """Remove jobs that ended well, were superseded or cancelled so many seconds ago; returns how many.

    Failed jobs stay until a person or a later success sees to them.
    """
    removed = 0
    while True:
        with db.write():
            # By their numbers: joined with what names them, a planner would walk through the table for them.
            old = [row[0] for row in db.execute(_OLD, [older_than, _MOST]).fetchall()]
            for some in db.chunks(old):
                removed += db.execute(f"DELETE FROM job WHERE id IN ({db.placeholders(len(some))})", some).rowcount
        if len(old) < _MOST:
            break
    more = True
    while more:
        with db.write():
            more = triggers.prune_sets(older_than, _MOST)
    with db.write():
        db.execute(f"DELETE FROM throttle WHERE until < {NOW}")
        db.execute(f"DELETE FROM job_act WHERE at < {NOW} - ?", [ACTS_KEPT])
    return removed
