"""What is left of previews that nobody may see any more."""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.db import NOW
from appliance.previews import links, store

#: Days that a link stays in lists after its end.
KEEP_ENDED: Final = 30
_ENDED: Final = f"COALESCE(revoked_at, expires_at) < {NOW} - {KEEP_ENDED * 86_400}"


def prune() -> int:
    """Delete previews without a valid link, their contents, and links that ended long ago; returns how many previews.

    The preview of an entry that was deleted went with it.
    """
    with db.write():
        deleted = links.delete_unshown()
        db.execute(f"DELETE FROM preview_link WHERE {_ENDED}")
    store.delete_unused_contents()
    return deleted


def next_due() -> float | None:
    """When there is next something to delete, in seconds since the epoch; None if nothing is left."""
    row = db.execute(
        """SELECT MIN(last) FROM (SELECT MAX(CASE WHEN l.revoked_at IS NULL THEN l.expires_at ELSE 0 END) AS last
           FROM preview p LEFT JOIN preview_link l ON l.entry_id = p.entry_id GROUP BY p.entry_id) AS ends"""
    ).fetchone()
    moments = (row[0], store.next_unused())
    return min((float(moment) for moment in moments if moment is not None), default=None)
