"""What pages say about targets: a state in a sentence, an error in a sentence with what to do, and numbers of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from appliance.delivery.diagnostics import judgements
from appliance.delivery.target_state import TargetState, Word
from appliance.overview.durations import duration

#: How good a sentence is.
Tone = Literal["good", "warn", "bad"]
#: The marks of the states.
MARKS: Final[dict[Word, str]] = {"level": "", "behind": "busy", "failing": "bad", "repairing": "busy", "paused": "warn"}
#: Seconds of lag from which a target that receives is worth a word.
LATE: Final = 60.0
#: Targets that a sentence names.
_NAMED: Final = 3


def verdict(states: Sequence[TargetState]) -> tuple[Tone, str]:
    """Return how all targets are, in a sentence that names those with trouble."""
    many = len(states)
    if failing := [one.name for one in states if one.word == "failing"]:
        return "bad", f"{_of(failing, many)} {'fails' if len(failing) == 1 else 'fail'}: {_names(failing)}."
    if paused := [one.name for one in states if one.paused]:
        return "warn", f"{_of(paused, many)} {'is' if len(paused) == 1 else 'are'} paused: {_names(paused)}."
    if late := [one.name for one in states if one.ahead_lag > LATE]:
        return "warn", f"{_of(late, many)} {'lags' if len(late) == 1 else 'lag'} behind: {_names(late)}."
    if behind := [one for one in states if not one.level or one.repairing]:
        word = "is being sent what it lacks" if len(behind) == 1 else "are being sent what they lack"
        return "good", f"{_of(behind, many)} {word}."
    if many == 1:
        return "good", "The target shows everything that is published."
    return "good", f"All {many} targets show everything that is published."


def sentence(state: TargetState) -> tuple[Tone, str]:
    """Return how one target is."""
    lacks = f"it lacks {count_waiting(state)}, the oldest for {duration(state.lag)}"
    if state.paused:
        return "warn", f"Paused: {'it has everything so far' if state.level else lacks}."
    if state.word == "failing":
        return "bad", f"It cannot be sent anything: {lacks}." if not state.level else "It cannot be reached."
    if state.repairing:
        return "warn", "It is being repaired: everything is sent again, then compared."
    if state.level:
        return "good", "It shows everything that is published."
    tone: Tone = "warn" if state.ahead_lag > LATE else "good"
    ahead = f" What is published now is sent first{_behind(state.ahead_lag)}." if state.has_backlog else ""
    return tone, f"It is being sent what it lacks: {lacks.removeprefix('it lacks ')}.{ahead}"


def _behind(lag: float) -> str:
    return f", {duration(lag)} behind" if lag > LATE else ""


def count_waiting(state: TargetState) -> str:
    """Return how many files a target lacks, in words."""
    if state.waiting == 1 and not state.more_waiting:
        return "1 file"
    return f"{'more than ' if state.more_waiting else ''}{state.waiting:,} files"


def fault(message: str | None, name: str) -> str:
    """Return an error of a target as a sentence, without the target's name before it; empty without an error."""
    if not message:
        return ""
    said = judgements.strip_target_name(message.strip(), name).removeprefix(f"{name}: ")
    return f"{said[:1].upper()}{said[1:]}{'' if said.endswith(('.', '!', '?', '…')) else '.'}"


def next_try(state: TargetState) -> str:
    """Return how often in a row pushes failed, and what follows from that; empty while they succeed."""
    if not state.failures:
        return ""
    often = "The last push failed" if state.failures == 1 else f"{state.failures} pushes failed in a row"
    if state.circuit == "closed":
        return f"{often}."
    return f"{often}, so it is tried only now and then{'' if state.circuit == 'open' else ', and is being tried now'}."


def _of(some: Sequence[object], many: int) -> str:
    if many == 1:
        return "The target"
    return f"{len(some)} of {many} targets"


def _names(names: Sequence[str]) -> str:
    shown, more = names[:_NAMED], len(names) - _NAMED
    return f"{', '.join(shown)} and {more} more" if more > 0 else ", ".join(shown)
