"""Reads which entries a page of a listing shows: ids, newest first, from one query over an index.

A period is a condition on moments rather than days, so that the index that gives the order also selects the period.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.planning import listing_totals
from appliance.planning.archives import PUBLISHED_ENTRIES, period_start, split_type
from appliance.planning.listing_totals import Listing


class ListingPage(NamedTuple):
    """One page of a listing: the ids of its entries, and the number of entries in the whole listing."""

    ids: tuple[int, ...]
    total: int


class ListingQuery(NamedTuple):
    """Selects a listing: the site, the archive type, and the term `subject` and `period` where the type has them."""

    site: int
    type: str
    subject: int | None = None
    period: str = ""


def listing_page(
    query: ListingQuery,
    zone: ZoneInfo,
    page: int,
    per_page: int,
    totals: MutableMapping[ListingQuery, int] | None = None,
) -> ListingPage:
    """The entries on a page of a listing; `per_page` 0 means all entries on one page.

    The number of entries in the listing is that of the last plan. `totals` keeps what was read of it, by listing.
    """
    source, values, order = _source(query, zone)
    limit = "LIMIT ? OFFSET ?" if per_page else ""
    bounds = [per_page, (page - 1) * per_page] if per_page else []
    rows = db.execute(f"SELECT {order[0]} {source} ORDER BY {order[1]} {limit}", [*values, *bounds]).fetchall()
    ids = tuple(row[0] for row in rows)
    if not per_page or (page == 1 and len(ids) < per_page):
        return ListingPage(ids, len(ids))
    known = {} if totals is None else totals
    if query not in known:
        known[query] = listing_totals.total(query.site, Listing(query.type, query.subject or 0, query.period))
    return ListingPage(ids, known[query])


def newest_entries(site: int, count: int) -> tuple[int, ...]:
    """The ids of the `count` newest entries of a site."""
    rows = db.execute(
        f"SELECT e.id FROM entry e WHERE {PUBLISHED_ENTRIES} ORDER BY e.published_at DESC, e.id DESC LIMIT ?",
        [site, count],
    ).fetchall()
    return tuple(row[0] for row in rows)


def listing_digest(listing: ListingPage) -> str:
    """A digest that changes when the page has other entries, or the listing has another number of entries."""
    return hashlib.blake2b(repr((listing.ids, listing.total)).encode(), digest_size=12).hexdigest()


def _source(query: ListingQuery, zone: ZoneInfo) -> tuple[str, list[object], tuple[str, str]]:
    """The FROM and WHERE clauses of a listing, their values, and the columns to select and to order by."""
    term, kind = split_type(query.type)
    if term in ("author", "tag", "category"):
        ids = _subtree(query.subject) if term == "category" else [query.subject]
        among = f"= {ids[0]}" if len(ids) == 1 else f"IN ({', '.join(map(str, ids))})"
        source = f"FROM entry_{term} m WHERE m.{term}_id {among} AND m.live_at IS NOT NULL"
        moment, key, values = "m.live_at", "m.entry_id", []
        columns = (key, f"{moment} DESC, {key} DESC")
        ending = " GROUP BY m.entry_id, m.live_at" if len(ids) > 1 else ""
    else:
        source, values = f"FROM entry e WHERE {PUBLISHED_ENTRIES}", [query.site]
        moment, ending = "e.published_at", ""
        columns = ("e.id", "e.published_at DESC, e.id DESC")
    bounds = []
    if kind:
        source += f" AND {moment} >= ? AND {moment} < ?"
        bounds = [clock.to_timestamp(datetime.combine(day, time()), zone) for day in _bounds(query.period, kind)]
    return source + ending, [*values, *bounds], columns


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
