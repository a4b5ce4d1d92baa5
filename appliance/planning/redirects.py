"""Former addresses: where entries and terms were published before they moved. Requests for them are redirected.

An address that something else takes is not a former address any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.archives import ArtifactSpec, path_prefix, rows_in_chunks
from appliance.planning.manifest import REDIRECT_PRIORITY
from appliance.planning.page_boundaries import OWN
from appliance.planning.steps import ROWS, Steps, select_ids
from appliance.planning.theme import Theme

#: The `period` of redirect artifacts that have a former address as subject rather than an alias.
MOVED: Final = "move"

#: Matches an artifact with the one it was before: entries and pages may turn into each other.
_SAME: Final = "n.type IN ({0}.type, CASE {0}.type WHEN 'entry' THEN 'page' WHEN 'page' THEN 'entry' END)"
_IS_MOVED = f"""
o.site_id = ? AND o.marked = ? AND NOT o.wanted AND o.is_permalink AND o.digest IS NOT NULL
  AND o.type IN ('entry', 'page', 'category', 'author', 'tag')
  AND EXISTS (SELECT 1 FROM artifact n WHERE n.subject = o.subject AND n.is_permalink AND n.wanted
              AND {_SAME.format("o")})
"""
_RECORD_MOVED = """
INSERT INTO move (site_id, path, type, subject)
SELECT o.site_id, substr(o.path, ?), o.type, o.subject FROM artifact o WHERE %s
ON CONFLICT (site_id, path) DO UPDATE SET type = excluded.type, subject = excluded.subject, target = NULL
"""
_RECORD_MERGED = """
INSERT INTO move (site_id, path, type, subject)
SELECT o.site_id, substr(o.path, ?), o.type, CAST(? AS INTEGER) FROM artifact o
WHERE o.type = ? AND o.subject = ? AND o.marked = ? AND NOT o.wanted AND o.is_permalink AND o.digest IS NOT NULL
ON CONFLICT (site_id, path) DO UPDATE SET type = excluded.type, subject = excluded.subject, target = NULL
"""
_IS_TAKEN = """
site_id = ? AND path IN
    (SELECT substr(a.path, ?) FROM artifact a
     WHERE a.site_id = ? AND a.marked = ? AND a.wanted AND a.type <> 'redirect')
"""


def record_former_addresses(
    site: Site, number: int, merged_terms: Mapping[tuple[str, int], int], steps: Steps | None = None
) -> None:
    """Record the addresses that plan `number` moved, and forget those that it gave to something else.

    `merged_terms` maps (kind, id) of each term that was merged to the id of the other term.
    """
    begin = len(path_prefix(site)) + 1
    steps = steps or Steps()
    if steps.short:
        _record_in_steps(site, number, steps)
    else:
        db.execute(f"DELETE FROM move WHERE {_IS_TAKEN}", [site.id, begin, site.id, number])
        db.execute(_RECORD_MOVED % _IS_MOVED, [begin, site.id, number])
    _record_dropped_pages(site, number, steps)
    for (kind, old), into in merged_terms.items():
        with steps.write():
            db.execute(_RECORD_MERGED, [begin, into, kind, old, number])
            db.execute("UPDATE move SET subject = ? WHERE type = ? AND subject = ?", [into, kind, old])


def _record_in_steps(site: Site, number: int, steps: Steps) -> None:
    begin = len(path_prefix(site)) + 1
    taken = select_ids(f"SELECT id FROM move WHERE {_IS_TAKEN}", [site.id, begin, site.id, number])
    for some in db.chunks(taken, ROWS):
        with steps.write():
            db.execute(f"DELETE FROM move WHERE id IN ({db.placeholders(len(some))})", some)
    moved = select_ids(f"SELECT o.id FROM artifact o WHERE {_IS_MOVED}", [site.id, number])
    for some in db.chunks(moved, ROWS):
        with steps.write():
            db.execute(_RECORD_MOVED % f"o.id IN ({db.placeholders(len(some))})", [begin, *some])


_DROPPED = f"""
SELECT o.path, n.path FROM artifact o
JOIN artifact n ON n.type = o.type AND (n.subject = o.subject OR n.subject IS NULL AND o.subject IS NULL)
 AND n.period = o.period AND n.page = {OWN} AND n.site_id = o.site_id AND n.template = o.template AND n.wanted
WHERE o.site_id = ? AND o.marked = ? AND NOT o.wanted AND o.page > {OWN} AND o.type <> 'sitemap'
  AND o.digest IS NOT NULL
"""
_RECORD_DROPPED = """
INSERT INTO move (site_id, path, type, subject, target) VALUES (?, ?, 'listing', 0, ?)
ON CONFLICT (site_id, path) DO UPDATE SET type = excluded.type, subject = excluded.subject, target = excluded.target
"""


def _record_dropped_pages(site: Site, number: int, steps: Steps) -> None:
    """Record the addresses of pages that plan `number` dropped while their listing stays: they lead to its own one."""
    prefix, found = path_prefix(site), dict[str, str]()
    for path, own in db.execute(_DROPPED, [site.id, number]).fetchall():
        folder = own.rpartition("/")[0]
        if path.startswith(folder) and len(own) > len(found.get(path, "")):
            found[path] = own
    for some in db.chunks(sorted(found), ROWS):
        with steps.write():
            for path in some:
                values = [site.id, path.removeprefix(prefix), found[path].removeprefix(prefix)]
                db.execute(_RECORD_DROPPED, values)


_TOUCHED_PATHS = """
SELECT id FROM move WHERE site_id = ? AND {} IN
    (SELECT substr(a.path, ?) FROM artifact a WHERE a.site_id = ? AND a.marked = ?)
"""
_TOUCHED_SUBJECTS = f"""
SELECT m.id FROM artifact o CROSS JOIN move m
WHERE o.site_id = ? AND o.marked = ? AND o.is_permalink
  AND m.subject = o.subject AND {_SAME.replace("n.", "m.").format("o")} AND +m.site_id = o.site_id
"""


def touched_moves(
    site: Site,
    number: int,
    displaced: Iterable[tuple[str, int | None]],
    merged_terms: Mapping[tuple[str, int], int],
) -> list[int]:
    """The ids of former addresses that plan `number` may have to redirect, or to redirect no more.

    At their path something came or went, or what was there has an address now, or has none any more.
    """
    values = [site.id, len(path_prefix(site)) + 1, site.id, number]
    found = {
        key for column in ("path", "target") for (key,) in db.execute(_TOUCHED_PATHS.format(column), values).fetchall()
    }
    found |= {key for (key,) in db.execute(_TOUCHED_SUBJECTS, [site.id, number])}
    for kind, subject in {*displaced, *((kind, into) for (kind, _), into in merged_terms.items())}:
        types = ("entry", "page") if kind in ("entry", "page") else (kind, kind)
        rows = db.execute("SELECT id FROM move WHERE type IN (?, ?) AND subject = ?", [*types, subject])
        found |= {key for (key,) in rows.fetchall()}
    return sorted(found)


_LISTED = f"""
SELECT m.id, m.path FROM move m WHERE m.site_id = ? AND (
    m.target IS NOT NULL AND EXISTS (SELECT 1 FROM artifact n WHERE n.path = ? || m.target AND n.site_id = m.site_id
        AND n.wanted AND n.type <> 'redirect')
    OR EXISTS (SELECT 1 FROM artifact n WHERE n.subject = m.subject AND n.is_permalink AND n.wanted
        AND {_SAME.format("m")})
) %s AND m.id > ? ORDER BY m.id LIMIT ?
"""


def move_redirects(site: Site, theme: Theme, only: Sequence[int] | None = None) -> Iterator[ArtifactSpec]:
    """Redirect artifacts for the former addresses of what is published; none if the theme has no redirects.

    Given `only`, those of the former addresses with these ids.
    """
    if theme.manifest.redirect:
        prefix = path_prefix(site)
        template = theme.manifest.redirect.template
        for move, path in rows_in_chunks(_LISTED, [site.id, prefix], "m.id", only):
            yield ArtifactSpec(prefix + path, "redirect", template, move, MOVED, 1, 0, False, REDIRECT_PRIORITY)
