"""The options with which people select jobs, and their meaning as a `JobFilter`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast, get_args

from invoke import Context

from appliance import clock
from appliance.errors import FilterError
from appliance.queue.administration import JobFilter, TextFilter
from appliance.queue.models import STATES, State
from appliance.tasks.option_group import option_group

T = TypeVar("T")

#: The options that select jobs, each with its default and its help. A default of None marks a repeatable option.
OPTIONS: Final[Mapping[str, tuple[object, str]]] = {
    "state": (None, f"Jobs in this state ({', '.join(STATES)}); may be repeated."),
    "kind": (None, "Jobs of this kind, such as publish; may be repeated."),
    "site": (None, "Jobs of this site; may be repeated."),
    "worker": (None, "Jobs that this worker runs or ran, as HOST:PROCESS; may be repeated."),
    "priority": ("", "Jobs with this priority: exactly 9, at least 5 (5..), at most 5 (..5), or a range (3..7)."),
    "path": ("", "Jobs for paths that match this pattern with the wildcards * and ?, such as 2026/* or *.xml."),
    "not_path": ("", "Jobs for paths that do not contain this text."),
    "error": ("", "Jobs with an error that contains this text in its class or message."),
    "older": ("", "Jobs enqueued at least this long ago, such as 30s, 10m, 2h or 1d."),
    "within": ("", "Jobs enqueued at most this long ago."),
}
#: The options that may be repeated.
REPEATED: Final = tuple(name for name, (default, _) in OPTIONS.items() if default is None)
#: Help texts as invoke wants them.
HELP: Final[Mapping[str, str]] = {name.replace("_", "-"): text for name, (_, text) in OPTIONS.items()}


def with_job_filter(body: Callable[..., T]) -> Callable[..., T]:
    """Give a task the filter options, and pass the filter that they and the job ids form as its `job_filter`."""
    defaults = {name: default for name, (default, _) in OPTIONS.items()}
    return option_group("job_filter", defaults, _parse)(body)


def _parse(context: Context, options: Mapping[str, Any]) -> JobFilter:
    return parse_filter(shlex.split(context.remainder or ""), options)


def parse_job_ids(context: Context) -> tuple[int, ...]:
    """Return the job ids that follow a command.

    Raises:
        FilterError: a word is not a job id.
    """
    return _parse_ids(shlex.split(context.remainder or ""))


def parse_filter(words: Sequence[str], options: Mapping[str, Any]) -> JobFilter:
    """Return the filter for the job ids in `words`, if there are any, combined with the options.

    Raises:
        FilterError: a word is not a job id, or an option has an invalid value.
    """
    low, high = _parse_priorities(options["priority"])
    keys = [TextFilter("glob", options["path"].lstrip("/"))] if options["path"] else []
    keys += [TextFilter("not", options["not_path"])] if options["not_path"] else []
    return JobFilter(
        ids=_parse_ids(words) if words else None,
        states=_parse_states(options["state"] or ()),
        kinds=tuple(options["kind"] or ()),
        scopes=tuple(options["site"] or ()),
        workers=tuple(options["worker"] or ()),
        priority_from=low,
        priority_to=high,
        keys=tuple(keys),
        errors=(TextFilter("contains", options["error"]),) if options["error"] else (),
        older=_parse_duration("older", options["older"]),
        within=_parse_duration("within", options["within"]),
    )


def _parse_ids(words: Sequence[str]) -> tuple[int, ...]:
    ids = []
    for word in (part for whole in words for part in whole.split(",") if part):
        if not re.fullmatch(r"#?[0-9]{1,30}", word):
            raise FilterError(f"“{word}” is not a job id; jobs.list shows the ids in its first column.")
        ids.append(int(word.removeprefix("#")))
    return tuple(ids)


def _parse_states(names: Sequence[str]) -> tuple[State, ...]:
    for name in names:
        if name not in get_args(State):
            raise FilterError(f"--state: “{name}” is not a state; use {', '.join(STATES[:-1])} or {STATES[-1]}.")
    return cast(tuple[State, ...], tuple(names))


def _parse_priorities(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    found = re.fullmatch(r"(-?[0-9]{1,9})?(\.\.)?(-?[0-9]{1,9})?", text)
    if not found or (found[1] and found[3] and not found[2]) or text == "..":
        raise FilterError(f"--priority: “{text}” is not a priority; write 9, 5.., ..5 or 3..7.")
    low, high = (int(part) if part else None for part in (found[1], found[3]))
    return (low, high) if found[2] else (low, low)


def _parse_duration(option: str, text: str) -> float | None:
    try:
        return clock.parse_duration(text) if text else None
    except ValueError as error:
        raise FilterError(f"--{option}: {error}.") from error
