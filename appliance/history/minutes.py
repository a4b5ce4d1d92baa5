"""Reads and writes the measured minutes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from appliance import db
from appliance.history.histogram import Histogram

#: Seconds of a minute, and for how many seconds minutes are kept.
MINUTE = 60
KEPT = 8 * 86_400


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in one minute, on one site or on several. Durations are in seconds."""

    #: When it began, in seconds since the epoch.
    at: int
    #: Jobs that were done, and those of them that found the bytes of a file unchanged.
    done: int = 0
    unchanged: int = 0
    #: Files published and deleted.
    published: int = 0
    #: Jobs that failed for good.
    failed: int = 0
    #: Jobs that were waiting at its end; None if nobody counted them.
    pending: int | None = None
    #: From the request for a file until it was published; from there until every front end had it; and from the change
    #: until then.
    to_published: Histogram = field(default_factory=Histogram)
    to_everywhere: Histogram = field(default_factory=Histogram)
    overall: Histogram = field(default_factory=Histogram)


def minutes(since: float, until: float, sites: Collection[str] | None = None) -> list[Minute]:
    """Return the measured minutes that began in this time, in order; a minute that nobody measured is left out.

    Args:
        since: the first moment, in seconds since the epoch.
        until: the moment after the last.
        sites: the sites whose jobs and files count; None for the whole installation, with jobs of no site.
    """
    chosen = [""] if sites is None else list(sites)
    rows = db.execute(
        "SELECT at, done, unchanged, published, failed, pending, to_published, to_everywhere, overall"
        f" FROM measured_minute WHERE at >= ? AND at < ? AND site IN ({db.placeholders(len(chosen)) or 'NULL'})"
        " ORDER BY at",
        [since, until, *chosen],
    ).fetchall()
    found = [Minute(*row[:6], *(Histogram.decode(text) for text in row[6:])) for row in rows]
    if sites is None:
        return found
    # The row of the installation says that a minute was measured, also when nothing happened on these sites.
    measured = db.execute(
        "SELECT at, pending IS NOT NULL FROM measured_minute WHERE at >= ? AND at < ? AND site = '' ORDER BY at",
        [since, until],
    ).fetchall()
    by_minute: dict[int, list[Minute]] = {}
    for one in found:
        by_minute.setdefault(one.at, []).append(one)
    return [combined(at, by_minute.get(at, []), 0 if counted else None) for at, counted in measured]


def combined(at: int, parts: Collection[Minute], pending: int | None = None) -> Minute:
    """Add up minutes as one that begins at `at`; what waits is the most that did, or `pending` if nobody counted."""
    waiting = [part.pending for part in parts if part.pending is not None]
    is_same = all(part.at == at for part in parts)
    return Minute(
        at,
        sum(part.done for part in parts),
        sum(part.unchanged for part in parts),
        sum(part.published for part in parts),
        sum(part.failed for part in parts),
        pending if not waiting else sum(waiting) if is_same else max(waiting),
        Histogram.sum(part.to_published for part in parts),
        Histogram.sum(part.to_everywhere for part in parts),
        Histogram.sum(part.overall for part in parts),
    )


def last_minute() -> int | None:
    """When the last minute that was measured began; None before the first."""
    (at,) = db.execute("SELECT MAX(at) FROM measured_minute").fetchone()
    return None if at is None else int(at)


_INSERT = """
INSERT INTO measured_minute
    (at, site, done, unchanged, published, failed, pending, to_published, to_everywhere, overall)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (at, site) DO NOTHING RETURNING at
"""


def insert(site: str, minute: Minute) -> bool:
    """Write a minute of one site, or of the installation; returns whether nobody had written it yet."""
    histograms = (minute.to_published, minute.to_everywhere, minute.overall)
    counts = (minute.done, minute.unchanged, minute.published, minute.failed, minute.pending)
    values = [minute.at, site, *counts, *(one.encode() for one in histograms)]
    return db.execute(_INSERT, values).fetchone() is not None


def prune(now: float) -> None:
    """Delete the minutes that are no longer kept. In a transaction."""
    db.execute("DELETE FROM measured_minute WHERE at < ?", [int(now - KEPT)])


def grouped(found: Iterable[Minute], seconds: int) -> list[Minute]:
    """Add up minutes over longer times, each beginning at a multiple of `seconds`."""
    groups: dict[int, list[Minute]] = {}
    for one in found:
        groups.setdefault(one.at // seconds * seconds, []).append(one)
    return [combined(at, parts) for at, parts in groups.items()]
