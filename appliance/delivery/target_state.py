"""The state of a target: how far it is, how its pushes went, and what people requested for it.

All of it is in the database, so that every publishing host sees the same. Every courier obeys `pause` and `resume`
within a second, even in the middle of a push.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from peewee import EXCLUDED

from appliance import audit, db
from appliance.config import Config
from appliance.delivery import backlogs, cursors, journal
from appliance.delivery.backlogs import Backlog
from appliance.delivery.models import Cursor, TargetControl
from appliance.delivery.positions import Position
from appliance.delivery.targets import Target, all_targets
from appliance.errors import DeliveryError

#: Up to this many waiting files are counted: a dashboard that reads often must not count all that a target lacks.
MAX_COUNTED = 10_000
#: Failures in a row after which a target is tried only now and then.
CIRCUIT_OPENS_AFTER = 3
#: A host's failures count until this many seconds after its next attempt was due. Later it is no longer trying.
_STALE = 120.0

#: The tables with rows for each target.
_TABLES = (
    *("confirmation", "cursor", "cursor_sample", "lag_sample", "lease", "page_look", "standing", "target_progress"),
)


Word = Literal["paused", "repairing", "failing", "level", "behind"]


@dataclass(frozen=True, slots=True)
class TargetState:
    """The state of one target at one moment. Times are seconds since the epoch."""

    name: str
    address: str
    #: Whether it has confirmed every publication.
    level: bool
    #: Paths that it has yet to receive, up to `MAX_COUNTED`.
    waiting: int
    #: Seconds since the oldest unconfirmed publication was made; 0 when `level`.
    lag: float
    #: Seconds since the oldest one was made of those that are sent ahead of a backlog; as `lag` without a backlog.
    ahead_lag: float
    #: Whether it is far behind: what is published now reaches it first, and a backlog between.
    has_backlog: bool
    #: The newest publication that it has confirmed.
    confirmed: int
    #: When the last push ended; None before the first.
    pushed_at: float | None
    #: What the last successful push sent and removed, and how many seconds it took.
    files: int
    bytes: int
    seconds: float
    #: The message of the last failure; None once a push has succeeded.
    error: str | None
    #: Bytes per second of the last push that sent any.
    rate: float = 0.0
    #: Whether more paths are waiting than `waiting` says.
    more_waiting: bool = False
    #: Whether nothing is sent to it until it is resumed.
    paused: bool = False
    #: 'open' after so many failures that it is tried only now and then, 'half-open' during such an attempt.
    circuit: Literal["closed", "open", "half-open"] = "closed"
    #: Pushes that failed in a row, and when the next one is due.
    failures: int = 0
    retry_at: float | None = None
    #: Whether a repair is requested or running.
    repairing: bool = False
    #: When it was last verified, and how many files differed then or had been published by nobody.
    verified_at: float | None = None
    differing: int | None = None
    extra: int | None = None

    @property
    def word(self) -> Word:
        """The state in one word. `behind` is being sent what it lacks."""
        if self.paused:
            return "paused"
        if self.repairing:
            return "repairing"
        if self.error and (self.circuit != "closed" or not self.level):
            return "failing"
        return "level" if self.level else "behind"


def read(target: Target) -> TargetState:
    """Return the state of `target`, all of one moment."""
    return read_all([target])[0]


def read_all(targets: Iterable[Target]) -> list[TargetState]:
    """Return the state of each target, all of one moment, by the same number of queries for any number of targets."""
    chosen = list(targets)
    names = [target.name for target in chosen]
    with db.snapshot():
        now, origins = db.now(), journal.origins()
        rows = _rows_by_target(Cursor.select().where(Cursor.target.in_(names)), chosen)
        controls = {row.target: row for row in TargetControl.select().where(TargetControl.target.in_(names))}
        confirmed = {name: _positions(some, origins) for name, some in rows.items()}
        found = {
            origin: backlogs.read(origin, {one[origin] for one in confirmed.values()}, MAX_COUNTED + 1)
            for origin in origins
        }
    return [
        _state(
            target,
            rows[target.name],
            controls.get(target.name) or TargetControl(target=target.name),
            [found[origin][position] for origin, position in confirmed[target.name].items()],
            now,
        )
        for target in chosen
    ]


def _rows_by_target(found: Iterable[Cursor], targets: Iterable[Target]) -> dict[str, list[Cursor]]:
    """Cursors by the name of their target, without those of former addresses."""
    addresses = {target.name: target.address for target in targets}
    rows: dict[str, list[Cursor]] = {name: [] for name in addresses}
    for row in found:
        if row.address == addresses[row.target]:
            rows[row.target].append(row)
    return rows


def _positions(rows: Sequence[Cursor], origins: Sequence[str]) -> dict[str, Position]:
    """What a target has confirmed of each host."""
    known = {row.origin: cursors.position_of(row) for row in rows}
    return {origin: known.get(origin, Position()) for origin in origins}


def _state(
    target: Target, rows: Sequence[Cursor], control: TargetControl, missing: Sequence[Backlog], now: float
) -> TargetState:
    oldest = min((backlog.oldest for backlog in missing if backlog.oldest is not None), default=None)
    ahead = min((backlog.ahead_oldest for backlog in missing if backlog.ahead_oldest is not None), default=None)
    waiting = sum(backlog.waiting for backlog in missing)
    last = max(rows, key=lambda row: row.pushed_at or 0, default=None)
    sent = max((row for row in rows if row.files), key=lambda row: row.confirmed_at or 0, default=last)
    tried = [row for row in rows if now - _STALE < (row.retry_at or 0) <= now + _STALE]
    failing = max(tried, key=lambda row: row.failures, default=None)
    failures = failing.failures if failing else 0
    retry_at = failing.retry_at if failing else None
    return TargetState(
        name=target.name,
        address=target.address,
        level=oldest is None,
        waiting=min(waiting, MAX_COUNTED),
        more_waiting=waiting > MAX_COUNTED or any(backlog.is_longer for backlog in missing),
        lag=max(0.0, now - oldest) if oldest is not None else 0.0,
        ahead_lag=max(0.0, now - ahead) if ahead is not None else 0.0,
        has_backlog=any(backlog.is_behind for backlog in missing),
        confirmed=max((row.publication for row in rows), default=0),
        pushed_at=last.pushed_at if last else None,
        files=sent.files if sent else 0,
        bytes=sent.bytes if sent else 0,
        seconds=sent.seconds if sent else 0.0,
        error=last.error if last else None,
        rate=sent.bytes / sent.seconds if sent and sent.seconds else 0.0,
        paused=control.paused,
        circuit="closed" if failures < CIRCUIT_OPENS_AFTER else "open" if (retry_at or 0) > now else "half-open",
        failures=failures,
        retry_at=retry_at,
        repairing=control.repair_at is not None,
        verified_at=control.verified_at,
        differing=control.differing,
        extra=control.extra,
    )


def read_control(name: str) -> TargetControl:
    """Return what was requested for the target called `name`; an unsaved row of defaults if there is nothing."""
    found: TargetControl | None = TargetControl.get_or_none(TargetControl.target == name)
    return found or TargetControl(target=name)


def update_control(name: str, **values: Any) -> None:
    """Save fields of `TargetControl` for the target called `name`, and wake its couriers."""
    with db.write():
        TargetControl.insert(target=name, **values).on_conflict(
            conflict_target=[TargetControl.target],
            update={getattr(TargetControl, field): getattr(EXCLUDED, field) for field in values},
        ).execute()
        db.notify()


def paused_names() -> set[str]:
    """Return the names of the targets that are paused."""
    return {str(name) for (name,) in db.execute("SELECT target FROM standing WHERE paused").fetchall()}


def pause(name: str) -> None:
    """Send nothing to the target called `name` until it is resumed. A running push is ended."""
    _set_paused(name, paused=True)


def resume(name: str) -> None:
    """Send the target called `name` what it missed while it was paused."""
    _set_paused(name, paused=False)


def _set_paused(name: str, *, paused: bool) -> None:
    with db.write():
        was = read_control(name).paused
        update_control(name, paused=paused)
        if was != paused:
            audit.record("target.act", "target", name, label=name, before={"paused": was}, after={"paused": paused})


def forget(config: Config, name: str) -> int:
    """Delete all that is known of a target that left the settings for good. Returns how many rows that were.

    Such a target delays nothing. But if another target of that name were added later, what the old one confirmed would
    count for the new one.

    Raises:
        DeliveryError: the settings still name the target.
    """
    if name in {target.name for target in all_targets(config)}:
        raise DeliveryError(f"{name}: {config.path} still names this target; take it out there first")
    with db.write():
        rows = sum(
            len(db.execute(f"DELETE FROM {table} WHERE target = ? RETURNING 1", [name]).fetchall()) for table in _TABLES
        )
        if rows:
            audit.record("target.forget", "target", name, label=name, before={"rows": rows})
    return rows
