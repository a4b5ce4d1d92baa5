"""The qualifiers of the search language of jobs: what each one's values mean, as conditions and in words.

A qualifier whose values are names, such as `state:`, means any of its values. One whose values are parts of a text,
such as `path:`, means all of them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, cast, get_args

from appliance import clock
from appliance.queue.job_filter import How, Subject, SubjectFilter, TextFilter
from appliance.queue.models import STATES, State


@dataclass(frozen=True, slots=True)
class Meaning:
    """What some values of a qualifier mean."""

    #: Fields of a `JobFilter`.
    conditions: dict[str, Any]
    #: The same in words, one phrase for each condition.
    words: list[str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What values are read against: the sites that one may name, and the zone of days."""

    sites: Collection[str] = ()
    zone: dt.tzinfo = dt.UTC


def meaning(qualifier: str, values: Sequence[str], around: Surroundings) -> Meaning:
    """Return what these values of a qualifier mean together; the empty qualifier is that of plain words.

    Raises:
        ValueError: a value means nothing; the sentence says what to write instead.
    """
    return _MEANINGS[qualifier](values, around)


def _states(values: Sequence[str], _: Surroundings) -> Meaning:
    names = _names(values)
    for name in names:
        if name not in get_args(State):
            raise ValueError(f"“{name}” is no state.{closest(name, STATES)} The states are {_or(STATES, 'and')}.")
    return Meaning({"states": cast("tuple[State, ...]", names)}, [f"the state is {_or(names)}"])


def _kinds(values: Sequence[str], _: Surroundings) -> Meaning:
    names = _names(values)
    return Meaning({"kinds": names}, [f"the kind is {_or(names)}"])


def _sites(values: Sequence[str], around: Surroundings) -> Meaning:
    names = _names(values, empty=True)
    for name in names:
        if name and name not in around.sites:
            yours = f"Your sites are {_or(sorted(around.sites), 'and')}." if around.sites else "You have no site."
            raise ValueError(f"“{name}” is no site of yours.{closest(name, around.sites)} {yours}")
    return Meaning({"scopes": names}, [f"the site is {_or([name or 'none' for name in names])}"])


def _templates(values: Sequence[str], _: Surroundings) -> Meaning:
    names = _names(values)
    return _any_text("template", names, [f"the template is {_or(names)}"])


def _workers(values: Sequence[str], _: Surroundings) -> Meaning:
    names = _names(values)
    patterns = [name if ":" in name or "*" in name else f"{name}:*" for name in names]
    return _any_text("worker", patterns, [f"the worker is {_or(names)}"])


def _any_text(subject: Subject, names: Sequence[str], words: list[str]) -> Meaning:
    tests = tuple(TextFilter("glob" if _is_pattern(name) else "equals", name) for name in names)
    return Meaning({"texts": (SubjectFilter(subject, tests),)}, words)


def _paths(values: Sequence[str], _: Surroundings) -> Meaning:
    keys, texts, words = [], [], []
    for value in values:
        if value.startswith("="):
            keys.append(TextFilter("equals", _given(value[1:]).lstrip("/")))
            words.append(f"the path is “{keys[-1].text}”")
        elif _is_pattern(_given(value)):
            texts.append(SubjectFilter("path", (TextFilter("glob", value.lstrip("/")),)))
            words.append(f"the path matches “{value.lstrip('/')}”")
        else:
            texts.append(SubjectFilter("path", (TextFilter("has", value),)))
            words.append(f"the path contains “{value}”")
    return Meaning({"keys": tuple(keys), "texts": tuple(texts)}, words)


def _parts_of(subject: Subject, what: str) -> Callable[[Sequence[str], Surroundings], Meaning]:
    def read(values: Sequence[str], _: Surroundings) -> Meaning:
        how: How = "has"
        texts = tuple(SubjectFilter(subject, (TextFilter(how, _given(value)),)) for value in values)
        return Meaning({"texts": texts}, [f"{what} contains “{value}”" for value in values])

    return read


def _priorities(values: Sequence[str], _: Surroundings) -> Meaning:
    lows, highs = [], []
    for value in values:
        low, high = _range(value, r"-?[0-9]{1,9}", "a priority; write 9, >5, <=5 or 5..9")
        lows.append(None if low is None else int(low[1]) + low[0])
        highs.append(None if high is None else int(high[1]) - high[0])
    low, high = _highest(lows), _lowest(highs)
    if low == high:
        return Meaning({"priority_from": low, "priority_to": high}, [f"the priority is {low}"])
    words = [f"at least {low}"] if low is not None else []
    words += [f"at most {high}"] if high is not None else []
    return Meaning({"priority_from": low, "priority_to": high}, [f"the priority is {' and '.join(words)}"])


def _ages(values: Sequence[str], _: Surroundings) -> Meaning:
    older, within = [], []
    for value in values:
        low, high = _range(value, r"[0-9]+(?:\.[0-9]+)? ?[a-z]*", "an age; write >10m, <1h or 10m..2h", exact=False)
        older.append(None if low is None else clock.parse_duration(low[1]))
        within.append(None if high is None else clock.parse_duration(high[1]))
    least, most = _highest(older), _lowest(within)
    words = [f"put on the queue {_span(least)} ago or earlier"] if least is not None else []
    words += [f"put on the queue in the last {_span(most)}"] if most is not None else []
    return Meaning({"older": least, "within": most}, words)


def _moments(values: Sequence[str], around: Surroundings) -> Meaning:
    first, last, words = [], [], []
    for value in values:
        low, high = _range(value, r"[0-9-]{10}(?:[T ][0-9:]{5,8})?", _A_MOMENT)
        from_, until = (None if end is None else _moment(end[1], around.zone) for end in (low, high))
        first.append(None if from_ is None or low is None else from_[low[0]])
        last.append(None if until is None or high is None else until[1 - high[0]])
        words.append(f"put on the queue {_day_words(value)}")
    return Meaning({"created_from": _highest(first), "created_until": _lowest(last)}, words)


_A_MOMENT: Final = "a day or time; write 2026-11-29, >2026-11-29T22:00 or 2026-11-01..2026-11-29"


def _day_words(value: str) -> str:
    for sign, word in ((">=", "from {} on"), ("<=", "until {}"), (">", "after {}"), ("<", "before {}")):
        if value.startswith(sign):
            return word.format(value[len(sign) :])
    low, dots, high = value.partition("..")
    if not dots:
        return f"on {value}" if len(value) == len("2026-11-29") else f"at {value}"
    return " ".join(([f"from {low} on"] if low else []) + ([f"until {high}"] if high else []))


def _moment(text: str, zone: dt.tzinfo) -> tuple[float, float]:
    """When a day, a minute or a second begins and ends."""
    lengths = {10: dt.timedelta(days=1), 16: dt.timedelta(minutes=1), 19: dt.timedelta(seconds=1)}
    try:
        begin = dt.datetime.fromisoformat(text).replace(tzinfo=zone)
        return begin.timestamp(), (begin + lengths[len(text)]).timestamp()
    except (ValueError, KeyError, OverflowError) as error:
        raise ValueError(f"“{text}” is not {_A_MOMENT}.") from error


def _numbers(values: Sequence[str], _: Surroundings) -> Meaning:
    names = [name.removeprefix("#") for name in _names(values)]
    for name in names:
        if not re.fullmatch(r"[0-9]{1,18}", name):
            raise ValueError(f"“{name}” is no number of a job; write 12, or 12,13.")
    return Meaning({"ids": tuple(map(int, names))}, [f"the number is {_or(names)}"])


_MEANINGS: Final[Mapping[str, Callable[[Sequence[str], Surroundings], Meaning]]] = {
    "state": _states,
    "kind": _kinds,
    "site": _sites,
    "template": _templates,
    "path": _paths,
    "error": _parts_of("error", "the error"),
    "priority": _priorities,
    "worker": _workers,
    "age": _ages,
    "inserted": _moments,
    "trigger": _parts_of("trigger", "what caused it, or who,"),
    "id": _numbers,
    "": _parts_of("any", "the path or the error"),
}
#: The names of the qualifiers, in the order in which they are offered.
QUALIFIERS: Final = tuple(name for name in _MEANINGS if name)


def _range(
    value: str, form: str, what: str, *, exact: bool = True
) -> tuple[tuple[int, str] | None, tuple[int, str] | None]:
    """The two ends of `9`, `>5`, `>=5`, `<5`, `<=5`, `5..9`, `5..` and `..9`, each with 1 if it is left out itself."""
    found = re.fullmatch(rf"(?:([<>]=?)({form})|({form})|({form})?\.\.({form})?)", value)
    if not found or value == ".." or (found[3] is not None and not exact):
        raise ValueError(f"“{value}” is not {what}.")
    sign, limit, one, low, high = found.groups()
    if one is not None:
        return (0, one), (0, one)
    if sign is not None:
        end = (int(len(sign) == 1), limit)
        return (end, None) if sign[0] == ">" else (None, end)
    return (None if low is None else (0, low)), (None if high is None else (0, high))


def _highest(values: Sequence[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


def _lowest(values: Sequence[Any]) -> Any:
    return min((value for value in values if value is not None), default=None)


def _names(values: Sequence[str], *, empty: bool = False) -> tuple[str, ...]:
    """The names in values, which may hold several with commas between them."""
    names = [name for value in values for name in value.split(",")]
    return tuple(dict.fromkeys(name if empty else _given(name) for name in names))


def _given(value: str) -> str:
    if not value:
        raise ValueError("There is nothing after the colon; write what to look for, or leave the qualifier out.")
    return value


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def closest(name: str, known: Collection[str]) -> str:
    """Return a question whether another name is meant; empty if none is like this one."""
    close = get_close_matches(name.lower(), list(known), 1)
    return f" Do you mean “{close[0]}”?" if close else ""


def _or(names: Sequence[str], word: str = "or") -> str:
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else "".join(names)


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {unit}{'s'[: number != 1]}"
    return f"{seconds:g} seconds"
