"""Fills a database with very many posts: a few thousand as authors save them, the others copied from these in SQL.

A copy has a slug and a date of its own and the first paragraph of its original, so that a million fit into memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from appliance import db
from appliance.installation import open_installation
from bench import rebuild

#: How many posts are saved one by one.
ORIGINALS: Final = 2000

_COLUMNS: Final = (
    "site_id, kind, status, title, slug, address, folder, published_at, modified_at, unpublish_at, day, week, format,"
    " text, html, excerpt, summary, late_bound, allow_comments, extra"
)
_COPIES: Final = f"""
INSERT INTO entry ({_COLUMNS})
SELECT site_id, kind, status, title, slug || '-c' || ?, address, folder, at, at, unpublish_at,
       strftime('%Y-%m-%d', at, 'unixepoch'), strftime('%Y-%m-%d', at, 'unixepoch', '-6 days', 'weekday 1'),
       format, summary, excerpt, excerpt, summary, late_bound, allow_comments, extra
FROM (SELECT *, published_at + ? AS at FROM entry WHERE id <= {ORIGINALS} ORDER BY id)
"""
_TERMS: Final = f"""
INSERT INTO entry_{{kind}} (entry_id, {{kind}}_id, {{column}}, live_at)
SELECT entry_id + ?, {{kind}}_id, {{column}}, live_at + ? FROM entry_{{kind}} WHERE entry_id <= {ORIGINALS}
"""


def fill(home: Path, posts: int) -> None:
    """Put generated posts into the database of a new installation; `posts` is a multiple of the originals, or fewer."""
    rebuild.fill(home, min(posts, ORIGINALS))
    copies = posts // ORIGINALS
    if copies <= 1:
        return
    with open_installation(rebuild.settings(home)):
        first, last = db.execute("SELECT MIN(published_at), MAX(published_at) FROM entry").fetchone()
        step = (last - first) // (ORIGINALS - 1) // copies  # copies lie between one original and the next
        for copy in range(1, copies):
            with db.write():
                db.execute(_COPIES, [copy, copy * step])
                for kind, column in (("author", "position"), ("category", "is_primary"), ("tag", "position")):
                    copied = _TERMS.format(kind=kind, column=column)
                    db.execute(copied, [copy * ORIGINALS, copy * step])
