"""Which entries a page of a listing shows: one query over an index, an answer of ids, newest first.

The condition on a period is one of moments, not of days, so that the index which gives the order answers for it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.planning.archives import PUBLISHED, split_type, start_of


class Shown(NamedTuple):
    """A page of a listing: the ids of its entries and how many the whole listing has."""

    ids: tuple[int, ...]
    total: int


class Asked(NamedTuple):
    """A listing: of `site`, of an archive type, of the term `subject` and of `period` where the type has them."""

    site: int
    archive: str
    subject: int | None = None
    period: str = ""


def entries_of(
    asked: Asked, zone: ZoneInfo, page: int, per_page: int, totals: MutableMapping[Asked, int] | None = None
) -> Shown:
    """The entries on page `page` of a listing; `per_page` 0 means all on one.

    `totals` keeps how many entries listings have, for who asks for many pages: counting reads the whole listing.
    """
    source, values, order = _source(asked, zone)
    limit = "LIMIT ? OFFSET ?" if per_page else ""
    bounds = [per_page, (page - 1) * per_page] if per_page else []
    rows = db.execute(f"SELECT {order[0]} {source} ORDER BY {order[1]} {limit}", [*values, *bounds]).fetchall()
    ids = tuple(row[0] for row in rows)
    if not per_page or (page == 1 and len(ids) < per_page):
        return Shown(ids, len(ids))
    known = {} if totals is None else totals
    if asked not in known:
        counted = f"SELECT COUNT(*) FROM (SELECT {order[0]} {source}) AS whole"
        known[asked] = int(db.execute(counted, values).fetchone()[0])
    return Shown(ids, known[asked])


def newest(site: int, count: int) -> tuple[int, ...]:
    """The ids of the newest entries of a site."""
    rows = db.execute(
        f"SELECT e.id FROM entry e WHERE {PUBLISHED} ORDER BY e.published_at DESC, e.id DESC LIMIT ?", [site, count]
    ).fetchall()
    return tuple(row[0] for row in rows)


def digest(shown: Shown) -> str:
    """Changes when a page of a listing shows other entries, or the listing has another number of them."""
    return hashlib.blake2b(repr((shown.ids, shown.total)).encode(), digest_size=12).hexdigest()


def _source(asked: Asked, zone: ZoneInfo) -> tuple[str, list[object], tuple[str, str]]:
    """FROM and WHERE of a listing, their values, and the columns to select and to order by."""
    term, kind = split_type(asked.archive)
    if term in ("author", "tag", "category"):
        ids = _subtree(asked.subject) if term == "category" else [asked.subject]
        among = f"= {ids[0]}" if len(ids) == 1 else f"IN ({', '.join(map(str, ids))})"
        source = f"FROM entry_{term} m WHERE m.{term}_id {among} AND m.live_at IS NOT NULL"
        moment, key, values = "m.live_at", "m.entry_id", []
        columns = (key, f"{moment} DESC, {key} DESC")
        ending = " GROUP BY m.entry_id, m.live_at" if len(ids) > 1 else ""
    else:
        source, values = f"FROM entry e WHERE {PUBLISHED}", [asked.site]
        moment, ending = "e.published_at", ""
        columns = ("e.id", "e.published_at DESC, e.id DESC")
    bounds = []
    if kind:
        source += f" AND {moment} >= ? AND {moment} < ?"
        bounds = [clock.moment(datetime.combine(day, time()), zone) for day in _bounds(asked.period, kind)]
    return source + ending, [*values, *bounds], columns


def _subtree(category: int | None) -> list[int]:
    """A category and those below it."""
    rows = db.execute(
        """SELECT c.id FROM category t JOIN category c ON c.site_id = t.site_id
             AND (c.path = t.path OR substr(c.path, 1, length(t.path) + 1) = t.path || '/')
           WHERE t.id = ? ORDER BY c.id""",
        [category],
    ).fetchall()
    return [int(row[0]) for row in rows] or [0]


def _bounds(period: str, kind: str) -> tuple[date, date]:
    """The first day of a period and the first one after it."""
    first = start_of(period)
    if kind in ("daily", "weekly"):
        return first, first + timedelta(days=1 if kind == "daily" else 7)
    if kind == "yearly" or first.month == 12:
        return first, date(first.year + 1, 1, 1)
    return first, date(first.year, first.month + 1, 1)
