"""Leases: only one courier at a time writes to a target, across all publishing hosts.

Guarantees that from `take` until the lease runs out nobody else gets the same target, by the database's clock; that a
lease which ran out goes to the next courier that asks, under a higher number; and that whatever is written under a lost
lease is refused (`TargetLeaseLost`) in the transaction that writes it.

The holder measures by its own monotonic clock, from before it asked, how long it may go on. So it has stopped before
anybody else can begin, even if it can no longer reach the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance import clock, db
from appliance.db import NOW
from appliance.errors import TargetLeaseLost
from appliance.queue.future_times import SLACK

#: Seconds that a lease lasts unless it is renewed.
DURATION = 8.0
#: Its holder stops this many seconds before the lease runs out.
MARGIN = 2.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to one target."""

    target: str
    holder: str
    number: int
    #: When the holder stops, by this process's monotonic clock.
    stop_at: float

    @property
    def is_valid(self) -> bool:
        """Whether the holder may go on, by its own clock."""
        return clock.monotonic() < self.stop_at

    @property
    def needs_renewal(self) -> bool:
        """Whether half of its time is over."""
        return clock.monotonic() > self.stop_at - DURATION / 2


_TAKE = f"""
INSERT INTO lease (target, holder, number, until) VALUES (?, ?, 1, {NOW} + ?)
ON CONFLICT (target) DO UPDATE SET
    number = lease.number + 1, holder = excluded.holder, until = excluded.until
    WHERE lease.until <= {NOW} OR lease.holder = excluded.holder
RETURNING number
"""
# A lease taken while a clock ran ahead lasts no longer than one taken now: its holder stops by its own clock before
# then, or renews it.
_SHORTEN = f"UPDATE lease SET until = {NOW} + ? WHERE target = ? AND until > {NOW} + ? + {SLACK}"
_HELD = f"target = ? AND holder = ? AND number = ? AND until > {NOW}"


def take(target: str, holder: str) -> Lease | None:
    """Take the lease of `target`; None if another courier holds it."""
    began = clock.monotonic()
    with db.write():
        db.execute(_SHORTEN, [DURATION, target, DURATION])
        row = db.execute(_TAKE, [target, holder, DURATION]).fetchone()
    return Lease(target, holder, int(row[0]), began + DURATION - MARGIN) if row else None


def renew(lease: Lease) -> Lease:
    """Extend `lease` from now on, and return it with its new end.

    Raises:
        TargetLeaseLost: it has run out.
    """
    began = clock.monotonic()
    with db.write():
        changed = db.execute(f"UPDATE lease SET until = {NOW} + ? WHERE {_HELD} RETURNING 1", [DURATION, *_key(lease)])
        if not changed.fetchone():
            raise _lost(lease.target)
    return Lease(lease.target, lease.holder, lease.number, began + DURATION - MARGIN)


def require(lease: Lease) -> None:
    """Check that `lease` is held, and have it held until this transaction ends.

    Raises:
        TargetLeaseLost: it is not held.
    """
    row = db.execute(f"SELECT 1 FROM lease WHERE {_HELD} {db.for_update()}", _key(lease)).fetchone()
    if row is None:
        raise _lost(lease.target)


def release(lease: Lease) -> None:
    """Let another courier take the target at once. A lease that was lost is left alone."""
    with db.write():
        db.execute("UPDATE lease SET until = 0 WHERE target = ? AND holder = ? AND number = ?", _key(lease))


def release_host(host: str) -> None:
    """Release all leases of former couriers of `host`. Only its one running courier may call this."""
    with db.write():
        prefix = f"{host}:"
        db.execute("UPDATE lease SET until = 0 WHERE substr(holder, 1, ?) = ?", [len(prefix), prefix])


def holder_of(target: str) -> str | None:
    """Return the courier that holds the lease of `target` now, or None."""
    row = db.execute(f"SELECT holder FROM lease WHERE target = ? AND until > {NOW}", [target]).fetchone()
    return str(row[0]) if row else None


def _key(lease: Lease) -> Sequence[object]:
    return lease.target, lease.holder, lease.number


def _lost(target: str) -> TargetLeaseLost:
    return TargetLeaseLost(f"{target}: another courier has taken it over; what this one sent is not confirmed")


class TargetLease:
    """The lease of one target, for the courier `holder`. Another thread may renew it while the courier writes."""

    def __init__(self, target: str, holder: str) -> None:
        self._target = target
        self._holder = holder
        self._lease: Lease | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the courier may write to the target, by its own clock."""
        lease = self._lease
        return lease is not None and lease.is_valid

    def take(self) -> bool:
        """Take the lease unless it is held for long enough. Returns whether it is held then."""
        if self._lease is None or self._lease.needs_renewal:
            self._lease = take(self._target, self._holder)
        return self._lease is not None

    def renew_if_needed(self) -> None:
        """Extend the lease if half of its time is over. If it was lost it is no longer valid."""
        lease = self._lease
        if lease and lease.needs_renewal:
            try:
                renewed = renew(lease)
            except TargetLeaseLost:
                renewed = None
            if self._lease is lease:
                self._lease = renewed

    def require(self) -> None:
        """Check that the lease is held, and have it held until this transaction ends.

        Raises:
            TargetLeaseLost: it is not held.
        """
        if self._lease is None:
            raise _lost(self._target)
        require(self._lease)

    def release(self) -> None:
        """Let another courier take the target at once."""
        if self._lease:
            lease, self._lease = self._lease, None
            release(lease)
