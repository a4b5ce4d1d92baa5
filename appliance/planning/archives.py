"""Every artifact that the content of a site calls for, read with queries over sets.

Memory use does not grow with the site: entries are read a few thousand at a time, and the database does the grouping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from appliance import db
from appliance.content.asset_references import PUBLIC
from appliance.content.models import Site
from appliance.planning import listing_totals, page_boundaries
from appliance.planning.changeset import Scope
from appliance.planning.listing_totals import Listing
from appliance.planning.manifest import FILE_PRIORITY, REDIRECT_PRIORITY, IndexTemplate
from appliance.planning.page_boundaries import OWN, PagedListing
from appliance.planning.paths import Subject, address_path, sibling_path
from appliance.planning.theme import Output, Theme

#: Rows of one query, and ids in one IN list.
_CHUNK, _IDS = 2000, 500

#: SQL expression for the period of an entry `e`, by type of period.
PERIOD_COLUMNS: Final = {
    "daily": "e.day",
    "weekly": "e.week",
    "monthly": "substr(e.day, 1, 7)",
    "yearly": "substr(e.day, 1, 4)",
}

PUBLISHED_ENTRIES: Final = "e.site_id = ? AND e.kind = 'entry' AND e.status = 'published'"


class ArtifactSpec(NamedTuple):
    """An artifact that a site should have; `path` is below the docroot."""

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
    #: Whether the pages of its listing are counted from the oldest entries.
    from_oldest: bool = False

    def listing(self, site: int) -> PagedListing:
        """The listing that it is a page of."""
        return PagedListing(site, self.type, self.subject or 0, self.period, self.per_page)


def file_artifacts(site: Site, theme: Theme, scope: Scope | None = None) -> Iterator[ArtifactSpec]:
    """Uploads, thumbnails and the static files of the theme: those of the whole site, or the uploads of `scope`.

    Uploads that give way are not among them.
    """
    prefix = path_prefix(site)
    for spec in chain(_static_artifacts(theme) if scope is None else (), _asset_artifacts(site, theme, scope)):
        yield spec._replace(path=prefix + spec.path)


def yielding_uploads(site: Site, scope: Scope | None = None) -> Iterator[ArtifactSpec]:
    """The uploads that give way to what the theme makes, without their thumbnails."""
    prefix = path_prefix(site)
    sql = _ASSETS.replace("%s", "AND a.gives_way %s")
    for asset_id, path, *_ in rows_in_chunks(sql, [site.id], "a.id", scope.assets if scope else None):
        yield _upload(asset_id, prefix + path)


def listing_artifacts(site: Site, theme: Theme, scope: Scope | None = None) -> Iterator[ArtifactSpec]:
    """Index templates and archives."""
    prefix = path_prefix(site)
    for output in theme.outputs:
        if output.build == "never" or output.type in ("entry", "page"):
            continue
        made: Iterator[ArtifactSpec] = iter(())
        if output.type != "index":
            made = _archive_artifacts(site, output, scope)
        elif scope is None or scope.entries:
            made = _index_artifacts(site, output, scope)
        for spec in made:
            yield spec._replace(path=prefix + spec.path)


def alias_redirects(site: Site, theme: Theme, scope: Scope | None = None) -> Iterator[ArtifactSpec]:
    """Redirects from aliases; none if the theme has no redirects."""
    if theme.manifest.redirect:
        prefix = path_prefix(site)
        for spec in _alias_redirects(site, theme.manifest.redirect.template, scope):
            yield spec._replace(path=prefix + spec.path)


def path_prefix(site: Site) -> str:
    """The folder of a site as a prefix of its paths: empty, or ending with a slash."""
    return f"{site.folder}/" if site.folder else ""


def _static_artifacts(theme: Theme) -> Iterator[ArtifactSpec]:
    for name in theme.static_files:
        path = f"{theme.manifest.static.path}/{name}".lstrip("/")
        yield ArtifactSpec(path, "static", name, None, "", 1, 0, False, FILE_PRIORITY)


_ASSETS = f"""
SELECT a.id, a.path, a.media_type, a.width, a.gives_way FROM asset a
WHERE a.site_id = ? AND {PUBLIC} %s AND a.id > ? ORDER BY a.id LIMIT ?
"""


def _asset_artifacts(site: Site, theme: Theme, scope: Scope | None) -> Iterator[ArtifactSpec]:
    for asset_id, path, media_type, width, gives_way in rows_in_chunks(
        _ASSETS, [site.id], "a.id", scope.assets if scope else None
    ):
        if not gives_way:
            yield _upload(asset_id, path)
        for smaller in thumbnail_widths(theme, media_type, width):
            made = ("thumbnail", str(smaller), asset_id, "", 1, 0, False, FILE_PRIORITY)
            yield ArtifactSpec(thumbnail_path(path, smaller), *made)


def _upload(asset: int, path: str) -> ArtifactSpec:
    return ArtifactSpec(path, "asset", "", asset, "", 1, 0, True, FILE_PRIORITY)


def thumbnail_widths(theme: Theme, media_type: str, width: int | None) -> list[int]:
    """The widths in pixels of the thumbnails of a picture, smallest first."""
    if width is None or media_type not in ("image/jpeg", "image/png", "image/webp"):
        return []
    return sorted(w for w in theme.manifest.thumbnails.widths if w < width)


def thumbnail_path(path: str, width: int) -> str:
    """The path of the thumbnail of a picture in `width` pixels."""
    whole = PurePosixPath(path)
    return whole.with_name(f"{whole.stem}-{width}w{whole.suffix}").as_posix()


_OF_SITE: Final = re.compile(r"WHERE (\w+\.site_id) = ")


def rows_in_chunks(sql: str, values: list[object], key: str, only: Sequence[int] | None) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query in chunks; the first column must be the id.

    The query filters by `site_id = ?` and by `id > ? … LIMIT ?`. Given `only`, it yields just the rows that have one of
    these ids in the column `key`; a `%s` in the query marks the place of that condition.
    """
    if only is None:
        yield from _rows_after(sql % "", values)
        return
    # A plus keeps the database from choosing the index on site_id, which would read the whole site.
    sql = _OF_SITE.sub(r"WHERE +\1 = ", sql)
    for start in range(0, len(only), _IDS):
        some = only[start : start + _IDS]
        yield from _rows_after(sql % f"AND {key} IN ({db.placeholders(len(some))})", [*values, *some])


def _rows_after(sql: str, values: list[object]) -> Iterator[tuple[Any, ...]]:
    last = 0
    while rows := db.execute(sql, [*values, last, _CHUNK]).fetchall():
        yield from rows
        last = rows[-1][0]


def _index_artifacts(site: Site, output: Output, scope: Scope | None) -> Iterator[ArtifactSpec]:
    source = output.source
    if isinstance(source, IndexTemplate):
        total = listing_totals.total(site.id, Listing("index")) if output.per_page else 0
        pages = _further_pages(site, output, scope)(None, "", total)
        yield from _page_artifacts(output, output.first.path(Subject()), pages, entries=source.entries)


def split_type(archive: str) -> tuple[str, str]:
    """Split an archive type into (term, period).

    'category-monthly' becomes ('category', 'monthly'), and 'daily' becomes ('', 'daily').
    """
    term, _, period = archive.rpartition("-")
    if term:
        return term, period
    return ("", archive) if archive in PERIOD_COLUMNS else (archive, "")


def _archive_artifacts(site: Site, output: Output, scope: Scope | None) -> Iterator[ArtifactSpec]:
    further_pages = _further_pages(site, output, scope)
    for subject, key, address, name, total in _groups(site, output.type, scope):
        about = _subject(subject, key, name)
        first, pages = _first_path(output, about, name, address), further_pages(subject, name, total)
        yield from _page_artifacts(output, first, pages, subject=subject, period=name, about=about)


def _further_pages(site: Site, output: Output, scope: Scope | None) -> Callable[[int | None, str, int], Iterable[int]]:
    """A function from a term, a period and a number of entries to the numbers of the further pages of their listing.

    Within a scope these are the pages that may have come.
    """
    per_page = output.per_page
    if not output.from_oldest:
        return lambda _subject, _period, total: range(2, -(-total // per_page) + 1) if per_page else ()
    if scope is None:
        known = page_boundaries.numbers_of_type(site.id, output.type, per_page)
        return lambda subject, period, _total: known.get((subject or 0, period), ())

    def pages(subject: int | None, period: str, _total: int) -> list[int]:
        listing = PagedListing(site.id, output.type, subject or 0, period, per_page)
        some = scope.page_numbers(listing)
        found = page_boundaries.numbers(listing) if some is None else page_boundaries.existing(listing, sorted(some))
        return [number for number in found if number != OWN]

    return pages


def _subject(term: int | None, key: str, period: str) -> Subject:
    moment = period_start(period) if period else None
    return Subject(moment=moment, id=term or 0, category=key, author=key, tag=key)


def _first_path(output: Output, about: Subject, period: str, address: str | None) -> str:
    return address_path(address) if address and not period and output.preferred else output.first.path(about)


def page_path(site: Site, output: Output, subject: int | None, period: str, page: int) -> str | None:
    """The path of a listing page, even one that gave way to another artifact; None if its term is gone."""
    term = "" if output.type == "index" else split_type(output.type)[0]
    key, address = "", None
    if term:
        columns = "path, address" if term == "category" else "slug, NULL"
        row = db.execute(f"SELECT {columns} FROM {term} WHERE id = ?", [subject]).fetchone()
        if row is None:
            return None
        key, address = row
    about = _subject(subject, key, period)
    first = _first_path(output, about, period, address)
    path = sibling_path(first, output.further.path(replace(about, page=page))) if page > 1 else first
    return path_prefix(site) + path


class _Group(NamedTuple):
    """The entries of a listing: those of a term, of a period, or of both."""

    term: int | None
    #: The path or slug of the term, and its own address.
    key: str
    address: str | None
    period: str
    entries: int


def _groups(site: Site, kind: str, scope: Scope | None) -> Iterator[_Group]:
    """Yield the groups that have entries, or those of `scope`, and the terms that get a page without entries."""
    term, period = split_type(kind)
    subjects = None if scope is None or not term else list(scope.terms.get(term, ()))
    periods = None if scope is None or not period else scope.periods(period)
    terms = _terms(site, term, subjects) if term else {0: ("", None, False)}
    found = listing_totals.totals(site.id, kind, subjects, periods)
    if scope and term and period:
        found = iter(sorted({*found, *listing_totals.totals(site.id, kind, scope.edited_terms.get(term, ()))}))
    seen = set()
    for total in found:
        key, address, _ = terms[total.subject]
        seen.add(total.subject)
        yield _Group(total.subject or None, key, address, total.period, total.entries)
    if term in ("author", "category") and not period:
        for empty, (key, address, always) in terms.items():
            if empty not in seen and (always or site.empty_archives):
                yield _Group(empty, key, address, "", 0)


def _terms(site: Site, term: str, only: Sequence[int] | None) -> dict[int, tuple[str, str | None, bool]]:
    """(path or slug, own address, whether it has a page without entries) of all terms, or of `only`, by id."""
    columns = "t.path, t.address, t.always" if term == "category" else "t.slug, NULL, false"
    sql = f"SELECT t.id, {columns} FROM {term} t WHERE t.site_id = ? %s AND t.id > ? ORDER BY t.id LIMIT ?"
    rows = rows_in_chunks(sql, [site.id], "t.id", only)
    return {found: (key, address, always) for found, key, address, always in rows}


def period_start(period: str) -> date:
    """The first day of `2026`, `2026-11` or `2026-11-22`."""
    return date.fromisoformat((period + "-01-01")[:10])


def _page_artifacts(
    output: Output,
    first: str,
    further_pages: Iterable[int],
    *,
    subject: int | None = None,
    period: str = "",
    about: Subject | None = None,
    entries: int = 0,
) -> Iterator[ArtifactSpec]:
    per_page = output.per_page or entries
    for page in chain((OWN,), further_pages):
        further = replace(about or Subject(), page=page) if page != OWN else None
        path = sibling_path(first, output.further.path(further)) if further else first
        permalink = page == OWN and (output.preferred or output.type == "index")
        made = (output.type, output.template, subject, period, page, per_page, permalink)
        yield ArtifactSpec(path, *made, output.priority, output.every, output.build, output.from_oldest)


_REDIRECTS = """
SELECT x.id, x.path FROM alias x JOIN entry e ON e.id = x.entry_id
WHERE x.site_id = ? AND e.status = 'published' %s AND x.id > ? ORDER BY x.id LIMIT ?
"""


def _alias_redirects(site: Site, template: str, scope: Scope | None) -> Iterator[ArtifactSpec]:
    for alias_id, path in rows_in_chunks(_REDIRECTS, [site.id], "x.entry_id", scope.entries if scope else None):
        yield ArtifactSpec(address_path(path), "redirect", template, alias_id, "", 1, 0, False, REDIRECT_PRIORITY)
