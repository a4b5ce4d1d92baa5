"""The moves of cursors in the last hour: when each target confirmed what, and so when every one of them had a file.

Guarantees that the table stays small without anybody pruning it: each move deletes those of its target that are older
than an hour.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from appliance import db

#: Seconds for which moves are kept.
KEPT: Final = 3600.0


class _Move(NamedTuple):
    """A cursor moved from one publication to another."""

    after: int
    publication: int
    at: float
    #: Whether the cursor was that ahead of a backlog.
    is_ahead: bool = False


class Step(NamedTuple):
    """The publications after those of the step before, up to this one, reached the last target at this moment."""

    publication: int
    #: In seconds since the epoch; None if it is longer ago than moves are kept.
    at: float | None


def record(target: str, origin: str, after: int, publication: int, now: float, *, ahead: bool = False) -> None:
    """Record that a target confirmed the publications of `origin` after one number, up to another. In a transaction.

    `ahead` says that it has yet to be sent what comes before.
    """
    db.execute("DELETE FROM confirmation WHERE target = ? AND at < ?", [target, now - KEPT])
    db.execute(
        "INSERT INTO confirmation (target, origin, after, publication, at, ahead) VALUES (?, ?, ?, ?, ?, ?)",
        [target, origin, after, publication, now, ahead],
    )


def steps(positions: dict[str, int], origin: str, after: int, until: float) -> list[Step]:
    """When the publications of `origin` after a number had reached every target, in their order.

    Args:
        positions: the publication up to which each target has confirmed now, by its name.
        origin: the publishing host.
        after: the number after which to begin.
        until: a moment in seconds since the epoch; what a target confirmed later does not count.
    """
    moves = {target: _moves(target, origin, after) for target in positions}
    then = {target: _position(moves[target], position, until) for target, position in positions.items()}
    through = min(then.values(), default=after)
    ends = {end for those in moves.values() for move in those for end in move[:2] if after < end < through}
    return _merged(moves.values(), [*sorted(ends), *([through] if through > after else [])])


def _moves(target: str, origin: str, after: int) -> list[_Move]:
    rows = db.execute(
        "SELECT after, publication, at, ahead FROM confirmation WHERE target = ? AND origin = ? AND publication > ?"
        " ORDER BY publication, at",  # and not by time, since a cursor ahead moves between the others
        [target, origin, after],
    )
    return [_Move(*row) for row in rows.fetchall()]


def _position(moves: list[_Move], now: int, until: float) -> int:
    """Where a cursor was at a moment: where the first move since then began, or where it is now."""
    later = [move for move in moves if move.at >= until and not move.is_ahead]
    return min(later, key=lambda move: move.at).after if later else now


def _merged(moves: Collection[list[_Move]], ends: list[int]) -> list[Step]:
    """The latest of the moves of all targets that cover the publications up to each end."""
    places = [0] * len(moves)
    found = []
    for end in ends:
        latest: float | None = None
        for number, those in enumerate(moves):
            while places[number] < len(those) and those[places[number]].publication < end:
                places[number] += 1
            move = those[places[number]] if places[number] < len(those) else None
            if move is not None and move.after < end and (latest is None or move.at > latest):
                latest = move.at
        found.append(Step(end, latest))
    return found
