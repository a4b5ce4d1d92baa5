"""Every artifact a site should have, read from its content with queries over sets.

Nothing here grows with the site: entries are read a few thousand at a time, everything else is grouped by the
database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.models import Site
from appliance.planning.paths import Subject, address_path, sibling
from appliance.planning.theme import FILE_PRIORITY, REDIRECT_PRIORITY, IndexTemplate, Output, Theme

_CHUNK = 2000
#: Addresses a sitemap holds before it is split; the protocol allows 50,000.
SITEMAP_SIZE: Final = 5000

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


def artifacts(site: Site, theme: Theme) -> Iterator[Row]:
    """All artifacts of `site` under `theme`: files first, so that a page never appears before its pictures."""
    prefix = f"{site.folder}/" if site.folder else ""
    for row in _all(site, theme):
        yield row._replace(path=prefix + row.path)


def _all(site: Site, theme: Theme) -> Iterator[Row]:
    yield from _static(theme)
    yield from _assets(site, theme)
    for output in theme.outputs:
        if output.type in ("entry", "page"):
            yield from _entries(site, output)
        elif output.type == "index":
            yield from _index(site, output)
        else:
            yield from _archive(site, output)
    if theme.manifest.redirect:
        yield from _redirects(site, theme.manifest.redirect.template)


def _static(theme: Theme) -> Iterator[Row]:
    for name in theme.static_files:
        path = f"{theme.manifest.static.path}/{name}".lstrip("/")
        yield Row(path, "static", name, None, "", 1, 0, False, FILE_PRIORITY)


def _assets(site: Site, theme: Theme) -> Iterator[Row]:
    sql = "SELECT id, path, media_type, width FROM asset WHERE site_id = ? AND id > ? ORDER BY id LIMIT ?"
    for asset_id, path, media_type, width in _chunks(sql, [site.id]):
        yield Row(path, "asset", "", asset_id, "", 1, 0, True, FILE_PRIORITY)
        for smaller in thumbnail_widths(theme, media_type, width):
            yield Row(
                thumbnail_path(path, smaller),
                "thumbnail",
                str(smaller),
                asset_id,
                "",
                1,
                0,
                False,
                FILE_PRIORITY,
            )


def thumbnail_widths(theme: Theme, media_type: str, width: int | None) -> list[int]:
    """The widths in which a picture is also published, smallest first."""
    if width is None or media_type not in ("image/jpeg", "image/png", "image/webp"):
        return []
    return sorted(w for w in theme.manifest.thumbnails.widths if w < width)


def thumbnail_path(path: str, width: int) -> str:
    """Where the copy of a picture in `width` pixels lies."""
    whole = PurePosixPath(path)
    return whole.with_name(f"{whole.stem}-{width}w{whole.suffix}").as_posix()


def _chunks(sql: str, values: list[object]) -> Iterator[tuple[Any, ...]]:
    """Rows of a query over `id > ? … LIMIT ?` whose first column is the id, read a chunk at a time."""
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
WHERE e.site_id = ? AND e.kind = ? AND e.status = 'published' AND e.id > ? ORDER BY e.id LIMIT ?
"""


def _entries(site: Site, output: Output) -> Iterator[Row]:
    zone = ZoneInfo(site.timezone)
    for entry_id, slug, address, folder, moment, category, author in _chunks(_ENTRIES, [site.id, output.type]):
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
        yield Row(path, *made, output.priority, output.every)


def _index(site: Site, output: Output) -> Iterator[Row]:
    source = output.source
    if not isinstance(source, IndexTemplate):
        return
    total = 0
    if output.per_page:
        total = db.execute(f"SELECT COUNT(*) FROM entry e WHERE {PUBLISHED}", [site.id]).fetchone()[0]
    yield from _pages(output, output.first.path(Subject()), total, entries=source.entries)
    if source.sitemap:
        yield from _sitemaps(site, output)


def _sitemaps(site: Site, output: Output) -> Iterator[Row]:
    # Counted before planning has stored the new artifacts: entries and pages are what makes a sitemap large.
    rows = db.execute("SELECT COUNT(*) FROM entry e WHERE e.site_id = ? AND e.status = 'published'", [site.id])
    total = rows.fetchone()[0]
    if total > SITEMAP_SIZE:
        path = PurePosixPath(output.first.path(Subject()))
        for page in range(1, -(-total // SITEMAP_SIZE) + 1):
            part = path.with_name(f"{path.stem}-{page}{path.suffix}").as_posix()
            made = ("sitemap", output.template, None, "", page, SITEMAP_SIZE, False)
            yield Row(part, *made, output.priority, output.every)


def _archive(site: Site, output: Output) -> Iterator[Row]:
    term, _, period = output.type.rpartition("-") if "-" in output.type else (output.type, "", "")
    if term in PERIODS:
        term, period = "", term
    for subject, key, address, name, total in _groups(site, term, period):
        about = Subject(
            moment=start_of(name) if period else None,
            id=subject or 0, category=key, author=key, tag=key,
        )  # fmt: skip
        first = address_path(address) if address and not period and output.preferred else output.first.path(about)
        yield from _pages(output, first, total, subject=subject, period=name, about=about)


def _groups(site: Site, term: str, period: str) -> Iterator[tuple[int | None, str, str | None, str, int]]:
    """(term id, its path or slug, its own address, period, entries) of every group that has entries."""
    name = PERIODS[period] if period else "''"
    if not term:
        sql = f"SELECT NULL, '', NULL, {name} AS period, COUNT(*) FROM entry e WHERE {PUBLISHED} GROUP BY period"
        yield from db.execute(f"{sql} ORDER BY period", [site.id]).fetchall()
        return
    key = "t.path" if term == "category" else "t.slug"
    address = "t.address" if term == "category" else "NULL"
    sql = f"""SELECT t.id, {key}, {address}, {name} AS period, COUNT(DISTINCT e.id)
              FROM entry e {TERMS[term]} WHERE {PUBLISHED} GROUP BY t.id, period ORDER BY t.id, period"""
    seen = set()
    for row in db.execute(sql, [site.id]).fetchall():
        seen.add(row[0])
        yield row
    if not period and term != "tag":
        yield from _empty(site, term, key, address, seen)


def _empty(
    site: Site, term: str, key: str, address: str, seen: set[int]
) -> Iterator[tuple[int, str, str | None, str, int]]:
    """Terms without entries that get a page all the same."""
    always = "t.always" if term == "category" else "false"
    rows = db.execute(
        f"SELECT t.id, {key}, {address}, {always} FROM {term} t WHERE t.site_id = ? ORDER BY t.id", [site.id]
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
        yield Row(path, *made, output.priority, output.every)


_REDIRECTS = """
SELECT x.id, x.path FROM alias x JOIN entry e ON e.id = x.entry_id
WHERE x.site_id = ? AND e.status = 'published' AND x.id > ? ORDER BY x.id LIMIT ?
"""


def _redirects(site: Site, template: str) -> Iterator[Row]:
    for alias_id, path in _chunks(_REDIRECTS, [site.id]):
        yield Row(address_path(path), "redirect", template, alias_id, "", 1, 0, False, REDIRECT_PRIORITY)
