"""The stored totals of listings: how many published entries each author, category, tag and period of a site has.

Counting reads every entry of a listing, and a large site has listings of many thousand. `planning.placements` therefore
keeps the totals up to date with each plan. A category has the entries of those below it as well, each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from appliance import db


class Listing(NamedTuple):
    """A listing of a site: its archive type, or 'index' for all entries; its term or 0; its period or nothing."""

    type: str
    subject: int = 0
    period: str = ""


#: How much of a day is the name of a period, by type of period; nothing for none.
_LENGTHS: Final = {"": 0, "daily": 10, "monthly": 7, "yearly": 4}


def period_name(kind: str, day: str, week: str) -> str:
    """The period of a type that an entry with this day and week is in; empty for no type."""
    return week if kind == "weekly" else day[: _LENGTHS[kind]]


def period_names(kind: str, days: Iterable[str], weeks: Iterable[str]) -> set[str]:
    """The periods of a type in which these days or weeks are."""
    if kind == "weekly":
        return set(weeks)
    return {period_name(kind, day, "") for day in days}


class Total(NamedTuple):
    """The number of entries in a listing of a type."""

    subject: int
    period: str
    entries: int


def total(site: int, listing: Listing) -> int:
    """The number of entries in a listing."""
    row = db.execute(
        "SELECT entries FROM listing_total WHERE site_id = ? AND type = ? AND subject = ? AND period = ?",
        [site, *listing],
    ).fetchone()
    return int(row[0]) if row else 0


def totals(
    site: int, kind: str, subjects: Sequence[int] | None = None, periods: Sequence[str] | None = None
) -> Iterator[Total]:
    """Yield the totals of the listings of a type that have entries: all of them, or those of these terms and periods.

    In the order of their terms and periods.
    """
    for terms in [None] if subjects is None else db.chunks(sorted(subjects)):
        for names in [None] if periods is None else db.chunks(sorted(periods)):
            conditions, values = "site_id = ? AND type = ?", list[object]([site, kind])
            for column, some in (("subject", terms), ("period", names)):
                if some is not None:
                    conditions += f" AND {column} IN ({db.placeholders(len(some))})"
                    values += some
            rows = db.execute(
                f"SELECT subject, period, entries FROM listing_total WHERE {conditions} ORDER BY subject, period",
                values,
            )
            yield from map(Total._make, rows.fetchall())


def add(site: int, changes: Mapping[Listing, int]) -> None:
    """Add to the totals; those of listings without entries are deleted."""
    for some in db.chunks(sorted(changes)):
        rows = db.execute(
            f"""INSERT INTO listing_total (site_id, type, subject, period, entries)
                VALUES {db.placeholders(len(some), 5)}
                ON CONFLICT (site_id, type, subject, period)
                DO UPDATE SET entries = listing_total.entries + excluded.entries
                RETURNING type, subject, period, entries""",
            [value for listing in some for value in (site, *listing, changes[listing])],
        ).fetchall()
        for kind, subject, period, entries in rows:
            if entries <= 0:
                db.execute(
                    "DELETE FROM listing_total WHERE site_id = ? AND type = ? AND subject = ? AND period = ?",
                    [site, kind, subject, period],
                )


def clear(site: int) -> None:
    """Forget all totals of a site."""
    db.execute("DELETE FROM listing_total WHERE site_id = ?", [site])
