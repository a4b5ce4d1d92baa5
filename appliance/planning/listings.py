"""Reads which entries a page of a listing shows: ids, newest first, from one query over an index.

A period is a condition on moments rather than days, so that the index that gives the order also selects the period.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.planning import listing_totals, page_boundaries
from appliance.planning.archives import PUBLISHED_ENTRIES, period_start, split_type
from appliance.planning.listing_totals import Listing
from appliance.planning.page_boundaries import LOWEST, Key, PagedListing, PageSpan


class ListingPage(NamedTuple):
    """One page of a listing: the ids of its entries, newest first, and what the listing has beside them."""

    ids: tuple[int, ...]
    #: Number of entries in the whole listing, and number of its pages.
    total: int
    pages: int = 1
    #: The numbers of the pages with newer and with older entries.
    newer: int | None = None
    older: int | None = None

    @property
    def counted(self) -> str:
        """The number of entries and of pages of the whole listing, as artifacts store it."""
        return f"{self.total}/{self.pages}"


class ListingQuery(NamedTuple):
    """Selects a listing: the site, the archive type, and the term `subject` and `period` where the type has them."""

    site: int
    type: str
    subject: int | None = None
    period: str = ""

    def paged(self, per_page: int) -> PagedListing:
        """The same listing, with so many entries a page."""
        return PagedListing(self.site, self.type, self.subject or 0, self.period, per_page)


def listing_page(
    query: ListingQuery,
    zone: ZoneInfo,
    page: int,
    per_page: int,
    *,
    from_oldest: bool = False,
    addressed: bool = False,
) -> ListingPage:
    """A page of a listing; `per_page` 0 means all entries on one page.

    `from_oldest` says from which end the pages are counted. The numbers of entries are those of the last plan.
    With `addressed`, a page counted from the newest entry leaves out those that no plan has given an address yet.
    """
    if from_oldest:
        return _page_within_boundaries(query, zone, page, per_page)
    source, values, order = _source(query, zone, addressed=addressed)
    limit = "LIMIT ? OFFSET ?" if per_page else ""
    bounds = [per_page, (page - 1) * per_page] if per_page else []
    rows = db.execute(f"SELECT {order[0]} {source} ORDER BY {order[1]} {limit}", [*values, *bounds]).fetchall()
    ids = tuple(row[0] for row in rows)
    if not per_page or (page == 1 and len(ids) < per_page):
        return ListingPage(ids, len(ids))
    total = _total(query)
    return ListingPage(ids, total, *_around(page, per_page, total))


#: Entries of a site with changes that are not planned yet.
_UNPLANNED: Final = "SELECT entry_id FROM change WHERE site_id = ? AND NOT planned AND entry_id IS NOT NULL"


def page_of_ids(ids: Sequence[int], page: int, per_page: int) -> ListingPage:
    """A page of a listing that is counted from the newest entries, given the ids of all of them."""
    if not per_page:
        return ListingPage(tuple(ids), len(ids))
    first = (page - 1) * per_page
    return ListingPage(tuple(ids[first : first + per_page]), len(ids), *_around(page, per_page, len(ids)))


def _around(page: int, per_page: int, total: int) -> tuple[int, int | None, int | None]:
    """How many pages there are, counted from the newest entries, and the numbers of those before and after one."""
    pages = max(1, -(-total // per_page))
    return pages, page - 1 if page > 1 else None, page + 1 if page < pages else None


def counted_of(query: ListingQuery, per_page: int, from_oldest: bool) -> str:
    """How many entries and pages a listing has, as artifacts store it."""
    total = _total(query)
    if from_oldest:
        pages = page_boundaries.count(query.paged(per_page))
    else:
        pages = _around(1, per_page, total)[0] if per_page else 1
    return f"{total}/{pages}"


def _page_within_boundaries(query: ListingQuery, zone: ZoneInfo, page: int, per_page: int) -> ListingPage:
    listing = query.paged(per_page)
    span = page_boundaries.span(listing, page)
    if span is None:  # it is about to be deleted
        return ListingPage((), _total(query))
    ids = tuple(key.id for key in reversed(keys_between(query, zone, span.first, span.end)))
    if span == PageSpan():
        return ListingPage(ids, len(ids))
    return ListingPage(ids, _total(query), page_boundaries.count(listing), span.newer, span.older)


def keys_between(query: ListingQuery, zone: ZoneInfo, first: Key, end: Key | None) -> list[Key]:
    """The positions of the entries of a listing from `first` up to and without `end`, oldest first."""
    source, values, order = _source(query, zone, (first, end))
    rows = db.execute(f"SELECT {order[2]}, {order[0]} {source} ORDER BY {order[2]}, {order[0]}", values).fetchall()
    return [Key(*row) for row in rows]


def _total(query: ListingQuery) -> int:
    return listing_totals.total(query.site, Listing(query.type, query.subject or 0, query.period))


def newest_entries(site: int, count: int) -> tuple[int, ...]:
    """The ids of the `count` newest entries of a site."""
    rows = db.execute(
        f"SELECT e.id FROM entry e WHERE {PUBLISHED_ENTRIES} ORDER BY e.published_at DESC, e.id DESC LIMIT ?",
        [site, count],
    ).fetchall()
    return tuple(row[0] for row in rows)


def listing_digest(listing: ListingPage) -> str:
    """A digest that changes when the page has other entries or other neighbours."""
    return hashlib.blake2b(repr((listing.ids, listing.newer, listing.older)).encode(), digest_size=12).hexdigest()


def _source(
    query: ListingQuery, zone: ZoneInfo, between: tuple[Key, Key | None] = (LOWEST, None), *, addressed: bool = False
) -> tuple[str, list[object], tuple[str, str, str]]:
    """The FROM and WHERE clauses of a listing, their values, and what to select, to order by, and the moments."""
    term, kind = split_type(query.type)
    values: list[object]
    if term in ("author", "tag", "category"):
        ids = _subtree(query.subject) if term == "category" else [query.subject]
        among = f"= {ids[0]}" if len(ids) == 1 else f"IN ({', '.join(map(str, ids))})"
        source = f"FROM entry_{term} m WHERE m.{term}_id {among} AND m.live_at IS NOT NULL"
        moment, key, values = "m.live_at", "m.entry_id", []
        columns = (key, f"{moment} DESC, {key} DESC", moment)
        ending = " GROUP BY m.entry_id, m.live_at" if len(ids) > 1 else ""
    else:
        source, values = f"FROM entry e WHERE {PUBLISHED_ENTRIES}", [query.site]
        moment, key, ending = "e.published_at", "e.id", ""
        columns = ("e.id", "e.published_at DESC, e.id DESC", moment)
    first, end = between
    if kind:
        begins, ends = (
            Key(clock.to_timestamp(datetime.combine(day, time()), zone), 0) for day in _bounds(query.period, kind)
        )
        first, end = max(first, begins), ends if end is None else min(end, ends)
    if first != LOWEST:
        source, values = f"{source} AND ({moment}, {key}) >= (?, ?)", [*values, *first]
    if end is not None:
        source, values = f"{source} AND ({moment}, {key}) < (?, ?)", [*values, *end]
    if addressed:
        source += f""" AND (EXISTS (SELECT 1 FROM artifact p WHERE p.type = 'entry' AND p.subject = {key}
                                    AND p.is_permalink AND p.wanted) OR {key} NOT IN ({_UNPLANNED}))"""
        values = [*values, query.site]
    return source + ending, values, columns


def _subtree(category: int | None) -> list[int]:
    """The ids of a category and of all categories below it."""
    rows = db.execute(
        """SELECT c.id FROM category t JOIN category c ON c.site_id = t.site_id
             AND (c.path = t.path OR substr(c.path, 1, length(t.path) + 1) = t.path || '/')
           WHERE t.id = ? ORDER BY c.id""",
        [category],
    ).fetchall()
    return [int(row[0]) for row in rows] or [0]


def _bounds(period: str, kind: str) -> tuple[date, date]:
    """The first day of a period, and the first day after it."""
    first = period_start(period)
    if kind in ("daily", "weekly"):
        return first, first + timedelta(days=1 if kind == "daily" else 7)
    if kind == "yearly" or first.month == 12:
        return first, date(first.year + 1, 1, 1)
    return first, date(first.year, first.month + 1, 1)
