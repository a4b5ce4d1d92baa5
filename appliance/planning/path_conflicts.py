"""Resolves conflicts between a file and a folder of the same name: one of the two is not published.

The folder wins, since it holds more than one file. A file wins if an author made it and the folder holds only files of
the theme, or if it belongs to the site with the nearest folder. What gives way to the theme counts for less than the
theme's own.
"""

from __future__ import annotations

from appliance import db
from appliance.content.models import Site
from appliance.planning.archives import ArtifactSpec
from appliance.planning.artifact_store import GIVES_WAY, artifact_at, describe
from appliance.planning.steps import Steps

#: What a file counts for where it is in the way of others.
YIELDING, THEMES, AUTHORED = 0, 1, 2

# Paths in the folder f/ sort between f/ and f0, since 0 is the character after the slash.
_BELOW = "d.path > f.path || '/' AND d.path < f.path || '0'"
_CONFLICTS = f"""
SELECT f.path, f.site_id FROM artifact f
WHERE f.wanted AND EXISTS (SELECT 1 FROM artifact d WHERE d.wanted AND {_BELOW} AND ? IN (f.site_id, d.site_id))
ORDER BY f.path
"""
_RANK = f"""CASE WHEN {GIVES_WAY.format("d")} THEN {YIELDING} WHEN d.type IN ('asset', 'entry', 'page') THEN {AUTHORED}
    ELSE {THEMES} END"""
_INNER = f"""
SELECT d.path, d.site_id, LENGTH(s.folder), {_RANK} AS value FROM artifact d JOIN site s ON s.id = d.site_id
WHERE d.wanted AND d.path > ? AND d.path < ?
ORDER BY LENGTH(s.folder) DESC, value DESC, d.path LIMIT 1
"""


_FILE = f"""
SELECT LENGTH(s.folder), {_RANK} FROM artifact d JOIN site s ON s.id = d.site_id WHERE d.path = ?
"""


def resolve_conflicts(site: Site, number: int, steps: Steps) -> tuple[list[str], set[int]]:
    """Stop publishing each file that is where a folder must be, or each file of such a folder.

    Returns one sentence for each conflict, and the ids of other sites that must stop publishing something.
    """
    faults, others = list[str](), set[int]()
    for path, owner in db.execute(_CONFLICTS, [site.id]).fetchall():
        with steps.write():
            message, other = _resolve_conflict(site, number, path, owner)
        faults += [message] if message else []
        others |= {other} if other else set()
    return faults, others


def _resolve_conflict(site: Site, number: int, path: str, owner: int) -> tuple[str, int | None]:
    below = [f"{path}/", f"{path}0"]
    nearest = db.execute(_INNER, below).fetchone()
    if nearest is None:  # the files in the folder are no longer wanted
        return "", None
    inner, other, nearness, inner_value = nearest
    file_spec, inner_spec = artifact_at(path), artifact_at(inner)
    depth, value = db.execute(_FILE, [path]).fetchone()
    if owner == other == site.id:
        file_stays = (value, inner_value) in ((AUTHORED, THEMES), (THEMES, YIELDING))
    elif owner == site.id:
        file_stays = depth > nearness
        if file_stays:
            return "", other
    else:
        file_stays = depth > len(site.folder)
        if not file_stays:
            return "", owner
        inner = _own_below(site, below)
        inner_spec = artifact_at(inner)
    if file_stays:
        unwant = "UPDATE artifact SET wanted = false, marked = ? WHERE site_id = ? AND wanted AND path > ? AND path < ?"
        db.execute(unwant, [number, site.id, *below])
    else:
        db.execute("UPDATE artifact SET wanted = false, marked = ? WHERE path = ?", [number, path])
    return _conflict_message(path, file_spec, inner_spec, file_stays, owner != site.id), None


def _own_below(site: Site, below: list[str]) -> str:
    row = db.execute(
        "SELECT MIN(path) FROM artifact WHERE wanted AND site_id = ? AND path > ? AND path < ?", [site.id, *below]
    ).fetchone()
    return str(row[0])


def _conflict_message(path: str, file: ArtifactSpec, inner: ArtifactSpec, file_stays: bool, is_others: bool) -> str:
    if file_stays:
        by = ", by another site" if is_others else ""
        refused = f"the former is published{by}; change the address or slug of {describe(inner)}"
    else:
        refused = f"the latter is published; change the address or slug of {describe(file)}"
    return f"{describe(file)} would be the file “{path}”, but {describe(inner)} needs a folder of that name; {refused}"
