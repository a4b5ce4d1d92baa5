"""Cursors: how far each target has confirmed the journal of each publishing host, and how the last push went.

Guarantees that a cursor only moves forward, and only when its target shows everything up to it. A target that moved to
another address starts from the beginning: what the old address confirmed says nothing about the new one.
"""

from __future__ import annotations

from collections.abc import Iterable

from peewee import EXCLUDED, SQL

from appliance import db
from appliance.delivery import confirmations, journal
from appliance.delivery.models import Cursor
from appliance.delivery.targets import Target


def read(target: Target, origin: str) -> int:
    """Return the newest publication of `origin` that `target` has confirmed; 0 for none."""
    row = _find(target, origin)
    return 0 if row is None else int(row.publication)


def read_all(target: Target) -> dict[str, int]:
    """Return by host of origin the newest publication that `target` has confirmed."""
    return {origin: read(target, origin) for origin in journal.origins()}


def confirmed_by_all(targets: Iterable[Target]) -> dict[str, int]:
    """Return by host of origin the newest publication that all `targets` have confirmed.

    Without targets everything counts as confirmed.
    """
    chosen = list(targets)
    return {
        origin: min((read(target, origin) for target in chosen), default=journal.newest(origin))
        for origin in journal.origins()
    }


def confirm(
    target: Target,
    origin: str,
    publication: int,
    *,
    expected: int | None = None,
    files: int = 0,
    bytes: int = 0,
    seconds: float = 0.0,
) -> None:
    """Record that `target` shows everything of `origin` up to `publication`.

    Args:
        target: the target.
        origin: the host of the publications.
        publication: the number of the last one.
        expected: move the cursor only if it still is at this number, since it may have been reset meanwhile.
        files: files that the push sent and removed.
        bytes: bytes that it sent.
        seconds: how long it took.
    """
    with db.write():
        now = db.now()
        known = _find(target, origin)
        if known is None:
            Cursor.delete().where(Cursor.target == target.name, Cursor.origin == origin).execute()
        before = 0 if known is None else int(known.publication)
        if publication > before and (known is None or expected in (None, before)):
            confirmations.record(target.name, origin, before, publication, now)
        measured = {"files": files, "bytes": bytes, "seconds": seconds} if files else {}
        Cursor.insert(
            target=target.name,
            origin=origin,
            address=target.address,
            publication=publication,
            confirmed_at=now,
            pushed_at=now,
            **measured,
        ).on_conflict(
            conflict_target=[Cursor.target, Cursor.origin],
            update={
                Cursor.publication: EXCLUDED.publication,
                Cursor.confirmed_at: now,
                Cursor.pushed_at: now,
                Cursor.error: None,
                Cursor.failures: 0,
                Cursor.retry_at: None,
                **{getattr(Cursor, name): value for name, value in measured.items()},
            },
            where=(Cursor.publication <= EXCLUDED.publication)
            & (SQL("true") if expected is None else Cursor.publication == expected),
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
        publication, now = read(target, origin), db.now()
        Cursor.insert(
            target=target.name,
            origin=origin,
            address=target.address,
            publication=publication,
            pushed_at=now,
            error=message,
            failures=failures,
            retry_at=now + retry_in,
        ).on_conflict(
            conflict_target=[Cursor.target, Cursor.origin],
            update={
                Cursor.address: target.address,
                Cursor.publication: publication,
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
        Cursor.update(publication=0).where(Cursor.target == name).execute()


def _find(target: Target, origin: str) -> Cursor | None:
    found: Cursor | None = Cursor.get_or_none(
        Cursor.target == target.name, Cursor.origin == origin, Cursor.address == target.address
    )
    return found
