"""Who owns an entry: the user who wrote it. Authors may edit, publish and delete only their own."""

from __future__ import annotations

from appliance import db


def owns(user: int, entry: int) -> bool:
    """Return whether an entry is this user's own."""
    return (
        db.execute("SELECT 1 FROM entry_owner WHERE entry_id = ? AND user_id = ?", [entry, user]).fetchone() is not None
    )


def owner_of(entry: int) -> int | None:
    """Return the id of the user whose own an entry is; None if it is nobody's, as imported entries are."""
    found = db.execute("SELECT user_id FROM entry_owner WHERE entry_id = ?", [entry]).fetchone()
    return None if found is None else int(found[0])


def own(entry: int, user: int) -> None:
    """Make an entry a user's own, and nobody else's."""
    with db.write():
        db.execute(
            "INSERT INTO entry_owner (entry_id, user_id) VALUES (?, ?)"
            " ON CONFLICT (entry_id) DO UPDATE SET user_id = excluded.user_id",
            [entry, user],
        )
