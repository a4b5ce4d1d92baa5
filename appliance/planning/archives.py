"""Every artifact a site should have, read from its content with queries over sets.

Nothing here grows with the site: entries are read a few thousand at a time, everything else is grouped by the
database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.models import Site
from appliance.planning.paths import Subject, address_path, sibling
from appliance.planning.theme import FILE_PRIORITY, REDIRECT_PRIORITY, IndexTemplate, Output, Theme

_CHUNK = 2000
#: Ids of one IN list.
_IDS = 500

#: How entries are grouped by period: the expression that names an entry's.
PERIODS: Final = {
    "daily": "e.day",
    "weekly": "e.week",
    "monthly": "substr(e.day, 1, 7)",
    "yearly": "substr(e.day, 1, 4)",
}

#: Joins each entry `e` with its authors, tags, or categories and their ancestors (an entry of news/local is one of
#: news too); `t` is the term.
TERMS: Final = {
    "author": "JOIN entry_author m ON m.entry_id = e.id JOIN author t ON t.id = m.author_id",
    "tag": "JOIN entry_tag m ON m.entry_id = e.id JOIN tag t ON t.id = m.tag_id",
    "category": """JOIN entry_category m ON m.entry_id = e.id JOIN category c ON c.id = m.category_id
                   JOIN category t ON t.site_id = c.site_id
                    AND (t.path = c.path OR t.path || '/' = substr(c.path, 1, length(t.path) + 1))""",
}

PUBLISHED: Final = "e.site_id = ? AND e.kind = 'entry' AND e.status = 'published'"


class Row(NamedTuple):
    """One wanted artifact, as planning stores it; `path` is below the docroot."""

    path: str
    type: str
    template: str
    subject: int | None
    period: str
    page: int
    per_page: int
    is_permalink: bool
    priority: int
    every: float = 0.0
    build: str = "queue"


@dataclass(frozen=True)
class Scope:
    """The part of a site that changes may have moved: only its artifacts are looked at."""

    entries: Sequence[int] = ()
    assets: Sequence[int] = ()
    #: Ids of authors, categories (with those above them) and tags.
    terms: Mapping[str, Sequence[int]] = field(default_factory=dict)
    #: Days and first days of weeks, `2026-11-22`.
    days: frozenset[str] = frozenset()
    weeks: frozenset[str] = frozenset()

    def periods(self, kind: str) -> list[str]:
        """The periods of a kind ('daily', 'weekly', 'monthly', 'yearly')."""
        if kind == "weekly":
            return sorted(self.weeks)
        return sorted({day[: {"daily": 10, "monthly": 7, "yearly": 4}[kind]] for day in self.days})


def artifacts(site: Site, theme: Theme, scope: Scope | None = None) -> Iterator[Row]:
    """All artifacts of `site` under `theme`, or those of `scope`; files first, so that a page never appears before its
    pictures. Sitemaps in parts and redirects from where something was are not among them: they follow from the rest.
    """
    prefix = f"{site.folder}/" if site.folder else ""
    for row in _all(site, theme, scope):
        yield row._replace(path=prefix + row.path)


def _all(site: Site, theme: Theme, scope: Scope | None) -> Iterator[Row]:
    if scope is None:
        yield from _static(theme)
    yield from _assets(site, theme, scope)
    for output in theme.outputs:
        if output.build == "never":
            continue
        if output.type in ("entry", "page"):
            yield from _entries(site, output, scope)
        elif output.type == "index":
            if scope is None or scope.entries:
                yield from _index(site, output)
        else:
            yield from _archive(site, output, scope)
    if theme.manifest.redirect:
        yield from _redirects(site, theme.manifest.redirect.template, scope)


def _static(theme: Theme) -> Iterator[Row]:
    for name in theme.static_files:
        path = f"{theme.manifest.static.path}/{name}".lstrip("/")
        yield Row(path, "static", name, None, "", 1, 0, False, FILE_PRIORITY)


def _assets(site: Site, theme: Theme, scope: Scope | None) -> Iterator[Row]:
    sql = "SELECT id, path, media_type, width FROM asset WHERE site_id = ? %s AND id > ? ORDER BY id LIMIT ?"
    for asset_id, path, media_type, width in _chunks(sql, [site.id], "id", scope.assets if scope else None):
        yield Row(path, "asset", "", asset_id, "", 1, 0, True, FILE_PRIORITY)
        for smaller in thumbnail_widths(theme, media_type, width):
            made = ("thumbnail", str(smaller), asset_id, "", 1, 0, False, FILE_PRIORITY)
            yield Row(thumbnail_path(path, smaller), *made)


def thumbnail_widths(theme: Theme, media_type: str, width: int | None) -> list[int]:
    """The widths in which a picture is also published, smallest first."""
    if width is None or media_type not in ("image/jpeg", "image/png", "image/webp"):
        return []
    return sorted(w for w in theme.manifest.thumbnails.widths if w < width)


def thumbnail_path(path: str, width: int) -> str:
    """Where the copy of a picture in `width` pixels lies."""
    whole = PurePosixPath(path)
    return whole.with_name(f"{whole.stem}-{width}w{whole.suffix}").as_posix()


def _chunks(sql: str, values: list[object], key: str, only: Sequence[int] | None) -> Iterator[tuple[Any, ...]]:
    """Rows of a query over `id > ? … LIMIT ?` whose first column is the id, read a chunk at a time.

    `only` those with these ids in the column `key`; the query says where that condition goes.
    """
    if only is None:
        yield from _pages_of(sql % "", values)
        return
    for start in range(0, len(only), _IDS):
        some = only[start : start + _IDS]
        yield from _pages_of(sql % f"AND {key} IN ({db.marks(len(some))})", [*values, *some])


def _pages_of(sql: str, values: list[object]) -> Iterator[tuple[Any, ...]]:
    last = 0
    while rows := db.execute(sql, [*values, last, _CHUNK]).fetchall():
        yield from rows
        last = rows[-1][0]


_ENTRIES = """
SELECT e.id, e.slug, e.address, e.folder, e.published_at,
       (SELECT c.path FROM entry_category m JOIN category c ON c.id = m.category_id
        WHERE m.entry_id = e.id AND m.is_primary LIMIT 1),
       (SELECT a.slug FROM entry_author m JOIN author a ON a.id = m.author_id
        WHERE m.entry_id = e.id ORDER BY m.position LIMIT 1)
FROM entry e
WHERE e.site_id = ? AND e.kind = ? AND e.status = 'published' %s AND e.id > ? ORDER BY e.id LIMIT ?
"""


def _entries(site: Site, output: Output, scope: Scope | None) -> Iterator[Row]:
    zone = ZoneInfo(site.timezone)
    found = _chunks(_ENTRIES, [site.id, output.type], "e.id", scope.entries if scope else None)
    for entry_id, slug, address, folder, moment, category, author in found:
        if address is not None and output.preferred:
            path = address_path(address)
        else:
            path = output.first.path(
                Subject(
                    moment=clock.local(moment, zone),
                    id=entry_id,
                    slug=slug,
                    folder=folder,
                    category=category or "",
                    author=author or "",
                    named=True,
                )
            )
        made = (output.type, output.template, entry_id, "", 1, 0, output.preferred)
        yield Row(path, *made, output.priority, output.every, output.build)


def _index(site: Site, output: Output) -> Iterator[Row]:
    source = output.source
    if not isinstance(source, IndexTemplate):
        return
    total = 0
    if output.per_page:
        total = db.execute(f"SELECT COUNT(*) FROM entry e WHERE {PUBLISHED}", [site.id]).fetchone()[0]
    yield from _pages(output, output.first.path(Subject()), total, entries=source.entries)


def split_type(archive: str) -> tuple[str, str]:
    """An archive type as (term, period): 'category-monthly' is ('category', 'monthly'), 'daily' is ('', 'daily')."""
    term, _, period = archive.rpartition("-")
    if term:
        return term, period
    return ("", archive) if archive in PERIODS else (archive, "")


def _archive(site: Site, output: Output, scope: Scope | None) -> Iterator[Row]:
    term, period = split_type(output.type)
    for subject, key, address, name, total in _groups(site, term, period, scope):
        about = Subject(
            moment=start_of(name) if period else None,
            id=subject or 0, category=key, author=key, tag=key,
        )  # fmt: skip
        first = address_path(address) if address and not period and output.preferred else output.first.path(about)
        yield from _pages(output, first, total, subject=subject, period=name, about=about)


#: A term's id, its path or slug, its own address, a period, and how many entries it has.
_Group = tuple[int | None, str, str | None, str, int]


def _groups(site: Site, term: str, period: str, scope: Scope | None) -> Iterator[_Group]:
    """Every group that has entries, or those of `scope`; terms that get a page without any."""
    name = PERIODS[period] if period else "''"
    terms = None if scope is None or not term else list(scope.terms.get(term, ()))
    periods = None if scope is None or not period else scope.periods(period)
    if terms == [] or periods == []:
        return
    within: str = ""
    values: list[object] = [site.id]
    if terms is not None:
        within, values = f" AND t.id IN ({db.marks(len(terms))})", [*values, *terms]
    if periods is not None:
        within, values = f"{within} AND {name} IN ({db.marks(len(periods))})", [*values, *periods]
    if not term:
        sql = (
            f"SELECT NULL, '', NULL, {name} AS period, COUNT(*) FROM entry e WHERE {PUBLISHED}{within} GROUP BY period"
        )
        yield from db.execute(f"{sql} ORDER BY period", values).fetchall()
        return
    key = "t.path" if term == "category" else "t.slug"
    address = "t.address" if term == "category" else "NULL"
    sql = f"""SELECT t.id, {key}, {address}, {name} AS period, COUNT(DISTINCT e.id)
              FROM entry e {TERMS[term]} WHERE {PUBLISHED}{within} GROUP BY t.id, period ORDER BY t.id, period"""
    seen = set()
    for row in db.execute(sql, values).fetchall():
        seen.add(row[0])
        yield row
    if not period and term != "tag":
        yield from _empty(site, term, (key, address), seen, terms)


def _empty(
    site: Site, term: str, columns: tuple[str, str], seen: set[int | None], only: list[int] | None
) -> Iterator[_Group]:
    """Terms without entries that get a page all the same."""
    always = "t.always" if term == "category" else "false"
    among = "" if only is None else f"AND t.id IN ({db.marks(len(only))})"
    rows = db.execute(
        f"SELECT t.id, {columns[0]}, {columns[1]}, {always} FROM {term} t WHERE t.site_id = ? {among} ORDER BY t.id",
        [site.id, *(only or ())],
    )
    for term_id, name, own, wanted in rows.fetchall():
        if term_id not in seen and (wanted or site.empty_archives):
            yield term_id, name, own, "", 0


def start_of(period: str) -> date:
    """The first day of `2026`, `2026-11` or `2026-11-22`."""
    return date.fromisoformat((period + "-01-01")[:10])


def _pages(
    output: Output, first: str, total: int, *,
    subject: int | None = None, period: str = "", about: Subject | None = None, entries: int = 0,
) -> Iterator[Row]:  # fmt: skip
    pages = max(1, -(-total // output.per_page)) if output.per_page else 1
    per_page = output.per_page or entries
    for page in range(1, pages + 1):
        further = replace(about or Subject(), page=page) if page > 1 else None
        path = sibling(first, output.further.path(further)) if further else first
        permalink = page == 1 and (output.preferred or output.type == "index")
        made = (output.type, output.template, subject, period, page, per_page, permalink)
        yield Row(path, *made, output.priority, output.every, output.build)


_REDIRECTS = """
SELECT x.id, x.path FROM alias x JOIN entry e ON e.id = x.entry_id
WHERE x.site_id = ? AND e.status = 'published' %s AND x.id > ? ORDER BY x.id LIMIT ?
"""


def _redirects(site: Site, template: str, scope: Scope | None) -> Iterator[Row]:
    for alias_id, path in _chunks(_REDIRECTS, [site.id], "x.entry_id", scope.entries if scope else None):
        yield Row(address_path(path), "redirect", template, alias_id, "", 1, 0, False, REDIRECT_PRIORITY)
