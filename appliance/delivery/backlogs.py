"""Backlogs: how much of the journal the targets have yet to be sent, and since when.

Guarantees that the number of queries depends on the publishing hosts alone, and that of a host's publications no more
are counted than up to the limit, however many targets are behind and however far.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from appliance import db
from appliance.delivery import cursors, journal
from appliance.delivery.journal import PublishedChange
from appliance.delivery.positions import Position
from appliance.delivery.targets import Target


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a target has yet to be sent of the publications of one host. Times are seconds since the epoch."""

    #: When the first of them was made, superseded ones included; None if there is none.
    oldest: float | None = None
    #: The latest publications of their paths among them, up to the limit.
    waiting: int = 0
    #: Whether there are more.
    is_longer: bool = False
    #: When the first one was made of those that are sent ahead of the others; None if there is none.
    ahead_oldest: float | None = None
    #: Whether there are others.
    is_behind: bool = False


def read(origin: str, positions: Collection[Position], limit: int) -> dict[Position, Backlog]:
    """Return by position what comes after it in the publications of `origin`.

    Args:
        origin: the host of the publications.
        positions: what targets have confirmed.
        limit: up to how many are counted.
    """
    cursors = {number for one in positions for number in (one.through, one.front, one.ahead_after or one.through)}
    oldest = _oldest(origin, sorted(cursors))
    behind = [cursor for cursor, at in oldest.items() if at is not None]
    waiting = _waiting(origin, sorted(behind, reverse=True), limit) if behind else {}
    return {one: _backlog(one, oldest, waiting, limit) for one in positions}


def _backlog(one: Position, oldest: dict[int, float | None], waiting: dict[int, int], limit: int) -> Backlog:
    after, front = waiting.get(one.through, 0), waiting.get(one.front, 0)
    sent_ahead = waiting.get(one.ahead_after, 0) - front if one.has_backlog else 0
    return Backlog(oldest[one.through], after - sent_ahead, after >= limit, oldest[one.front], one.has_backlog)


def first_changes(target: Target, limit: int) -> list[PublishedChange]:
    """Return up to `limit` changes that `target` has yet to be sent, in the order in which they were published."""
    found: list[tuple[int, PublishedChange]] = []
    for origin, position in cursors.read_all(target).items():
        parts = [journal.latest_after(origin, position.front, limit)]
        if position.has_backlog:
            parts.append(journal.latest_after(origin, position.through, limit, position.ahead_after + 1))
        found += (one for part in parts for one in zip(part.numbers, part.changes, strict=True))
    return [change for _, change in sorted(found, key=lambda one: one[0])[:limit]]


def _oldest(origin: str, cursors: list[int]) -> dict[int, float | None]:
    if not cursors:
        return {}
    found = db.execute(
        f"WITH given (cursor) AS (VALUES {','.join(['(?)'] * len(cursors))}) SELECT cursor,"
        " (SELECT at FROM publication WHERE origin = ? AND id > given.cursor ORDER BY id LIMIT 1) FROM given",
        (*cursors, origin),
    )
    return {int(cursor): None if at is None else float(at) for cursor, at in found.fetchall()}


def _waiting(origin: str, cursors: list[int], limit: int) -> dict[int, int]:
    """Count what comes after each of `cursors`, which descend: the newest publications once, by the gap they are in."""
    gaps = " ".join(f"WHEN id > ? THEN {number}" for number in range(len(cursors)))
    found = db.execute(
        f"SELECT CASE {gaps} END AS gap, COUNT(*) FROM (SELECT id FROM publication WHERE origin = ? AND id + 0 > ?"
        " AND latest ORDER BY id + 0 DESC LIMIT ?) AS newest GROUP BY gap",
        (*cursors, origin, cursors[-1], limit),
    )
    counts, total = dict(found.fetchall()), 0
    waiting = {}
    for number, cursor in enumerate(cursors):
        total += counts.get(number, 0)
        waiting[cursor] = total
    return waiting
