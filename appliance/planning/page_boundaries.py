"""The stored boundaries of listing pages that are counted from the oldest entries; `models.PageBoundary` has the rows.

A page is found by its number, or by an entry on it, with seeks in an index, however many pages its listing has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from appliance import db

#: The number of the page at the listing's own address, which has the newest entries. Further pages have higher ones.
OWN: Final = 1


class Key(NamedTuple):
    """The position of an entry in every listing: its time of publication, in seconds since the epoch, and its id."""

    at: int
    id: int


#: Before every entry: where the oldest page of a listing begins.
LOWEST: Final = Key(-(2**62), 0)


class PagedListing(NamedTuple):
    """A listing with pages of its own: `subject` is 0 where the type has no term."""

    site: int
    type: str
    subject: int
    period: str
    per_page: int


class PageSpan(NamedTuple):
    """Where a page begins, where the next newer one does (None: nowhere), and the numbers of its neighbours."""

    first: Key = LOWEST
    end: Key | None = None
    newer: int | None = None
    older: int | None = None


@dataclass
class PageChanges:
    """What a plan did to the pages of a listing, by their numbers."""

    #: Pages that came or went.
    changed: set[int] = field(default_factory=set)
    #: Pages that may have other entries or other neighbours than before.
    seen: set[int] = field(default_factory=set)


_OF_LISTING = "site_id = ? AND type = ? AND subject = ? AND period = ? AND per_page = ?"
_ROW = f"SELECT number, first_at, first_id FROM listing_page WHERE {_OF_LISTING}"
_UP, _DOWN = "ORDER BY first_at, first_id LIMIT 1", "ORDER BY first_at DESC, first_id DESC LIMIT 1"


def first_key(listing: PagedListing, number: int) -> Key | None:
    """Where a page begins; None if the listing has no such page, or only its own address."""
    row = db.execute(f"{_ROW} AND number = ?", [*listing, number]).fetchone()
    return Key(*row[1:]) if row else None


def span(listing: PagedListing, number: int) -> PageSpan | None:
    """The span of a page; None if the listing has no such page."""
    first = first_key(listing, number)
    if first is None:
        return PageSpan() if number == OWN else None
    newer = None
    if number != OWN:
        newer = db.execute(f"{_ROW} AND (first_at, first_id) > (?, ?) {_UP}", [*listing, *first]).fetchone()
    older = db.execute(f"{_ROW} AND (first_at, first_id) < (?, ?) {_DOWN}", [*listing, *first]).fetchone()
    return PageSpan(first, Key(*newer[1:]) if newer else None, newer and newer[0], older and older[0])


def page_with(listing: PagedListing, key: Key) -> int:
    """The number of the page on which an entry is, or would be."""
    row = db.execute(f"{_ROW} AND (first_at, first_id) <= (?, ?) {_DOWN}", [*listing, *key]).fetchone()
    return int(row[0]) if row else OWN


def count(listing: PagedListing) -> int:
    """The number of pages of a listing."""
    row = db.execute(f"SELECT pages FROM listing_page WHERE {_OF_LISTING} AND number = ?", [*listing, OWN]).fetchone()
    return int(row[0]) if row else 1


def highest_number(listing: PagedListing) -> int:
    """The highest number of a page of a listing."""
    row = db.execute(f"SELECT MAX(number) FROM listing_page WHERE {_OF_LISTING}", list(listing)).fetchone()
    return int(row[0] or OWN)


def numbers(listing: PagedListing) -> list[int]:
    """The numbers of the pages of a listing, from its own address to the highest."""
    rows = db.execute(f"SELECT number FROM listing_page WHERE {_OF_LISTING} ORDER BY number", list(listing))
    return [number for (number,) in rows.fetchall()] or [OWN]


def existing(listing: PagedListing, some: Sequence[int]) -> list[int]:
    """Those of these numbers that a page of the listing has."""
    found = {OWN} & set(some)
    for part in db.chunks(sorted(some)):
        rows = db.execute(
            f"SELECT number FROM listing_page WHERE {_OF_LISTING} AND number IN ({db.placeholders(len(part))})",
            [*listing, *part],
        )
        found |= {number for (number,) in rows.fetchall()}
    return sorted(found)


def numbers_of_type(site: int, kind: str, per_page: int) -> dict[tuple[int, str], list[int]]:
    """The numbers of further pages of all listings of a type, by term and period."""
    found: dict[tuple[int, str], list[int]] = defaultdict(list)
    rows = db.execute(
        f"""SELECT subject, period, number FROM listing_page
            WHERE site_id = ? AND type = ? AND per_page = ? AND number > {OWN} ORDER BY subject, period, number""",
        [site, kind, per_page],
    )
    for subject, period, number in rows.fetchall():
        found[subject, period].append(number)
    return found


def boundaries(listing: PagedListing) -> list[tuple[int, Key]]:
    """(number, first key) of all pages of a listing that has several, oldest first."""
    rows = db.execute(f"{_ROW} ORDER BY first_at, first_id", list(listing)).fetchall()
    return [(number, Key(at, key)) for number, at, key in rows]


def add(listing: PagedListing, pages: Sequence[tuple[int, Key]]) -> None:
    """Add pages by number and first key."""
    for some in db.chunks(pages, 100):
        db.execute(
            f"""INSERT INTO listing_page (site_id, type, subject, period, per_page, number, first_at, first_id, pages)
                VALUES {db.placeholders(len(some), 9)}""",
            [value for number, first in some for value in (*listing, number, *first, 0)],
        )


def move(listing: PagedListing, number: int, first: Key) -> None:
    """Let a page begin elsewhere."""
    db.execute(
        f"UPDATE listing_page SET first_at = ?, first_id = ? WHERE {_OF_LISTING} AND number = ?",
        [*first, *listing, number],
    )


def remove(listing: PagedListing, number: int) -> None:
    """Remove a page: its entries are on the next older one, if there are any."""
    db.execute(f"DELETE FROM listing_page WHERE {_OF_LISTING} AND number = ?", [*listing, number])


def remove_all(listing: PagedListing) -> None:
    """Remove all pages but the listing's own address."""
    db.execute(f"DELETE FROM listing_page WHERE {_OF_LISTING}", list(listing))


def add_to_count(listing: PagedListing, more: int) -> None:
    """Note that the listing has more or fewer pages than before."""
    db.execute(f"UPDATE listing_page SET pages = pages + ? WHERE {_OF_LISTING} AND number = ?", [more, *listing, OWN])


def listings_of(site: int) -> list[PagedListing]:
    """The listings of a site that have several pages."""
    rows = db.execute(
        f"SELECT site_id, type, subject, period, per_page FROM listing_page WHERE site_id = ? AND number = {OWN}",
        [site],
    )
    return [PagedListing(*row) for row in rows.fetchall()]
