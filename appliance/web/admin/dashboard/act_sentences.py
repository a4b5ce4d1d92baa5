"""What is told of an act on jobs: what it did, and what became of every job that it left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import request

from appliance import actor
from appliance.queue import job_acts, undeletion
from appliance.queue.job_acts import ACTED_ON, Act, Left, Result
from appliance.web.admin.dashboard.job_rights import RIGHTS
from appliance.web.admin.pages import shown_times
from appliance.web.admin.visible_jobs import visible_scopes

#: What an act makes of jobs: after “1 job” and after “2 jobs”.
_DONE: Final[dict[Act, tuple[str, str]]] = {
    "delete": ("is deleted", "are deleted"),
    "retry": ("waits again", "wait again"),
    "run": ("is next in the queue", "are next in the queue"),
    "prioritise": ("has priority {priority} now", "have priority {priority} now"),
}
#: What an act is called when somebody else did it.
_BY_OTHERS: Final[dict[Act, str]] = {
    "delete": "deleted", "retry": "retried", "run": "run at once", "prioritise": "given another priority",
}  # fmt: skip
_VERBS: Final[dict[Act, str]] = {
    "delete": "deleted", "retry": "retried", "run": "run at once", "prioritise": "given a priority",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A job that an act left alone."""

    id: int
    key: str
    sentence: str
    #: Who acted on it since; empty if nobody did.
    actor: str
    at: float


def jobs(number: int) -> str:
    """Return a number of jobs in words: `1 job`, `2 jobs`."""
    return f"{number:,} job{'s'[: number != 1]}"


def summary(result: Result) -> str:
    """Return what an act did, in a sentence or two."""
    if result.undone_at is not None:
        return "The deletion is undone."
    one, several = _DONE[result.act]
    done = (one if result.number == 1 else several).format(priority=result.priority)
    told = [f"{jobs(result.number)} {done}."] if result.number else []
    if result.superseded:
        told.append(f"{jobs(result.superseded)} gave way to newer requests for the same file.")
    if result.number_left and not result.left:
        told.append(f"{jobs(result.number_left)} changed after you were asked, and {_were(result)} left alone.")
    elif result.number_left:
        told.append(f"{jobs(result.number_left)} {_were(result)} left alone:")
    return " ".join(told) or "No job was selected; tick those that are meant."


def _were(result: Result) -> str:
    return "was" if result.number_left == 1 else "were"


def left_alone(result: Result) -> list[LeftAlone]:
    """Return the first of the selected jobs that an act left alone, each with what changed."""
    scopes = visible_scopes(RIGHTS[result.act])
    return [
        LeftAlone(left.id, left.key, _reason(result.act, left, scopes is None or left.scope in scopes), *_by(left))
        for left in result.left
    ]


def _by(left: Left) -> tuple[str, float]:
    return (left.actor, left.at) if left.act is not None else ("", 0.0)


def _reason(act: Act, left: Left, is_allowed: bool) -> str:
    if not is_allowed:
        return f"is of {left.scope or 'no site'}, where it is not for you to be {_VERBS[act]}"
    if left.state == left.seen:
        return _same_state(act, left)
    if left.act is not None and left.state in ("pending", "cancelled"):
        return f"was {_BY_OTHERS[left.act]}"
    return {
        "pending": "waits by now",
        "running": f"runs on {left.worker} by now",
        "done": "is done by now",
        "failed": "has failed by now",
        "superseded": "gave way to a newer request for the same file",
        "cancelled": "was deleted",
    }[left.state]


def _same_state(act: Act, left: Left) -> str:
    if left.state not in ACTED_ON[act]:
        return f"is {left.state}, and only {' and '.join(ACTED_ON[act])} jobs can be {_VERBS[act]}"
    if act == "prioritise":
        return f"has priority {left.priority} by now"
    if left.is_asked_again:
        return "was asked for once more after you saw it"
    return "was tried once more after you saw it"


def told() -> dict[str, Any] | None:
    """Return what to tell of the act that the address names, if it is the user's own."""
    number = request.args.get("act", "")
    result = job_acts.find_result(int(number)) if number.isascii() and number.isdecimal() and len(number) < 18 else None
    if result is None or result.actor != actor.current().name:
        return None
    return {"result": result, "summary": summary(result), "left": left_alone(result), "can_undo": _can_undo(result)}


def _can_undo(result: Result) -> bool:
    is_recent = shown_times.now() - result.at < undeletion.LIMIT
    return result.act == "delete" and result.number > 0 and result.undone_at is None and is_recent
