"""Who may write to a target: one courier at a time, over all publishing hosts.

Guarantees that between `take` and `until` nobody else is given the same target, by the database's clock; that a lease
which ran out is given to the next who asks, under a higher number; and that what is said under a lease that was lost is
refused (`LeaseLost`), in the transaction that would have written it.

A holder measures by its own clock that does not jump how long it may go on, from before it asked: so it has stopped
before anybody else begins, even when it can no longer reach the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance import clock, db
from appliance.db import NOW
from appliance.errors import LeaseLost

#: Seconds a lease lasts unless it is kept.
LASTS = 8.0
#: Of these, so many are left when its holder stops of its own.
MARGIN = 2.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to one target."""

    target: str
    holder: str
    number: int
    #: The moment by this process's own clock at which its holder stops.
    stop_at: float

    @property
    def running(self) -> bool:
        """Whether its holder may go on, by its own clock."""
        return clock.monotonic() < self.stop_at


_TAKE = f"""
INSERT INTO lease (target, holder, number, until) VALUES (?, ?, 1, {NOW} + ?)
ON CONFLICT (target) DO UPDATE SET
    number = lease.number + 1, holder = excluded.holder, until = excluded.until
    WHERE lease.until <= {NOW} OR lease.holder = excluded.holder
RETURNING number
"""
_HELD = f"target = ? AND holder = ? AND number = ? AND until > {NOW}"


def take(target: str, holder: str) -> Lease | None:
    """The lease of `target`, unless another holds it."""
    began = clock.monotonic()
    with db.write():
        row = db.execute(_TAKE, [target, holder, LASTS]).fetchone()
    return Lease(target, holder, int(row[0]), began + LASTS - MARGIN) if row else None


def keep(lease: Lease) -> Lease:
    """`lease`, lasting from now on.

    Raises:
        LeaseLost: it has run out.
    """
    began = clock.monotonic()
    with db.write():
        changed = db.execute(f"UPDATE lease SET until = {NOW} + ? WHERE {_HELD} RETURNING 1", [LASTS, *_key(lease)])
        if not changed.fetchone():
            raise _lost(lease)
    return Lease(lease.target, lease.holder, lease.number, began + LASTS - MARGIN)


def require(lease: Lease) -> None:
    """See that `lease` is held, and will be until this transaction ends.

    Raises:
        LeaseLost: it is not.
    """
    row = db.execute(f"SELECT 1 FROM lease WHERE {_HELD} {db.for_update()}", _key(lease)).fetchone()
    if row is None:
        raise _lost(lease)


def give_back(lease: Lease) -> None:
    """Let the next have it at once; one that was lost is left alone."""
    with db.write():
        db.execute("UPDATE lease SET until = 0 WHERE target = ? AND holder = ? AND number = ?", _key(lease))


def forget(host: str) -> None:
    """Give back what couriers of `host` held that are gone. To be called by the only one there is."""
    with db.write():
        held = f"{host}:"
        db.execute("UPDATE lease SET until = 0 WHERE substr(holder, 1, ?) = ?", [len(held), held])


def holder_of(target: str) -> str | None:
    """The courier that has a target now."""
    row = db.execute(f"SELECT holder FROM lease WHERE target = ? AND until > {NOW}", [target]).fetchone()
    return str(row[0]) if row else None


def _key(lease: Lease) -> Sequence[object]:
    return lease.target, lease.holder, lease.number


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"{lease.target}: another courier has taken it over; what this one sent is not confirmed")
