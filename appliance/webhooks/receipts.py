"""Which requests of git hosts were acted upon, for a day, so that whoever recorded one cannot send it again."""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.db import NOW

_KEPT: Final = 86_400.0


def remember(source: str, mark: str) -> bool:
    """Remember a request for a source, in the transaction that acts upon it; returns whether it is new."""
    row = db.execute(
        f"INSERT INTO hook_receipt (source, mark, at) VALUES (?, ?, {NOW})"
        " ON CONFLICT (source, mark) DO NOTHING RETURNING id",
        [source, mark],
    ).fetchone()
    return row is not None


def prune() -> int:
    """Forget requests of more than a day ago; returns how many."""
    with db.write():
        return len(db.execute(f"DELETE FROM hook_receipt WHERE at < {NOW} - {_KEPT} RETURNING id").fetchall())
