"""How far each target has confirmed the journal, and how its last push went.

Guarantees that a cursor only moves forward, and only when its target has shown everything up to it. A target
that moved to another address begins anew: what the old place confirmed says nothing of the new one.
"""

from __future__ import annotations

from dataclasses import dataclass

from peewee import EXCLUDED

from appliance import db
from appliance.delivery import journal
from appliance.delivery.models import Cursor
from appliance.delivery.targets import Target


@dataclass(frozen=True, slots=True)
class TargetState:
    """Where a target stands, for reports."""

    name: str
    address: str
    #: It has confirmed every publication.
    level: bool
    #: Paths it has yet to be sent.
    waiting: int
    #: Seconds since the oldest unconfirmed publication was made; 0 when level.
    lag: float
    #: The newest publication it has confirmed.
    confirmed: int
    #: When the last push ended, seconds since the epoch; None before the first.
    pushed_at: float | None
    #: What the last push that succeeded sent and removed, and how long it took.
    files: int
    bytes: int
    seconds: float
    #: The sentence of the last failure; None once a push succeeded.
    error: str | None


def read(target: Target, origin: str) -> int:
    """The id of the newest publication of `origin` that `target` has confirmed; 0 for none."""
    row = _row(target, origin)
    return 0 if row is None else int(row.publication)


def confirm(
    target: Target, origin: str, publication: int, *, files: int = 0, bytes: int = 0, seconds: float = 0.0
) -> None:
    """`target` shows everything of `origin` up to `publication`; the rest says what the push took."""
    with db.write():
        now = db.now()
        if _row(target, origin) is None:
            Cursor.delete().where(Cursor.target == target.name, Cursor.origin == origin).execute()
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
                **{getattr(Cursor, name): value for name, value in measured.items()},
            },
            where=(Cursor.publication <= EXCLUDED.publication),
        ).execute()


def failed(target: Target, origin: str, sentence: str) -> None:
    """A push to `target` failed; the cursor stays where it is."""
    with db.write():
        publication = read(target, origin)
        Cursor.insert(
            target=target.name,
            origin=origin,
            address=target.address,
            publication=publication,
            pushed_at=db.now(),
            error=sentence,
        ).on_conflict(
            conflict_target=[Cursor.target, Cursor.origin],
            update={
                Cursor.address: target.address,
                Cursor.publication: publication,
                Cursor.pushed_at: EXCLUDED.pushed_at,
                Cursor.error: sentence,
            },
        ).execute()


def state(target: Target) -> TargetState:
    """Where `target` stands now, all of one moment."""
    with db.snapshot():
        now, rows = db.now(), []
        oldest: list[float] = []
        waiting = 0
        for origin in journal.origins():
            cursor = read(target, origin)
            rows.append(_row(target, origin))
            if (at := journal.oldest_after(origin, cursor)) is not None:
                oldest.append(at)
                waiting += journal.waiting(origin, cursor)
    known = [row for row in rows if row is not None]
    last = max(known, key=lambda row: row.pushed_at or 0, default=None)
    return TargetState(
        name=target.name,
        address=target.address,
        level=not oldest,
        waiting=waiting,
        lag=max(0.0, now - min(oldest)) if oldest else 0.0,
        confirmed=max((row.publication for row in known), default=0),
        pushed_at=last.pushed_at if last else None,
        files=last.files if last else 0,
        bytes=last.bytes if last else 0,
        seconds=last.seconds if last else 0.0,
        error=next((row.error for row in known if row.error), None),
    )


def _row(target: Target, origin: str) -> Cursor | None:
    found: Cursor | None = Cursor.get_or_none(
        Cursor.target == target.name, Cursor.origin == origin, Cursor.address == target.address
    )
    return found
