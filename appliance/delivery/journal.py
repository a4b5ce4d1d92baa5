"""The journal of publications: what changed in the docroot, in the order it was committed.

Guarantees that what a target is sent is the latest publication of each path: a row that a newer one of the
same path has superseded is never handed out, so that a target which was away sees no history replayed. Rows
are read in stretches, so that memory does not grow with the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from appliance import db

#: Rows of one INSERT; seven values each, below every database's limit of bound values.
_ROWS = 500

#: A number no publication reaches.
_NEVER = 2**62


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
    #: The number of the publication of each change.
    numbers: list[int] = field(default_factory=list, compare=False)


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


def latest_after(origin: str, cursor: int, limit: int, below: int | None = None) -> Stretch:
    """The next `limit` publications of `origin` after `cursor` that are the latest of their paths, in order.

    When fewer are left, the stretch reaches to the newest publication of that origin, superseded ones included. With
    `below` it ends before the publication of that number.
    """
    end = _NEVER if below is None else below
    with db.snapshot():
        found = db.execute(
            "SELECT id, path, op, version, digest, size FROM publication p "
            "WHERE origin = ? AND id > ? AND id < ? AND NOT EXISTS "
            "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id) "
            "ORDER BY id LIMIT ?",
            (origin, cursor, end, limit),
        ).fetchall()
        through = found[-1][0] if len(found) == limit else max(_newest_below(origin, end), cursor)
    return Stretch([change(row[1:]) for row in found], through, [int(row[0]) for row in found])


def latest_through(origin: str, cursor: int, limit: int) -> list[Change]:
    """The last `limit` publications of `origin` up to `cursor` that are the latest of their paths, newest first."""
    found = db.execute(
        "SELECT path, op, version, digest, size FROM publication p WHERE origin = ? AND id <= ? AND NOT EXISTS "
        "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id) ORDER BY id DESC LIMIT ?",
        (origin, cursor, limit),
    )
    return [change(row) for row in found.fetchall()]


def first_since(origin: str, cursor: int, moment: float) -> int | None:
    """The first publication of `origin` after `cursor` that was made after `moment`; None if there is none."""
    row = db.execute(
        "SELECT id FROM publication WHERE origin = ? AND id > ? AND at > ? ORDER BY id LIMIT 1",
        (origin, cursor, moment),
    ).fetchone()
    return None if row is None else int(row[0])


def first_latest_since(origin: str, cursor: int, moment: float) -> int | None:
    """The same among those that are the latest of their paths."""
    row = db.execute(
        "SELECT id FROM publication p WHERE origin = ? AND id > ? AND at > ? AND NOT EXISTS "
        "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id) ORDER BY id LIMIT 1",
        (origin, cursor, moment),
    ).fetchone()
    return None if row is None else int(row[0])


def files(after: str, limit: int) -> list[tuple[int, str, Put]]:
    """What stands in the docroot: the next `limit` files after `after`, by path, with number and origin."""
    found = db.execute(
        "SELECT id, origin, path, op, version, digest, size FROM publication p WHERE path > ? AND op = 'put' AND NOT "
        "EXISTS (SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id) ORDER BY path LIMIT ?",
        (after, limit),
    )
    return [(number, origin, Put(row[0], *row[2:])) for number, origin, *row in found.fetchall()]


def count_files() -> int:
    """How many files stand in the docroot."""
    row = db.execute(
        "SELECT COUNT(*) FROM publication p WHERE op = 'put' AND NOT EXISTS "
        "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id)"
    ).fetchone()
    return int(row[0])


def paths_between(origin: str, after: int, through: int, limit: int) -> list[str]:
    """Paths that `origin` published after one number and up to another, superseded or not; at most `limit`."""
    rows = db.execute(
        "SELECT DISTINCT path FROM publication WHERE origin = ? AND id > ? AND id <= ? LIMIT ?",
        (origin, after, through, limit),
    )
    return [path for (path,) in rows.fetchall()]


def published(paths: Sequence[str]) -> set[str]:
    """Those of `paths` where a file stands in the docroot, or should."""
    found: set[str] = set()
    for some in (paths[start : start + _ROWS] for start in range(0, len(paths), _ROWS)):
        rows = db.execute(
            f"SELECT path FROM publication p WHERE path IN ({db.marks(len(some))}) AND op = 'put' AND NOT EXISTS "
            "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id)",
            list(some),
        )
        found.update(path for (path,) in rows.fetchall())
    return found


def latest_of(path: str) -> Change | None:
    """The latest publication of a path."""
    row = db.execute(
        "SELECT path, op, version, digest, size FROM publication WHERE path = ? ORDER BY id DESC LIMIT 1", (path,)
    ).fetchone()
    return None if row is None else change(row)


def newest(origin: str) -> int:
    """The id of the last publication of `origin`; 0 when it has none."""
    return _newest_below(origin, _NEVER)


def _newest_below(origin: str, end: int) -> int:
    row = db.execute("SELECT MAX(id) FROM publication WHERE origin = ? AND id < ?", (origin, end)).fetchone()
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


def change(row: tuple[str, str, int, str, int]) -> Change:
    """The change of a row: path, op, version, digest, size."""
    path, op, version, digest, size = row
    return Put(path, version, digest, size) if op == "put" else Delete(path, version)
