"""The attempts of a job on a line of time, drawn by the server: how long each waited and ran, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.overview.durations import duration
from appliance.queue.attempts import Attempt

#: Attempts that are drawn, the latest ones, and the fewest for which a line of time tells more than the table.
_MOST, _FEWEST = 20, 2
#: The width of the drawing, the height of a row, and the least width of a bar, in its own units.
WIDTH: Final = 1000.0
ROW: Final = 14
_LEAST: Final = 4.0
_MARKS: Final = {"running": "busy", "changed": "good", "unchanged": "good", "snoozed": "warn"}


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt: where its waiting and its run begin, and their widths, in units of the drawing."""

    y: int
    waits_from: float
    waits: float
    runs_from: float
    runs: float
    #: The kind of its end: good, warn, bad or busy.
    mark: str
    title: str


@dataclass(frozen=True, slots=True)
class AttemptChart:
    """What the drawing shows."""

    bars: tuple[Bar, ...]
    height: int
    #: All of it in a sentence, for those who cannot see it.
    sentence: str
    #: The moments at its two ends, in seconds since the epoch.
    begins: float
    ends: float


def attempt_chart(attempts: Sequence[Attempt], now: float) -> AttemptChart | None:
    """Return the drawing of a job's attempts up to this moment; None of so few that the table is enough."""
    shown = attempts[-_MOST:]
    if len(shown) < _FEWEST:
        return None
    begins = min(min(one.due_at, one.started_at) for one in shown)
    ends = max(max(one.ended_at or now, one.started_at) for one in shown)
    scale = WIDTH / max(ends - begins, 0.001)
    bars = tuple(_bar(one, number * ROW, begins, scale, now) for number, one in enumerate(shown))
    failed = sum(bar.mark == "bad" for bar in bars)
    sentence = f"{len(bars)} attempts in {duration(ends - begins)}, {failed or 'none'} of which failed."
    return AttemptChart(bars, len(bars) * ROW, sentence, begins, ends)


def _bar(one: Attempt, y: int, begins: float, scale: float, now: float) -> Bar:
    due, started = min(one.due_at, one.started_at), one.started_at
    runs = max(((one.ended_at or now) - started) * scale, _LEAST)
    runs_from = min((started - begins) * scale, WIDTH - _LEAST)
    ran = "running" if one.ran is None else f"ran {duration(one.ran)}"
    title = f"Attempt {one.number}: waited {duration(one.waited)}, {ran}"
    waits_from = (due - begins) * scale
    return Bar(
        y, round(waits_from, 1), round(max(0.0, runs_from - waits_from), 1), round(runs_from, 1),
        round(min(runs, WIDTH - runs_from), 1), _MARKS.get(one.result, "bad"), title,
    )  # fmt: skip
