"""The artifact table brought up to the content: of all of a site, or of the part that changes may have moved.

Guarantees that no two artifacts share a path and none is a file where another needs a folder, and that an artifact
which cannot be told apart is reported by name while all others are planned. What a part comes to is what the whole
would: where it meets a conflict, the whole is asked instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning import moves, sitemaps
from appliance.planning.archives import Row, Scope, artifacts, split_type
from appliance.planning.paths import fault_of
from appliance.planning.theme import Theme
from appliance.planning.touched import Touched

_CHUNK: Final = 500


class NeedsWhole(Exception):  # noqa: N818 - it asks for something
    """What was found cannot be told from a part of the site alone."""


def whole(site: Site, theme: Theme, number: int, touched: Touched) -> list[str]:
    """Bring all artifacts of a site up to its content; returns a sentence for each that cannot be published.

    Those that are new, made of something else or no longer wanted are marked with `number`.
    """
    faults: list[str] = []
    _store_all(site, number, artifacts(site, theme), faults)
    # What follows from the artifacts: a page that is not wanted any more leads to where it is now.
    gone = "UPDATE artifact SET wanted = false, marked = ? WHERE site_id = ? AND plan <> ? AND wanted"
    db.execute(f"{gone} AND type NOT IN ('redirect', 'sitemap')", [number, site.id, number])
    moves.note(site, number, touched.merged)
    _store_all(site, number, chain(moves.redirects(site, theme), sitemaps.parts(site, theme)), faults)
    db.execute(gone, [number, site.id, number])
    faults += _refuse_clashes(site, number)
    db.execute(f"UPDATE artifact SET wanted = false, marked = ? WHERE {_HOMELESS}", [number, site.id])
    return faults


#: Further pages of an entry whose own address is another's: nothing could list them, and they could not name it.
_HOMELESS = """
site_id = ? AND wanted AND type IN ('entry', 'page') AND NOT is_permalink AND NOT EXISTS (
    SELECT 1 FROM artifact own
    WHERE own.type = artifact.type AND own.subject = artifact.subject AND own.is_permalink AND own.wanted)
"""


def _store_all(site: Site, number: int, rows: Iterable[Row], faults: list[str]) -> None:
    waiting = iter(rows)
    while chunk := list(islice(waiting, _CHUNK)):
        faults += _store(site, number, chunk)


_DIFFERS = " OR ".join(
    [f"artifact.{c} <> excluded.{c}" for c in ("site_id", "type", "template", "period", "page", "per_page")]
    + ["artifact.subject IS DISTINCT FROM excluded.subject", "artifact.is_permalink <> excluded.is_permalink"]
    + ["NOT artifact.wanted"]
)
_COLUMNS = Row._fields[1:]
_UPSERT = f"""
INSERT INTO artifact (site_id, path, {", ".join(_COLUMNS)}, wanted, plan, marked, built, version)
VALUES %s
ON CONFLICT (path) DO UPDATE SET
    site_id = excluded.site_id, {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS)},
    wanted = true, plan = excluded.plan, marked = CASE WHEN {_DIFFERS} THEN excluded.marked ELSE artifact.marked END
WHERE (artifact.site_id = excluded.site_id AND artifact.plan <> excluded.plan)
   OR (artifact.site_id <> excluded.site_id AND NOT artifact.wanted)
RETURNING path
"""
_ONE = "(" + ", ".join(["?"] * (2 + len(_COLUMNS)) + ["true", "?", "?", "0", "0"]) + ")"


def _store(site: Site, number: int, chunk: Sequence[Row]) -> list[str]:
    faults: list[str] = []
    rows: dict[str, Row] = {}
    clashing: list[Row] = []
    for row in chunk:
        fault = fault_of(row.path)
        if fault:
            faults.append(f"{_named(row)} would be published as “{row.path}”, but {fault}; change its address or slug")
        elif row.path in rows:
            clashing.append(row)
        else:
            rows[row.path] = row
    taken = _upsert(site, number, list(rows.values())) if rows else set()
    clashing += [row for path, row in rows.items() if path not in taken]
    own = _own_addresses([row.subject for row in clashing if row.type == "redirect"])
    return faults + [_conflict(row, _holder(row.path)) for row in clashing if not _is_moot(row, own)]


def _is_moot(row: Row, own: set[tuple[int | None, str]]) -> bool:
    """Whether a redirect is not missed: its page is at that address again, or something else that came later."""
    return row.type == "redirect" and (row.period == moves.MOVED or (row.subject, row.path) in own)


def _own_addresses(aliases: list[int | None]) -> set[tuple[int | None, str]]:
    """(alias, path) where a former address is the one its entry has now: the page is there, nobody is redirected."""
    if not aliases:
        return set()
    rows = db.execute(
        f"""SELECT x.id, a.path FROM alias x JOIN artifact a ON a.subject = x.entry_id AND a.wanted
            WHERE a.type IN ('entry', 'page') AND x.id IN ({db.marks(len(aliases))})""",
        aliases,
    )
    return set(rows.fetchall())


def _upsert(site: Site, number: int, rows: Sequence[Row]) -> set[str]:
    values = [value for row in rows for value in (site.id, *row, number, number)]
    return {path for (path,) in db.execute(_UPSERT % ", ".join([_ONE] * len(rows)), values).fetchall()}


def _conflict(row: Row, holder: Row) -> str:
    return (
        f"{_named(row)} and {_named(holder)} would both be published as “{row.path}”;"
        f" the latter is, change the address or slug of one of them"
    )


def _holder(path: str) -> Row:
    columns = ", ".join(Row._fields)
    return Row(*db.execute(f"SELECT {columns} FROM artifact WHERE path = ?", [path]).fetchone())


_NAMES = {
    "entry": "SELECT title, source_path FROM entry WHERE id = ?",
    "page": "SELECT title, source_path FROM entry WHERE id = ?",
    "asset": "SELECT path, source_path FROM asset WHERE id = ?",
    "thumbnail": "SELECT path, source_path FROM asset WHERE id = ?",
    "redirect": "SELECT path, NULL FROM alias WHERE id = ?",
    "category": "SELECT path, NULL FROM category WHERE id = ?",
    "author": "SELECT name, NULL FROM author WHERE id = ?",
    "tag": "SELECT name, NULL FROM tag WHERE id = ?",
}


def _named(row: Row) -> str:
    """An artifact in words people know it by."""
    query = _NAMES.get(row.type.partition("-")[0])
    found = db.execute(query, [row.subject]).fetchone() if query and row.subject is not None else None
    if found is None:
        return f"the {row.type} {row.period or row.template}".strip()
    return f"the {row.type} “{found[0]}”" + (f" ({found[1]})" if found[1] else "")


# Every path below the folder f/ sorts between f/ and f0, the character after the slash.
_BELOW = "d.path > f.path || '/' AND d.path < f.path || '0'"
_CLASHES = f"""
SELECT f.path, f.site_id,
       (SELECT MIN(d.path) FROM artifact d WHERE d.wanted AND {_BELOW} AND ? IN (f.site_id, d.site_id))
FROM artifact f
WHERE f.wanted AND EXISTS (SELECT 1 FROM artifact d WHERE d.wanted AND {_BELOW} AND ? IN (f.site_id, d.site_id))
ORDER BY f.path
"""


def _refuse_clashes(site: Site, number: int) -> list[str]:
    """Take back files where a folder is needed; what another site has published stays."""
    faults = []
    for path, owner, inner in db.execute(_CLASHES, [site.id, site.id]).fetchall():
        file, folder = _named(_holder(path)), _named(_holder(inner))
        if owner == site.id:
            refused = f"the latter is published; change the address or slug of {file}"
            db.execute("UPDATE artifact SET wanted = false, marked = ? WHERE path = ?", [number, path])
        else:
            refused = f"the former is published, by another site; change the address or slug of {folder}"
            db.execute(
                "UPDATE artifact SET wanted = false, marked = ? WHERE site_id = ? AND path > ? AND path < ?",
                [number, site.id, f"{path}/", f"{path}0"],
            )
        faults.append(f"{file} would be the file “{path}”, but {folder} needs a folder of that name; {refused}")
    return faults


def part(site: Site, theme: Theme, number: int, touched: Touched, scope: Scope) -> None:
    """Bring the artifacts that changes may have moved up to the content, as `whole` would.

    Raises:
        NeedsWhole: it meets a conflict.
    """
    there = _there(site, theme, scope)
    rows = list(artifacts(site, theme, scope))
    pages = {row.path for row in rows if row.type in ("entry", "page")}
    taken = set(_aliases_at(rows, pages))
    _apply(site, number, [row for row in rows if row.type != "redirect" or (row.subject, row.path) not in taken], there)
    moves.note(site, number, touched.merged)
    _apply(site, number, list(moves.redirects(site, theme)), _redirects_there(site))
    _apply_sitemaps(site, theme, number, touched)


def _aliases_at(rows: Sequence[Row], pages: set[str]) -> Iterable[tuple[int | None, str]]:
    """(alias, path) of redirects at the very address their entry has now."""
    found = [row for row in rows if row.type == "redirect" and row.path in pages]
    entries = {(row.subject, row.path) for row in rows if row.type in ("entry", "page")}
    for row in found:
        entry = db.execute("SELECT entry_id FROM alias WHERE id = ?", [row.subject]).fetchone()[0]
        if (entry, row.path) in entries:
            yield row.subject, row.path


def _apply_sitemaps(site: Site, theme: Theme, number: int, touched: Touched) -> None:
    """Bring the parts of sitemaps up to the pages that came or went."""
    split = sitemaps.is_split(site) and bool(sitemaps.outputs(theme))
    row = db.execute("SELECT 1 FROM artifact WHERE site_id = ? AND type = 'sitemap' AND wanted LIMIT 1", [site.id])
    if split != bool(row.fetchone()):
        raise NeedsWhole
    if not split:
        return
    for kind, block in sorted(moved_blocks(site, number, touched)):
        first = block * sitemaps.BLOCK
        found = db.execute(
            f"""SELECT 1 FROM artifact a WHERE a.site_id = ? AND a.type = ? AND {sitemaps.LISTED}
                AND COALESCE(a.subject, 0) >= ? AND COALESCE(a.subject, 0) < ? LIMIT 1""",
            [site.id, kind, first, first + sitemaps.BLOCK],
        ).fetchone()
        there = _rows(site, "type = 'sitemap' AND period = ? AND page = ?", [kind, block + 1])
        _apply(site, number, list(sitemaps.part(site, theme, kind, block)) if found else [], there)


def moved_blocks(site: Site, number: int, touched: Touched) -> set[tuple[str, int]]:
    """The parts of sitemaps, (type, block), whose pages came, went, moved or were modified."""
    rows = db.execute(
        f"""SELECT DISTINCT type, COALESCE(subject, 0) / {sitemaps.BLOCK} FROM artifact
            WHERE site_id = ? AND marked = ? AND is_permalink AND type <> 'asset'""",
        [site.id, number],
    ).fetchall()
    entries = {(kind, entry // sitemaps.BLOCK) for entry in touched.entries for kind in ("entry", "page")}
    return {(kind, block) for kind, block in rows} | (set() if touched.only_talk else entries)


def _apply(site: Site, number: int, rows: Sequence[Row], there: dict[str, Row]) -> None:
    """Write what differs between the wanted `rows` and those that are `there`."""
    wanted = {row.path: row for row in rows}
    if len(wanted) < len(rows) or any(fault_of(path) for path in wanted if path not in there):
        raise NeedsWhole
    gone = [path for path in there if path not in wanted]
    for start in range(0, len(gone), _CHUNK):
        some = gone[start : start + _CHUNK]
        db.execute(
            f"UPDATE artifact SET wanted = false, marked = ? WHERE path IN ({db.marks(len(some))})", [number, *some]
        )
    fresh = [row for row in rows if there.get(row.path) != row]
    _refuse_conflicts([row.path for row in fresh if row.path not in there])
    for start in range(0, len(fresh), _CHUNK):
        some_rows = fresh[start : start + _CHUNK]
        if len(_upsert(site, number, some_rows)) < len(some_rows):
            raise NeedsWhole


def _refuse_conflicts(paths: Sequence[str]) -> None:
    """Whether new paths are free: no artifact of another has them, none is a folder of theirs or below them."""
    for path in paths:
        folders = [path[:at] for at, character in enumerate(path) if character == "/"]
        found = db.execute(
            f"""SELECT 1 FROM artifact WHERE wanted AND path IN ({db.marks(len(folders) + 1)})
                UNION ALL SELECT 1 FROM artifact WHERE wanted AND path > ? AND path < ? LIMIT 1""",
            [path, *folders, f"{path}/", f"{path}0"],
        ).fetchone()
        if found:
            raise NeedsWhole


def _there(site: Site, theme: Theme, scope: Scope) -> dict[str, Row]:
    """The wanted artifacts of `scope` as they are."""
    found = _rows(site, "type = 'index'", []) if scope.entries else {}
    for kind in sorted({output.type for output in theme.outputs} | {"asset", "thumbnail", "redirect"}):
        for condition, values in _conditions(kind, scope):
            found |= _rows(site, f"type = ? AND {condition}", [kind, *values])
    return found


def _conditions(kind: str, scope: Scope) -> Iterable[tuple[str, list[object]]]:
    """Conditions that hold for the artifacts of a type within `scope`."""
    subjects: Sequence[int] | None
    term, period = split_type(kind)
    if kind in ("entry", "page"):
        subjects = scope.entries
    elif kind in ("asset", "thumbnail"):
        subjects = scope.assets
    elif kind == "redirect":
        # Of aliases: those of these entries, and those that are gone.
        yield (
            f"""period = '' AND (subject IN (SELECT id FROM alias WHERE entry_id IN ({_list(scope.entries)}))
                OR NOT EXISTS (SELECT 1 FROM alias WHERE alias.id = artifact.subject))""",
            list(scope.entries),
        )
        return
    elif kind in ("index", "static", "sitemap"):
        return
    else:
        subjects = scope.terms.get(term, ()) if term else None
    periods = scope.periods(period) if period and subjects != () else None
    condition, values = "subject IS NULL", list[object]()
    if subjects is not None:
        condition, values = f"subject IN ({_list(subjects)})", [*subjects]
    if periods is not None:
        condition, values = f"{condition} AND period IN ({_list(periods)})", [*values, *periods]
    yield condition, values


def _list(values: Sequence[object]) -> str:
    return db.marks(len(values)) if values else "NULL"


def _rows(site: Site, condition: str, values: list[object]) -> dict[str, Row]:
    columns = ", ".join(Row._fields)
    rows = db.execute(
        f"SELECT {columns} FROM artifact WHERE site_id = ? AND wanted AND {condition}", [site.id, *values]
    ).fetchall()
    return {row[0]: Row(*row) for row in rows}


def _redirects_there(site: Site) -> dict[str, Row]:
    return _rows(site, "type = 'redirect' AND period = ?", [moves.MOVED])
