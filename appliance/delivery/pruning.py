"""Publications that nobody needs any more: superseded by a newer one of their path, and confirmed by every reader.

Guarantees that the latest publication of each path stays, so that a new target can be brought level, and that whatever
a target or cache has yet to read stays as well.
"""

from __future__ import annotations

from appliance import db
from appliance.config import Config
from appliance.delivery import purge

#: Publications looked at in one transaction.
_MOST = 5000

_PRUNE = """
DELETE FROM publication WHERE id IN (
    SELECT p.id FROM publication p WHERE p.origin = ? AND p.id > ? AND p.id <= ?
    AND EXISTS (SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id))
RETURNING id
"""


def prune(config: Config) -> int:
    """Remove the superseded publications that every target and every cache has confirmed; returns how many."""
    removed = 0
    for origin, level in purge.confirmed_by_all(config).items():
        level = min([level, *(purge.read(cache, origin) for cache in config.caches)])
        after = 0
        while after < level:
            with db.write():
                through = _through(origin, after, level)
                removed += len(db.execute(_PRUNE, [origin, after, through]).fetchall())
            after = through
    return removed


def _through(origin: str, after: int, level: int) -> int:
    """The last of the next publications to look at."""
    row = db.execute(
        "SELECT id FROM publication WHERE origin = ? AND id > ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ?",
        [origin, after, level, _MOST - 1],
    ).fetchone()
    return int(row[0]) if row else level
