"""The lag of a target as a line over the last hour or day, with the numbers of its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.delivery import lag_history
from appliance.delivery.lag_history import LagSample
from appliance.delivery.target_state import TargetState

#: The spans by their names in addresses: their words, their seconds, and the seconds of which the highest lag is shown,
#: or 0 to show each sample.
SPANS: Final = {"hour": ("Last hour", 3600, 0), "day": ("Last day", 86_400, 900)}
#: Seconds without a sample after which the line breaks, since nobody measured.
_GAP: Final = 180.0
#: Units by the highest lag from which they are used, in seconds.
_UNITS: Final = ((36_000, 3600, "h"), (600, 60, "min"), (0, 1, "s"))

#: Seconds since the epoch, and the lag in seconds, None where nobody measured.
Point = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class LagChart:
    """What the chart shows."""

    caption: str
    unit: str
    #: Seconds since the epoch, each with the lag in that unit; None where nobody measured.
    rows: list[tuple[float, list[float | None]]]
    #: The highest lag in seconds.
    highest: float


def lag_chart(state: TargetState, span: str, now: float) -> LagChart:
    """Return the chart of a target, up to its state of this moment.

    Args:
        state: the target's state.
        span: a name of `SPANS`.
        now: the moment of that state, in seconds since the epoch.
    """
    text, seconds, step = SPANS[span]
    samples = lag_history.read(state.name, now - seconds)
    points = [*(_highest_of(samples, step) if step else _with_gaps(samples)), (now, state.lag)]
    highest = max((lag for _, lag in points if lag is not None), default=0.0)
    size, unit = next((size, unit) for least, size, unit in _UNITS if highest >= least)
    rows = [(at, [None if lag is None else round(lag / size, 1)]) for at, lag in points]
    each = f", the highest of every {step // 60} minutes" if step else ""
    return LagChart(f"{text}: lag in {_WORDS[unit]}{each}", f" {unit}", rows, highest)


_WORDS: Final = {"h": "hours", "min": "minutes", "s": "seconds"}


def _with_gaps(samples: Sequence[LagSample]) -> Iterator[Point]:
    before: float | None = None
    for one in samples:
        if before is not None and one.at - before > _GAP:
            yield (before + one.at) / 2, None
        before = one.at
        yield one.at, one.lag


def _highest_of(samples: Sequence[LagSample], step: int) -> Iterator[Point]:
    """The highest lag of each step, from the first that was measured."""
    found: dict[int, float] = {}
    for one in samples:
        at = int(one.at // step)
        found[at] = max(found.get(at, 0.0), one.lag)
    for at in range(min(found, default=0), max(found, default=-1) + 1):
        yield at * step, found.get(at)
