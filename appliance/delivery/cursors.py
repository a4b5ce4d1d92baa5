"""How far each target has confirmed the journal, and how its last push went.

Guarantees that a cursor only moves forward, and only when its target has shown everything up to it. A target
that moved to another address begins anew: what the old place confirmed says nothing of the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from peewee import EXCLUDED, SQL

from appliance import db
from appliance.delivery import journal, standing
from appliance.delivery.models import Cursor
from appliance.delivery.targets import Target

#: Failures in a row after which a target is only tried now and then.
OPENS_AFTER = 3
#: Seconds after the time of its next try during which a host's failures count: then nobody tries any more.
_STALE = 120.0


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
    #: Bytes a second of the last push that sent any.
    rate: float = 0.0
    #: Nothing is sent there until it is resumed.
    paused: bool = False
    #: 'open' when it failed so often in a row that it is only tried now and then, 'half-open' while it is tried.
    circuit: Literal["closed", "open", "half-open"] = "closed"
    #: Pushes that failed in a row, and when it is tried again, seconds since the epoch.
    failures: int = 0
    retry_at: float | None = None
    #: It is being brought back to what was published.
    repairing: bool = False
    #: When all of it was last compared, and what was found then: files that differ, and that nobody published.
    verified_at: float | None = None
    differing: int | None = None
    extra: int | None = None


def read(target: Target, origin: str) -> int:
    """The id of the newest publication of `origin` that `target` has confirmed; 0 for none."""
    row = _row(target, origin)
    return 0 if row is None else int(row.publication)


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
    """`target` shows everything of `origin` up to `publication`; the last three say what the push took.

    With `expected` only if the cursor still stands there: it was set back meanwhile if it does not.
    """
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
                Cursor.failures: 0,
                Cursor.retry_at: None,
                **{getattr(Cursor, name): value for name, value in measured.items()},
            },
            where=(Cursor.publication <= EXCLUDED.publication)
            & (SQL("true") if expected is None else Cursor.publication == expected),
        ).execute()


def failed(target: Target, origin: str, sentence: str, *, failures: int = 1, retry_in: float = 0.0) -> None:
    """A push of the host `origin` to `target` failed, the last of so many in a row; the cursor stays where it is."""
    with db.write():
        publication, now = read(target, origin), db.now()
        Cursor.insert(
            target=target.name,
            origin=origin,
            address=target.address,
            publication=publication,
            pushed_at=now,
            error=sentence,
            failures=failures,
            retry_at=now + retry_in,
        ).on_conflict(
            conflict_target=[Cursor.target, Cursor.origin],
            update={
                Cursor.address: target.address,
                Cursor.publication: publication,
                Cursor.pushed_at: EXCLUDED.pushed_at,
                Cursor.error: sentence,
                Cursor.failures: failures,
                Cursor.retry_at: EXCLUDED.retry_at,
            },
        ).execute()


def recovered(target: Target, origin: str) -> None:
    """Pushes of the host `origin` to `target` succeed again."""
    with db.write():
        Cursor.update(failures=0, retry_at=None, error=None).where(
            Cursor.target == target.name, Cursor.origin == origin
        ).execute()


def rewind(name: str) -> None:
    """The target called `name` has to be sent everything again."""
    with db.write():
        Cursor.update(publication=0).where(Cursor.target == name).execute()


def state(target: Target) -> TargetState:
    """Where `target` stands now, all of one moment."""
    with db.snapshot():
        now, rows = db.now(), []
        oldest: list[float] = []
        waiting = 0
        for origin in journal.origins():
            cursor = read(target, origin)
            if (at := journal.oldest_after(origin, cursor)) is not None:
                oldest.append(at)
                waiting += journal.waiting(origin, cursor)
        rows = list(Cursor.select().where(Cursor.target == target.name, Cursor.address == target.address))
        stands = standing.read(target.name)
    last = max(rows, key=lambda row: row.pushed_at or 0, default=None)
    sent = max((row for row in rows if row.files), key=lambda row: row.confirmed_at or 0, default=last)
    failing = max((r for r in rows if (r.retry_at or 0) > now - _STALE), key=lambda r: r.failures, default=None)
    failures = failing.failures if failing else 0
    retry_at = failing.retry_at if failing else None
    return TargetState(
        name=target.name,
        address=target.address,
        level=not oldest,
        waiting=waiting,
        lag=max(0.0, now - min(oldest)) if oldest else 0.0,
        confirmed=max((row.publication for row in rows), default=0),
        pushed_at=last.pushed_at if last else None,
        files=sent.files if sent else 0,
        bytes=sent.bytes if sent else 0,
        seconds=sent.seconds if sent else 0.0,
        error=last.error if last else None,
        rate=sent.bytes / sent.seconds if sent and sent.seconds else 0.0,
        paused=stands.paused,
        circuit="closed" if failures < OPENS_AFTER else "open" if (retry_at or 0) > now else "half-open",
        failures=failures,
        retry_at=retry_at,
        repairing=stands.repair_at is not None,
        verified_at=stands.verified_at,
        differing=stands.differing,
        extra=stands.extra,
    )


def _row(target: Target, origin: str) -> Cursor | None:
    found: Cursor | None = Cursor.get_or_none(
        Cursor.target == target.name, Cursor.origin == origin, Cursor.address == target.address
    )
    return found
