"""The journal of publications: what changed in the docroot, in the order it was committed.

Guarantees that what a target is sent is the latest publication of each path: a row that a newer one of the
same path has superseded is never handed out, so that a target which was away sees no history replayed. Rows
are read in stretches, so that memory does not grow with the journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from appliance import db

#: Rows of one INSERT; seven values each, below every database's limit of bound values.
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Put:
    """A file stands at `path` below the docroot. `digest` is BLAKE2b-256 in hexadecimal, `size` in bytes."""

    path: str
    #: Whole seconds since the epoch, strictly increasing per path; the file's mtime.
    version: int
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Nothing stands at `path` any more."""

    path: str
    version: int


Change = Put | Delete


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the journal: its latest changes, and the publication up to which they bring a target."""

    changes: list[Change]
    through: int


def append(rows: Iterable[Change], origin: str) -> None:
    """Write publications of `origin`, in order. To be called in the transaction that finishes their jobs."""
    # A cursor passes over what has a smaller number and is committed later: numbers are given in order of commit.
    db.in_turn("journal")
    at = db.now()
    values = (_values(row, origin, at) for row in rows)
    while some := list(islice(values, _ROWS)):
        db.execute(
            f"INSERT INTO publication (path, op, version, digest, size, origin, at) VALUES {db.marks(len(some), 7)}",
            [value for row in some for value in row],
        )
    db.notify()


def latest_after(origin: str, cursor: int, limit: int) -> Stretch:
    """The next `limit` publications of `origin` after `cursor` that are the latest of their paths, in order.

    When fewer are left, the stretch reaches to the newest publication of that origin, superseded ones
    included.
    """
    with db.snapshot():
        found = db.execute(
            "SELECT id, path, op, version, digest, size FROM publication p "
            "WHERE origin = ? AND id > ? AND NOT EXISTS "
            "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id) "
            "ORDER BY id LIMIT ?",
            (origin, cursor, limit),
        ).fetchall()
        through = found[-1][0] if len(found) == limit else max(newest(origin), cursor)
    return Stretch([_change(row[1:]) for row in found], through)


def newest(origin: str) -> int:
    """The id of the last publication of `origin`; 0 when it has none."""
    row = db.execute("SELECT MAX(id) FROM publication WHERE origin = ?", (origin,)).fetchone()
    return int(row[0] or 0)


def made_since(origin: str, cursor: int) -> int:
    """How many publications of `origin` come after a cursor, superseded ones included."""
    row = db.execute("SELECT COUNT(*) FROM publication WHERE origin = ? AND id > ?", [origin, cursor]).fetchone()
    return int(row[0])


def origins() -> list[str]:
    """The publishing hosts that ever published, by name."""
    # A walk from one name to the next: DISTINCT would read every row of the journal.
    rows = db.execute(
        "WITH RECURSIVE host (name) AS (SELECT MIN(origin) FROM publication UNION ALL "
        "SELECT (SELECT MIN(origin) FROM publication WHERE origin > host.name) FROM host "
        "WHERE host.name IS NOT NULL) SELECT name FROM host WHERE name IS NOT NULL"
    )
    return [str(name) for (name,) in rows.fetchall()]


def waiting(origin: str, cursor: int) -> int:
    """How many paths have a latest publication of `origin` after `cursor`."""
    row = db.execute(
        "SELECT COUNT(*) FROM publication p WHERE origin = ? AND id > ? AND NOT EXISTS "
        "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id)",
        (origin, cursor),
    ).fetchone()
    return int(row[0])


def oldest_after(origin: str, cursor: int) -> float | None:
    """When the first publication of `origin` after `cursor` was made, in seconds; None if there is none."""
    row = db.execute(
        "SELECT at FROM publication WHERE origin = ? AND id > ? ORDER BY id LIMIT 1", (origin, cursor)
    ).fetchone()
    return None if row is None else float(row[0])


def _values(row: Change, origin: str, at: float) -> tuple[object, ...]:
    if isinstance(row, Put):
        return row.path, "put", row.version, row.digest, row.size, origin, at
    return row.path, "delete", row.version, None, None, origin, at


def _change(row: tuple[str, str, int, str, int]) -> Change:
    path, op, version, digest, size = row
    return Put(path, version, digest, size) if op == "put" else Delete(path, version)
