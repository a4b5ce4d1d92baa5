"""The lag of targets over time: a sample each minute, kept for some days, so that one sees since when one lags and why.

Guarantees that a sample of all targets costs the same number of statements for any number of them, and that samples of
one target never grow beyond those days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.config import Config
from appliance.delivery import cursor_history, target_state
from appliance.delivery.targets import all_targets

#: Seconds for which samples are kept.
KEPT: Final = 2 * 86_400.0


@dataclass(frozen=True, slots=True)
class LagSample:
    """How far behind a target was at one moment."""

    #: Seconds since the epoch.
    at: float
    #: Seconds since the oldest unconfirmed publication was made; 0 when everything was confirmed.
    lag: float
    #: Files it had yet to receive, up to the limit of counting.
    waiting: int
    paused: bool
    failing: bool


def sample(config: Config) -> None:
    """Write down how far behind each target is now, and drop what is too old. To be called about once a minute."""
    states = target_state.read_all(all_targets(config))
    with db.write():
        now = db.now()
        if states:
            db.execute(
                "INSERT INTO lag_sample (target, at, lag, waiting, paused, failing)"
                f" VALUES {db.placeholders(len(states), 6)} ON CONFLICT DO NOTHING",
                [
                    value
                    for one in states
                    for value in (one.name, now, one.lag, one.waiting, bool(one.paused), one.error is not None)
                ],
            )
        db.execute("DELETE FROM lag_sample WHERE at < ?", [now - KEPT])
        cursor_history.note(now - KEPT)


def read(name: str, since: float) -> list[LagSample]:
    """Return the samples of the target called `name` from `since` on, in seconds since the epoch, oldest first."""
    found = db.execute(
        "SELECT at, lag, waiting, paused, failing FROM lag_sample WHERE target = ? AND at >= ? ORDER BY at",
        [name, since],
    )
    return [LagSample(row[0], row[1], row[2], bool(row[3]), bool(row[4])) for row in found.fetchall()]


def highest(since: float) -> dict[str, float]:
    """Return the highest lag of each target from `since` on, in seconds, by name."""
    found = db.execute("SELECT target, MAX(lag) FROM lag_sample WHERE at >= ? GROUP BY target", [since])
    return {str(name): float(lag) for name, lag in found.fetchall()}
