"""How targets stand, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from appliance.delivery import looks
from appliance.delivery.cursors import TargetState
from appliance.tasks.console import tell
from appliance.tasks.listing import one_line, show_list


def show_targets(states: Sequence[TargetState], now: float) -> None:
    """A table of how far each target is, and below it what went wrong last. `now` is the database's."""
    columns = {
        "target": [state.name for state in states],
        "state": [word(state) for state in states],
        "lag": ["" if state.level else _span(state.lag) for state in states],
        "waiting": [f"{state.waiting:,}" if state.waiting else "" for state in states],
        "last push": [_ago(state, now) for state in states],
        "files": [f"{state.files:,}" for state in states],
        "sent": [_amount(state.bytes) for state in states],
        "rate": [f"{_amount(state.rate)}/s" if state.rate else "" for state in states],
    }
    show_list(columns, {"target": 1})
    for state in states:
        if state.error:
            told = looks.without_name(one_line(state.error), state.name)
            tell(f"{state.name}: {told}{_again(state, now)}")


def word(state: TargetState) -> str:
    """How a target stands, in a word or two."""
    if state.paused:
        return "paused"
    if state.repairing:
        return "repairing"
    if state.error and (state.circuit != "closed" or not state.level):
        return "failing"
    return "level" if state.level else "behind"


def target_json(state: TargetState) -> dict[str, Any]:
    """A target's state for programs."""
    return {**asdict(state), "state": word(state)}


def _again(state: TargetState, now: float) -> str:
    if state.circuit == "closed":
        return ""
    left = (state.retry_at or now) - now
    next_try = f", tried again in {_span(left)}" if left > 0 else ""
    return f"; failed {state.failures} times in a row{next_try}"


def _ago(state: TargetState, now: float) -> str:
    return "never" if state.pushed_at is None else f"{_span(max(0.0, now - state.pushed_at))} ago"


def _span(seconds: float) -> str:
    """A length of time in its largest unit that fits."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _amount(number: float) -> str:
    """Bytes in their largest unit."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
