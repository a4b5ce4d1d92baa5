"""The index that listings of a term are read from.

`live_at` in entry_author, entry_category and entry_tag is a copy of the publication time of a published entry, and null
for every other entry and for pages. With it any page of a term's listing is read from one index, however large the site
is. The copy is not updated by itself: code that changes the status, kind, publication time or terms of an entry must
call `update` in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance import db

_CHUNK = 500
_UPDATE = """
UPDATE {table} SET live_at = e.live_at
FROM (SELECT id, CASE WHEN status = 'published' AND kind = 'entry' THEN published_at END AS live_at
      FROM entry WHERE id IN ({ids})) AS e
WHERE {table}.entry_id = e.id AND {table}.live_at IS DISTINCT FROM e.live_at
"""


def update(entries: Sequence[int]) -> None:
    """Update `live_at` for these entries."""
    for start in range(0, len(entries), _CHUNK):
        ids = list(entries[start : start + _CHUNK])
        for table in ("entry_author", "entry_category", "entry_tag"):
            db.execute(_UPDATE.format(table=table, ids=db.placeholders(len(ids))), ids)
