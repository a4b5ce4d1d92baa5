"""When targets confirmed what: the positions of their cursors as they were each minute, kept for some days.

Guarantees that a position counts only while the cursor is there or beyond: what was confirmed before everything had to
be sent again says nothing about now.
"""

from __future__ import annotations

from collections.abc import Collection

from appliance import db

# A cursor that was reset, or whose target moved to another address, has no longer confirmed what it had. Asked of each
# cursor, of which there are few, and not of each position.
_TAKEN_BACK = """
SELECT target, origin, publication FROM cursor WHERE EXISTS (
    SELECT 1 FROM cursor_sample WHERE cursor_sample.target = cursor.target AND cursor_sample.origin = cursor.origin
    AND cursor_sample.publication > cursor.publication
)
"""
_FORGET = "DELETE FROM cursor_sample WHERE target = ? AND origin = ? AND publication > ?"
_NOTE = """
INSERT INTO cursor_sample (target, origin, publication, at)
SELECT target, origin, publication, confirmed_at FROM cursor WHERE confirmed_at >= ? AND publication > 0
ON CONFLICT DO NOTHING
"""
_FIRST = """
SELECT target, origin, number, (
    SELECT at FROM cursor_sample WHERE cursor_sample.target = given.target AND cursor_sample.origin = given.origin
    AND publication >= given.number ORDER BY publication LIMIT 1
) FROM given
"""


def note(since: float) -> None:
    """Write down where the cursors are, and drop positions from before `since`. Call it in a transaction."""
    for row in db.execute(_TAKEN_BACK).fetchall():
        db.execute(_FORGET, row)
    db.execute(_NOTE, [since])
    db.execute("DELETE FROM cursor_sample WHERE at < ?", [since])


def first_confirmed(wanted: Collection[tuple[str, str, int]]) -> dict[tuple[str, str, int], float]:
    """Return when targets had confirmed publications, at the latest, in seconds since the epoch, as far as is known.

    Args:
        wanted: names of targets, each with a host of origin and the number of a publication of it.
    """
    if not wanted:
        return {}
    found = db.execute(
        f"WITH given (target, origin, number) AS (VALUES {db.placeholders(len(wanted), 3)}) {_FIRST}",
        [value for one in wanted for value in one],
    )
    return {(str(row[0]), str(row[1]), int(row[2])): float(row[3]) for row in found.fetchall() if row[3] is not None}
