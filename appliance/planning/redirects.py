"""Former addresses: where entries and terms were published before they moved. Requests for them are redirected.

An address that something else takes is not a former address any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.archives import ArtifactSpec, path_prefix
from appliance.planning.manifest import REDIRECT_PRIORITY
from appliance.planning.theme import Theme

#: The `period` of redirect artifacts that have a former address as subject rather than an alias.
MOVED: Final = "move"

#: Matches an artifact with the one it was before: entries and pages may turn into each other.
_SAME: Final = "(n.type = o.type OR n.type IN ('entry', 'page') AND o.type IN ('entry', 'page'))"
_RECORD_MOVED = f"""
INSERT INTO move (site_id, path, type, subject)
SELECT o.site_id, substr(o.path, ?), o.type, o.subject FROM artifact o
WHERE o.site_id = ? AND o.marked = ? AND NOT o.wanted AND o.is_permalink AND o.digest IS NOT NULL
  AND o.type IN ('entry', 'page', 'category', 'author', 'tag')
  AND EXISTS (SELECT 1 FROM artifact n WHERE n.subject = o.subject AND n.is_permalink AND n.wanted AND {_SAME})
ON CONFLICT (site_id, path) DO UPDATE SET type = excluded.type, subject = excluded.subject
"""
_RECORD_MERGED = """
INSERT INTO move (site_id, path, type, subject)
SELECT o.site_id, substr(o.path, ?), o.type, CAST(? AS INTEGER) FROM artifact o
WHERE o.type = ? AND o.subject = ? AND o.marked = ? AND NOT o.wanted AND o.is_permalink AND o.digest IS NOT NULL
ON CONFLICT (site_id, path) DO UPDATE SET type = excluded.type, subject = excluded.subject
"""
_DELETE_TAKEN = """
DELETE FROM move WHERE site_id = ? AND path IN
    (SELECT substr(a.path, ?) FROM artifact a
     WHERE a.site_id = ? AND a.marked = ? AND a.wanted AND a.type <> 'redirect')
"""


def record_former_addresses(site: Site, number: int, merged_terms: Mapping[tuple[str, int], int]) -> None:
    """Record the addresses that plan `number` moved, and forget those that it gave to something else.

    `merged_terms` maps (kind, id) of each term that was merged to the id of the other term.
    """
    begin = len(path_prefix(site)) + 1
    db.execute(_DELETE_TAKEN, [site.id, begin, site.id, number])
    db.execute(_RECORD_MOVED, [begin, site.id, number])
    for (kind, old), into in merged_terms.items():
        db.execute(_RECORD_MERGED, [begin, into, kind, old, number])
        db.execute("UPDATE move SET subject = ? WHERE type = ? AND subject = ?", [into, kind, old])


_LISTED = """
SELECT m.id, m.path FROM move m WHERE m.site_id = ? AND EXISTS
    (SELECT 1 FROM artifact n WHERE n.subject = m.subject AND n.is_permalink AND n.wanted
      AND (n.type = m.type OR n.type IN ('entry', 'page') AND m.type IN ('entry', 'page')))
ORDER BY m.id
"""


def move_redirects(site: Site, theme: Theme) -> Iterator[ArtifactSpec]:
    """Redirect artifacts for the former addresses of what is published; none if the theme has no redirects."""
    if theme.manifest.redirect:
        prefix = path_prefix(site)
        template = theme.manifest.redirect.template
        for move, path in db.execute(_LISTED, [site.id]).fetchall():
            yield ArtifactSpec(prefix + path, "redirect", template, move, MOVED, 1, 0, False, REDIRECT_PRIORITY)
