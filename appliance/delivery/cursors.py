"""Cursors: how far each target has confirmed the journal of each publishing host, and how the last push went.

Guarantees that a cursor only moves forward, and only when its target shows everything up to it; that the cursor ahead
of a backlog moves likewise; and that a target that moved to another address starts from the beginning: what the old
address confirmed says nothing about the new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peewee import EXCLUDED

from appliance import db
from appliance.delivery import confirmations, journal, positions
from appliance.delivery.models import Cursor
from appliance.delivery.positions import Position
from appliance.delivery.targets import Target


def read(target: Target, origin: str) -> int:
    """Return the newest publication of `origin` that `target` has confirmed with all before it; 0 for none."""
    return position(target, origin).through


def position(target: Target, origin: str) -> Position:
    """Return what `target` has confirmed of the publications of `origin`."""
    return position_of(_find(target, origin))


def position_of(row: Cursor | None) -> Position:
    """Return what a row of the table says; None says nothing was confirmed."""
    # The release before moves the first cursor alone, perhaps past where the second one began.
    return Position() if row is None else Position(0, row.ahead_after, row.ahead).moved(row.publication)


def read_all(target: Target) -> dict[str, Position]:
    """Return by host of origin what `target` has confirmed."""
    return {origin: position(target, origin) for origin in journal.origins()}


def confirmed_by_all(targets: Iterable[Target]) -> dict[str, Position]:
    """Return by host of origin what all `targets` have confirmed. Without targets everything counts as confirmed."""
    chosen = list(targets)
    return {
        origin: positions.common(position(target, origin) for target in chosen)
        if chosen
        else Position(journal.newest(origin))
        for origin in journal.origins()
    }


def confirm(target: Target, origin: str, publication: int, *, expected: int | None = None, **measured: float) -> None:
    """Record that `target` shows everything of `origin` up to `publication`.

    Args:
        target: the target.
        origin: the host of the publications.
        publication: the number of the last one.
        expected: move the cursor only if it still is at this number, since it may have been reset meanwhile.
        measured: `files`, `bytes` and `seconds` of `move`.
    """
    with db.write():
        before = position(target, origin)
        if publication >= before.through and expected in (None, before.through):
            move(target, origin, before, before.moved(publication), **measured)


def move(
    target: Target,
    origin: str,
    before: Position,
    after: Position,
    *,
    files: float = 0,
    bytes: float = 0,
    seconds: float = 0.0,
) -> None:
    """Record that `target` has confirmed more, unless its cursors were reset or moved meanwhile.

    Args:
        target: the target.
        origin: the host of the publications.
        before: what it had confirmed when that was sent.
        after: what it has confirmed now.
        files: files that the push sent and removed.
        bytes: bytes that it sent.
        seconds: how long it took.
    """
    with db.write():
        if position(target, origin) != before:
            return
        now = db.now()
        _forget_former_address(target, origin)
        _record(target, origin, before, after, now)
        values: dict[str, Any] = {"confirmed_at": now, "pushed_at": now, **_columns(after)}
        if after.has_backlog and after.through == before.through:
            values = {"pushed_at": now, "ahead_at": now, **_columns(after)}
        if files:
            values |= {"files": files, "bytes": bytes, "seconds": seconds}
        Cursor.insert(target=target.name, origin=origin, address=target.address, **values).on_conflict(
            conflict_target=[Cursor.target, Cursor.origin],
            update={
                Cursor.error: None,
                Cursor.failures: 0,
                Cursor.retry_at: None,
                **{getattr(Cursor, name): value for name, value in values.items()},
            },
            where=(Cursor.publication == before.through)
            & (Cursor.ahead_after == before.ahead_after)
            & (Cursor.ahead == before.ahead),
        ).execute()
        db.notify(journal.DOCROOTS)


def record_failure(target: Target, origin: str, message: str, *, failures: int = 1, retry_in: float = 0.0) -> None:
    """Record that a push of the host `origin` to `target` failed. The cursor does not move.

    Args:
        target: the target.
        origin: the host that pushed.
        message: why it failed.
        failures: how many pushes failed in a row, this one included.
        retry_in: seconds until the next attempt.
    """
    with db.write():
        now = db.now()
        _forget_former_address(target, origin)
        Cursor.insert(
            target=target.name,
            origin=origin,
            address=target.address,
            pushed_at=now,
            error=message,
            failures=failures,
            retry_at=now + retry_in,
        ).on_conflict(
            conflict_target=[Cursor.target, Cursor.origin],
            update={
                Cursor.pushed_at: EXCLUDED.pushed_at,
                Cursor.error: message,
                Cursor.failures: failures,
                Cursor.retry_at: EXCLUDED.retry_at,
            },
        ).execute()


def clear_failures(target: Target, origin: str) -> None:
    """Record that pushes of the host `origin` to `target` succeed again."""
    with db.write():
        Cursor.update(failures=0, retry_at=None, error=None).where(
            Cursor.target == target.name, Cursor.origin == origin
        ).execute()


def reset(name: str) -> None:
    """Have everything sent again to the target called `name`."""
    with db.write():
        Cursor.update(**_columns(Position())).where(Cursor.target == name).execute()


def _find(target: Target, origin: str) -> Cursor | None:
    found: Cursor | None = Cursor.get_or_none(
        Cursor.target == target.name, Cursor.origin == origin, Cursor.address == target.address
    )
    return found


def _forget_former_address(target: Target, origin: str) -> None:
    Cursor.delete().where(
        Cursor.target == target.name, Cursor.origin == origin, Cursor.address != target.address
    ).execute()


def _columns(position: Position) -> dict[str, int]:
    return {"publication": position.through, "ahead_after": position.ahead_after, "ahead": position.ahead}


def _record(target: Target, origin: str, before: Position, after: Position, now: float) -> None:
    """Note what was confirmed now and had not been before."""
    if after.through > before.through:  # up to the gap's end: what comes after that was confirmed earlier
        end = min(after.through, before.ahead_after) if before.has_backlog else after.through
        confirmations.record(target.name, origin, before.through, end, now)
    if after.has_backlog and after.ahead > after.ahead_after:
        begun = max(after.ahead_after, before.ahead if after.ahead_after == before.ahead_after else 0)
        if after.ahead > begun:
            confirmations.record(target.name, origin, begun, after.ahead, now, ahead=True)
