"""The journal of publications: every change of the docroot, in the order in which it was committed.

Guarantees that targets receive only the latest publication of each path. A row that a newer one of the same path has
superseded is never returned, so a target that was away sees no history replayed. Rows are read in batches, so that
memory does not grow with the journal.

Each row says whether it is the latest of its path. A database trigger keeps that right as rows are written. Partial
indexes hold the latest rows alone, so that frequent queries do not slow down as superseded rows accumulate. To use
these indexes, queries repeat their conditions: `latest` and `id + 0`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from typing import Final

from appliance import db

#: Rows of one INSERT. With eight values each they stay below every database's limit of bound values.
_ROWS = 500

#: Superseded publications removed in one transaction.
_PRUNE_ROWS = 5000

#: The topic of the commits after which a docroot may show something new: here, and where a cursor moves.
DOCROOTS: Final = "docroots"

#: Greater than the number of any publication.
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Put:
    """A new or changed file at `path` below the docroot. `digest` is BLAKE2b-256 in hexadecimal, `size` in bytes."""

    path: str
    #: Whole seconds since the epoch, strictly increasing per path; the file's mtime.
    version: int
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Delete:
    """The removal of the file at `path` below the docroot."""

    path: str
    version: int


#: One publication: a file was put into the docroot, or deleted from it.
PublishedChange = Put | Delete


@dataclass(frozen=True, slots=True)
class JournalRange:
    """A part of the journal: its latest changes, and the number of the publication up to which it reaches."""

    changes: list[PublishedChange]
    through: int
    #: The publication number of each change.
    numbers: list[int] = field(default_factory=list, compare=False)


def append(rows: Iterable[PublishedChange], origin: str, jobs: Iterable[int] = ()) -> None:
    """Write publications of the host `origin`, in order. Call it in the transaction that completes their jobs.

    Args:
        rows: what was published.
        origin: the publishing host.
        jobs: the id of the job of each row; none for what no job made.
    """
    # A cursor would skip a row that is committed after one with a greater number, so numbers follow commit order.
    db.acquire_lock("journal")
    at = db.now()
    values = ((*_values(row, origin, at), job) for row, job in zip(rows, chain(jobs, repeat(None)), strict=False))
    while some := list(islice(values, _ROWS)):
        db.execute(
            "INSERT INTO publication (path, op, version, digest, size, origin, at, job)"
            f" VALUES {db.placeholders(len(some), 8)}",
            [value for row in some for value in row],
        )
    db.notify("", DOCROOTS)


def latest_after(origin: str, cursor: int, limit: int, below: int | None = None) -> JournalRange:
    """Return up to `limit` latest publications of `origin` after `cursor`, in order.

    If there are fewer, the range reaches to the newest publication of that host, superseded ones included. With `below`
    it ends before the publication of that number.
    """
    end = _NEVER if below is None else below
    with db.snapshot():
        found = db.execute(
            "SELECT id, path, op, version, digest, size FROM publication "
            "WHERE origin = ? AND id + 0 > ? AND id + 0 < ? AND latest ORDER BY id + 0 LIMIT ?",
            (origin, cursor, end, limit),
        ).fetchall()
        through = found[-1][0] if len(found) == limit else max(_newest_below(origin, end), cursor)
    return JournalRange([_to_change(row[1:]) for row in found], through, [int(row[0]) for row in found])


def latest_through(origin: str, cursor: int, limit: int, after: int = 0) -> list[PublishedChange]:
    """Return the last `limit` latest publications of `origin` up to `cursor` and after `after`, newest first."""
    return [change for _, change in latest_numbered(origin, cursor, limit, after)]


def latest_numbered(origin: str, cursor: int, limit: int, after: int = 0) -> list[tuple[int, PublishedChange]]:
    """Like `latest_through`, each with its number."""
    found = db.execute(
        "SELECT id, path, op, version, digest, size FROM publication WHERE origin = ? AND id + 0 > ? AND id + 0 <= ? "
        "AND latest ORDER BY id + 0 DESC LIMIT ?",
        (origin, after, cursor, limit),
    )
    return [(int(row[0]), _to_change(row[1:])) for row in found.fetchall()]


def first_since(origin: str, cursor: int, moment: float, until: float = math.inf) -> int | None:
    """Return the first publication of `origin` after `cursor` that was made after `moment`, or None.

    Publications made after `until` do not count. Times are seconds since the epoch.
    """
    return _first(_SINCE, (origin, moment, until, cursor))


def first_latest_since(origin: str, cursor: int, moment: float, until: float = math.inf) -> int | None:
    """Like `first_since`, among the publications that are the latest of their paths."""
    return _first(f"{_SINCE} AND latest", (origin, moment, until, cursor))


def first_latest_after(origin: str, cursor: int) -> int | None:
    """Return the first publication of `origin` after `cursor` that is the latest of its path, or None."""
    after = "SELECT id FROM publication WHERE origin = ? AND id + 0 > ? AND latest ORDER BY id + 0 LIMIT 1"
    return _first(after, (origin, cursor))


# By time and not by number (so +id): little is recent, and a cursor may be far behind.
_SINCE = "SELECT MIN(+id) FROM publication WHERE origin = ? AND at > ? AND at <= ? AND +id > ?"


def _first(statement: str, values: tuple[object, ...]) -> int | None:
    row = db.execute(statement, values).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def read_files(after: str, limit: int) -> list[tuple[int, str, Put]]:
    """Return up to `limit` published files with a path after `after`, by path, each with its number and origin."""
    found = db.execute(
        "SELECT id, origin, path, op, version, digest, size FROM publication WHERE path > ? AND op = 'put' AND latest "
        "ORDER BY path LIMIT ?",
        (after, limit),
    )
    return [(number, origin, Put(row[0], *row[2:])) for number, origin, *row in found.fetchall()]


def count_files() -> int:
    """Return the number of published files."""
    row = db.execute("SELECT COUNT(*) FROM publication WHERE op = 'put' AND latest").fetchone()
    return int(row[0])


def paths_between(origin: str, after: int, through: int, limit: int) -> list[str]:
    """Return up to `limit` paths that `origin` published after one number and up to another, superseded or not."""
    rows = db.execute(
        "SELECT DISTINCT path FROM publication WHERE origin = ? AND id > ? AND id <= ? LIMIT ?",
        (origin, after, through, limit),
    )
    return [path for (path,) in rows.fetchall()]


def select_published(paths: Sequence[str]) -> set[str]:
    """Return those of `paths` that are published files."""
    found: set[str] = set()
    for some in (paths[start : start + _ROWS] for start in range(0, len(paths), _ROWS)):
        rows = db.execute(
            f"SELECT path FROM publication WHERE path IN ({db.placeholders(len(some))}) AND op = 'put' AND latest",
            list(some),
        )
        found.update(path for (path,) in rows.fetchall())
    return found


def select_published_beginning(start: str) -> set[str]:
    """Return the published files whose paths begin with `start`."""
    found = db.execute(
        "SELECT path FROM publication WHERE path >= ? AND path < ? AND op = 'put' AND latest",
        (start, f"{start}\U0010ffff"),
    )
    return {str(path) for (path,) in found.fetchall()}


def select_deleted(names: Sequence[str]) -> set[str]:
    """Return those of `names` that were published once and are deleted, and folders that held such files.

    The names of folders end with a slash.
    """
    found: set[str] = set()
    for some in db.chunks(names):
        rows = db.execute(
            f"SELECT path FROM publication WHERE path IN ({db.placeholders(len(some))}) AND op = 'delete' AND latest",
            list(some),
        )
        found.update(path for (path,) in rows.fetchall())
    return found | {name for name in names if name.endswith("/") and deleted_below(name.rstrip("/"))}


def deleted_below(path: str) -> list[str]:
    """Return the paths below `path`, taken as a folder, that were published once and are deleted."""
    found = db.execute(
        "SELECT path FROM publication WHERE path > ? AND path < ? AND op = 'delete' AND latest",
        (f"{path}/", f"{path}0"),  # the character after /
    )
    return [str(below) for (below,) in found.fetchall()]


def latest_of(path: str) -> PublishedChange | None:
    """Return the latest publication of a path, or None."""
    row = db.execute(
        "SELECT path, op, version, digest, size FROM publication WHERE path = ? AND latest", (path,)
    ).fetchone()
    return None if row is None else _to_change(row)


def read_latest(paths: Sequence[str]) -> dict[str, tuple[int, str, int]]:
    """Return number, origin and version of the latest publication of each of `paths` that was ever published."""
    found = dict[str, tuple[int, str, int]]()
    for some in db.chunks(paths):
        rows = db.execute(
            "SELECT path, id, origin, version FROM publication"
            f" WHERE path IN ({db.placeholders(len(some))}) AND latest",
            some,
        )
        found.update((path, (number, origin, version)) for path, number, origin, version in rows.fetchall())
    return found


def newest(origin: str) -> int:
    """Return the number of the newest publication of `origin`; 0 if it has none."""
    return _newest_below(origin, _NEVER)


def _newest_below(origin: str, end: int) -> int:
    row = db.execute("SELECT MAX(id) FROM publication WHERE origin = ? AND id < ?", (origin, end)).fetchone()
    return int(row[0] or 0)


def count_after(origin: str, cursor: int) -> int:
    """Count the publications of `origin` after a cursor, superseded ones included."""
    row = db.execute("SELECT COUNT(*) FROM publication WHERE origin = ? AND id > ?", [origin, cursor]).fetchone()
    return int(row[0])


def origins() -> list[str]:
    """Return the names of all hosts that ever published."""
    # A walk from one name to the next: DISTINCT would read every row of the journal.
    rows = db.execute(
        "WITH RECURSIVE host (name) AS (SELECT MIN(origin) FROM publication UNION ALL "
        "SELECT (SELECT MIN(origin) FROM publication WHERE origin > host.name) FROM host "
        "WHERE host.name IS NOT NULL) SELECT name FROM host WHERE name IS NOT NULL"
    )
    return [str(name) for (name,) in rows.fetchall()]


def oldest_after(origin: str, cursor: int) -> float | None:
    """Return when the first publication of `origin` after `cursor` was made, in seconds since the epoch, or None."""
    row = db.execute(
        "SELECT at FROM publication WHERE origin = ? AND id > ? ORDER BY id LIMIT 1", (origin, cursor)
    ).fetchone()
    return None if row is None else float(row[0])


_PRUNE = """
DELETE FROM publication WHERE id IN
(SELECT id FROM publication WHERE origin = ? AND id <= ? AND NOT latest ORDER BY id LIMIT ?)
RETURNING id
"""


def prune(confirmed: Mapping[str, int]) -> int:
    """Remove superseded publications that every reader of the journal has confirmed. Returns how many.

    The latest publication of each path stays, so that a new target can be sent everything.

    Args:
        confirmed: by host of origin, the publication up to which all targets and caches have read the journal.
    """
    removed = 0
    for origin, through in confirmed.items():
        batch = _PRUNE_ROWS
        while batch == _PRUNE_ROWS:
            with db.write():
                batch = len(db.execute(_PRUNE, [origin, through, _PRUNE_ROWS]).fetchall())
            removed += batch
    return removed


def _values(row: PublishedChange, origin: str, at: float) -> tuple[object, ...]:
    if isinstance(row, Put):
        return row.path, "put", row.version, row.digest, row.size, origin, at
    return row.path, "delete", row.version, None, None, origin, at


def _to_change(row: tuple[str, str, int, str, int]) -> PublishedChange:
    path, op, version, digest, size = row
    return Put(path, version, digest, size) if op == "put" else Delete(path, version)
