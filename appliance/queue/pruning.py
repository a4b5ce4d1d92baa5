"""Rows of the queue that nobody needs any more."""

from __future__ import annotations

from appliance import db
from appliance.db import NOW

#: Rows of one transaction: few enough that nobody waits for long.
_MOST = 2000

_PRUNE = f"""
DELETE FROM job WHERE id IN (
    SELECT id FROM job WHERE state IN ('done', 'superseded', 'cancelled') AND finished_at < {NOW} - ?
    ORDER BY finished_at LIMIT ?)
RETURNING id
"""


def prune(older_than: float) -> int:
    """Remove jobs that ended well, were superseded or cancelled so many seconds ago; returns how many.

    Failed jobs stay until a person or a later success sees to them.
    """
    removed = 0
    while True:
        with db.write():
            gone = db.execute(_PRUNE, [older_than, _MOST]).fetchall()
            db.execute(f"DELETE FROM throttle WHERE until < {NOW}")
        removed += len(gone)
        if len(gone) < _MOST:
            return removed
