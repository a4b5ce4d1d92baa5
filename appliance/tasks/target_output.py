"""The states of targets, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from appliance.delivery.diagnostics import judgements
from appliance.delivery.target_state import TargetState
from appliance.sizes import in_bytes
from appliance.tasks.command_line import print_line
from appliance.tasks.list_output import one_line, print_columns


def print_targets(states: Sequence[TargetState], now: float) -> None:
    """Print a table of the targets, then the last error of each. `now` is the time of the database."""
    columns = {
        "target": [state.name for state in states],
        "state": [str(state.word) for state in states],
        "lag": ["" if state.level else _format_duration(state.lag) for state in states],
        "waiting": [_format_waiting(state) if state.waiting else "" for state in states],
        "last push": [_format_last_push(state, now) for state in states],
        "files": [f"{state.files:,}" for state in states],
        "sent": [in_bytes(state.bytes) for state in states],
        "rate": [f"{in_bytes(state.rate)}/s" if state.rate else "" for state in states],
    }
    print_columns(columns, {"target": 1})
    for state in states:
        if state.error:
            error = judgements.strip_target_name(one_line(state.error), state.name)
            print_line(f"{state.name}: {error}{_format_next_try(state, now)}")


def target_json(state: TargetState) -> dict[str, Any]:
    """Return a target's state for programs."""
    return {**asdict(state), "state": state.word}


def count_waiting(state: TargetState) -> str:
    """Return how many files a target has yet to be sent, in words."""
    return f"{'more than ' if state.more_waiting else ''}{state.waiting:,} files"


def _format_waiting(state: TargetState) -> str:
    return f"{state.waiting:,}{'+' if state.more_waiting else ''}"


def _format_next_try(state: TargetState, now: float) -> str:
    if state.circuit == "closed":
        return ""
    seconds = (state.retry_at or now) - now
    next_try = f", tried again in {_format_duration(seconds)}" if seconds > 0 else ""
    return f"; failed {state.failures} times in a row{next_try}"


def _format_last_push(state: TargetState, now: float) -> str:
    return "never" if state.pushed_at is None else f"{_format_duration(max(0.0, now - state.pushed_at))} ago"


def _format_duration(seconds: float) -> str:
    """Return a duration in the largest unit of which there are two or more."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
