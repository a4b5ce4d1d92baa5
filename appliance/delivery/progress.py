"""How far the comparison of a whole target is: of a verification, or at the end of a repair.

What a killed process left is told from what runs by its age, since whoever compares writes at least now and then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance import db

#: Seconds after which nobody is comparing any more. One batch of files takes far less.
_STALE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How many files of a target were compared, and of how many."""

    done: int
    total: int


def note(name: str, done: int, total: int) -> None:
    """Write down how many files of the target called `name` were compared so far, of `total`."""
    with db.write():
        db.execute(
            "INSERT INTO target_progress (target, done, total, at) VALUES (?, ?, ?, ?) ON CONFLICT (target)"
            " DO UPDATE SET done = excluded.done, total = excluded.total, at = excluded.at",
            [name, done, total, db.now()],
        )


def end(name: str) -> None:
    """Write down that nobody compares the target called `name` any more."""
    with db.write():
        db.execute("DELETE FROM target_progress WHERE target = ?", [name])


def read(name: str) -> Progress | None:
    """Return how far the comparison of the target called `name` is; None if there is none."""
    found = db.execute(
        "SELECT done, total FROM target_progress WHERE target = ? AND at > ?", [name, db.now() - _STALE]
    ).fetchone()
    return Progress(*found) if found else None
