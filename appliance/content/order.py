"""The order of listings, kept beside the terms of entries.

`live_at` in entry_author, entry_category and entry_tag repeats when a published entry was published, and is
null for all others, so that any page of any term's listing is read from an index alone, however large the
site. Guarantees no more than its callers do: whoever changes an entry's status, kind, moment or terms calls
`keep` in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from appliance import db

_CHUNK = 500
_KEEP = """
UPDATE {table} SET live_at = e.live_at
FROM (SELECT id, CASE WHEN status = 'published' AND kind = 'entry' THEN published_at END AS live_at
      FROM entry WHERE id IN ({ids})) AS e
WHERE {table}.entry_id = e.id AND {table}.live_at IS DISTINCT FROM e.live_at
"""


def keep(entries: Sequence[int]) -> None:
    """Bring `live_at` of these entries' terms up to the entries."""
    for start in range(0, len(entries), _CHUNK):
        ids = list(entries[start : start + _CHUNK])
        for table in ("entry_author", "entry_category", "entry_tag"):
            db.execute(_KEEP.format(table=table, ids=db.marks(len(ids))), ids)
