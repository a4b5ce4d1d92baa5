"""Filters of jobs as people type them: options to a selection, with a sentence for each that makes no sense.

The options are the same for every task about jobs; `filtered` gives them to a task that takes a selection.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, TypeVar, cast, get_args

from invoke import Context

from appliance import clock
from appliance.errors import ApplianceError
from appliance.queue.models import STATES, State
from appliance.queue.selection import Selection, Text

T = TypeVar("T")

#: The options that filter jobs, with their help; those that may be repeated have none as their default.
OPTIONS: Final[Mapping[str, tuple[object, str]]] = {
    "state": (None, f"Jobs in this state ({', '.join(STATES)}); may be repeated."),
    "kind": (None, "Jobs of this kind, such as publish; may be repeated."),
    "site": (None, "Jobs of this site; may be repeated."),
    "worker": (None, "Jobs this worker has or had, as HOST:PROCESS; may be repeated."),
    "priority": ("", "Jobs of this priority: 9, from 5 up (5..), up to 5 (..5), or between (3..7)."),
    "path": ("", "Jobs whose path matches this pattern, in which * and ? are wild: 2026/*, *.xml."),
    "not_path": ("", "Jobs whose path does not contain this."),
    "error": ("", "Jobs whose error contains this: its class or a part of its sentence."),
    "older": ("", "Jobs put on the queue at least this long ago, such as 30s, 10m, 2h or 1d."),
    "within": ("", "Jobs put on the queue at most this long ago."),
}
REPEATED: Final = tuple(name for name, (default, _) in OPTIONS.items() if default is None)
HELP: Final[Mapping[str, str]] = {name.replace("_", "-"): meaning for name, (_, meaning) in OPTIONS.items()}


class FilterError(ApplianceError):
    """What was typed selects nothing that makes sense."""

    exit_code = 3


def filtered(body: Callable[..., T]) -> Callable[..., T]:
    """Give a task the options, and the selection they and the loose words make as its `selection`."""
    own = inspect.signature(body)
    parameters = [p for p in own.parameters.values() if p.name != "selection"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, (default, _) in OPTIONS.items()
    ]

    @wraps(body)
    def run(context: Context, **given: Any) -> T:
        options = {name: given.pop(name, default) for name, (default, _) in OPTIONS.items()}
        return body(context, selection=selection(shlex.split(context.remainder or ""), options), **given)

    first, *others = parameters
    others = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in others]
    run.__signature__ = own.replace(parameters=[first, *options, *others])  # type: ignore[attr-defined]
    return run


def numbers(context: Context) -> tuple[int, ...]:
    """The numbers among the loose words of a command.

    Raises:
        FilterError: a word is no number.
    """
    return _numbers(shlex.split(context.remainder or ""))


def selection(words: Sequence[str], options: Mapping[str, Any]) -> Selection:
    """The jobs with these numbers, when there are words, for which the options hold.

    Raises:
        FilterError: a word is no number, or an option's value makes no sense.
    """
    low, high = _priorities(options["priority"])
    keys = [Text("glob", options["path"].lstrip("/"))] if options["path"] else []
    keys += [Text("not", options["not_path"])] if options["not_path"] else []
    return Selection(
        ids=_numbers(words) if words else None,
        states=_states(options["state"] or ()), kinds=tuple(options["kind"] or ()), scopes=tuple(options["site"] or ()),
        workers=tuple(options["worker"] or ()), priority_from=low, priority_to=high, keys=tuple(keys),
        errors=(Text("contains", options["error"]),) if options["error"] else (),
        older=_span("older", options["older"]), within=_span("within", options["within"]),
    )  # fmt: skip


def _numbers(words: Sequence[str]) -> tuple[int, ...]:
    found = []
    for word in (part for whole in words for part in whole.split(",") if part):
        if not re.fullmatch(r"#?[0-9]{1,30}", word):
            raise FilterError(f"“{word}” is no number of a job; jobs.list shows them in its first column.")
        found.append(int(word.removeprefix("#")))
    return tuple(found)


def _states(names: Sequence[str]) -> tuple[State, ...]:
    for name in names:
        if name not in get_args(State):
            raise FilterError(
                f"--state: there is no state “{name}”; a job is {', '.join(STATES[:-1])} or {STATES[-1]}."
            )
    return cast(tuple[State, ...], tuple(names))


def _priorities(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    found = re.fullmatch(r"(-?[0-9]{1,9})?(\.\.)?(-?[0-9]{1,9})?", text)
    if not found or (found[1] and found[3] and not found[2]) or text == "..":
        raise FilterError(f"--priority: “{text}” is no priority; write 9, 5.., ..5 or 3..7.")
    low, high = (int(part) if part else None for part in (found[1], found[3]))
    return (low, high) if found[2] else (low, low)


def _span(name: str, text: str) -> float | None:
    try:
        return clock.span(text) if text else None
    except ValueError as error:
        raise FilterError(f"--{name}: {error}.") from error
