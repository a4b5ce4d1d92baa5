"""Addresses under which something was published before it moved: they are kept, and answered with redirects.

An address that something else takes is no longer one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.archives import Row
from appliance.planning.theme import REDIRECT_PRIORITY, Theme

#: The period of redirect artifacts whose subject is a move, not an alias.
MOVED: Final = "move"

#: What may be found again elsewhere: entries and pages, which may turn into each other, and terms.
_SAME: Final = "(n.type = o.type OR n.type IN ('entry', 'page') AND o.type IN ('entry', 'page'))"
_NOTE = f"""
INSERT INTO move (site_id, path, type, subject)
SELECT o.site_id, substr(o.path, ?), o.type, o.subject FROM artifact o
WHERE o.site_id = ? AND o.marked = ? AND NOT o.wanted AND o.is_permalink AND o.digest IS NOT NULL
  AND o.type IN ('entry', 'page', 'category', 'author', 'tag')
  AND EXISTS (SELECT 1 FROM artifact n WHERE n.subject = o.subject AND n.is_permalink AND n.wanted AND {_SAME})
ON CONFLICT (site_id, path) DO UPDATE SET type = excluded.type, subject = excluded.subject
"""
_MERGED = """
INSERT INTO move (site_id, path, type, subject)
SELECT o.site_id, substr(o.path, ?), o.type, CAST(? AS INTEGER) FROM artifact o
WHERE o.type = ? AND o.subject = ? AND o.marked = ? AND NOT o.wanted AND o.is_permalink AND o.digest IS NOT NULL
ON CONFLICT (site_id, path) DO UPDATE SET type = excluded.type, subject = excluded.subject
"""
_TAKEN = """
DELETE FROM move WHERE site_id = ? AND EXISTS
    (SELECT 1 FROM artifact a WHERE a.path = ? || move.path AND a.wanted AND a.type <> 'redirect' AND a.marked = ?)
"""


def note(site: Site, number: int, merged: Mapping[tuple[str, int], int]) -> None:
    """Keep the addresses of what planning `number` found elsewhere, and let go of those it gave to something else.

    `merged` are the terms that became part of another, (kind, id) to id.
    """
    prefix = f"{site.folder}/" if site.folder else ""
    db.execute(_TAKEN, [site.id, prefix, number])
    db.execute(_NOTE, [len(prefix) + 1, site.id, number])
    for (kind, gone), into in merged.items():
        db.execute(_MERGED, [len(prefix) + 1, into, kind, gone, number])
        db.execute("UPDATE move SET subject = ? WHERE type = ? AND subject = ?", [into, kind, gone])


_LISTED = """
SELECT m.id, m.path FROM move m WHERE m.site_id = ? AND EXISTS
    (SELECT 1 FROM artifact n WHERE n.subject = m.subject AND n.is_permalink AND n.wanted
      AND (n.type = m.type OR n.type IN ('entry', 'page') AND m.type IN ('entry', 'page')))
ORDER BY m.id
"""


def redirects(site: Site, theme: Theme) -> Iterator[Row]:
    """The artifacts that answer for the moves whose subjects are published now; none if the theme has no redirects."""
    if theme.manifest.redirect:
        prefix = f"{site.folder}/" if site.folder else ""
        template = theme.manifest.redirect.template
        for move, path in db.execute(_LISTED, [site.id]).fetchall():
            yield Row(prefix + path, "redirect", template, move, MOVED, 1, 0, False, REDIRECT_PRIORITY)
