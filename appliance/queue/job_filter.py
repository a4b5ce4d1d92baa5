"""Filters of jobs: what people know of the jobs they mean, as a condition of fixed SQL.

Listing, counting and acting use the same condition, so an action changes exactly the jobs that a list with its filter
shows, apart from those that have changed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from appliance import db
from appliance.db import NOW
from appliance.db.keyset import ALL, Condition, among
from appliance.queue.models import STATES, State

How = Literal["equals", "contains", "not", "begins", "ends", "glob"]
HOWS: Final = ("equals", "contains", "not", "begins", "ends", "glob")

_LARGEST_ID = 2**63 - 1

#: The error of a job as text, `Class: message`.
ERROR: Final = "(COALESCE(error_class, '') || ': ' || COALESCE(error_message, ''))"


@dataclass(frozen=True, slots=True)
class TextFilter:
    """A case-sensitive condition on a text. `not` negates `contains`; a glob has the wildcards `*` and `?`."""

    how: How
    text: str


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Selects jobs. All conditions must hold; one with several values holds for any of them. Without any: all jobs."""

    #: None for any id; no id at all selects nothing.
    ids: Sequence[int] | None = None
    states: Sequence[State] = ()
    kinds: Sequence[str] = ()
    #: Sites, for publishing.
    scopes: Sequence[str] = ()
    priority: int | None = None
    priority_from: int | None = None
    priority_to: int | None = None
    #: Conditions on the key (for publishing: the path); all must hold.
    keys: Sequence[TextFilter] = ()
    #: Conditions on the error, `Class: message`; all must hold.
    errors: Sequence[TextFilter] = ()
    #: Seconds since it was put on the queue: at least, at most.
    older: float | None = None
    within: float | None = None
    workers: Sequence[str] = ()
    #: Names of groups of failures.
    faults: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return self != JobFilter()


ANY_JOB: Final = JobFilter()


def condition(wanted: JobFilter, *, by_index: bool = True) -> Condition:
    """The condition that a job matches a filter.

    With `by_index` false, no index serves it: for lists that are read through the index that has their order. A planner
    would otherwise look up a kind or a path, and sort all jobs it finds.
    """
    found = ALL
    for part in _conditions(wanted, by_index):
        found &= part
    return found


def in_states(states: Sequence[State]) -> Condition:
    """The condition that a job is in one of these states."""
    # Written out, not bound: a partial index serves only a condition that literally implies its own.
    named = [state for state in STATES if state in states]
    return Condition(f"state IN ({', '.join(map(repr, named))})" if len(named) > 1 else f"state = {named[0]!r}")


def _conditions(wanted: JobFilter, by_index: bool) -> Iterator[Condition]:
    def column(name: str) -> str:
        return name if by_index else f"COALESCE({name}, '')"

    if wanted.ids is not None:
        yield among("id", [i for i in wanted.ids if 0 < i <= _LARGEST_ID])  # no other can be a job's
    if wanted.states:
        yield in_states(wanted.states)
    several = {"kind": wanted.kinds, "scope": wanted.scopes, "worker": wanted.workers, "fault": wanted.faults}
    for name, values in several.items():
        if values:
            yield among(column(name), values)
    limits: dict[str, object] = {
        "priority = ?": wanted.priority,
        "priority >= ?": wanted.priority_from,
        "priority <= ?": wanted.priority_to,
        f"created_at <= {NOW} - ?": wanted.older,
        f"created_at >= {NOW} - ?": wanted.within,
    }
    for sql, value in limits.items():
        if value is not None:
            yield Condition(sql, (value,))
    yield from (_text(column("key"), test) for test in wanted.keys)
    yield from (_text(ERROR, test) for test in wanted.errors)


def _text(column: str, test: TextFilter) -> Condition:
    # LIKE is not used: whether case matters to it is different on each database.
    text, length = test.text, len(test.text)
    if test.how == "equals":
        return Condition(f"{column} = ?", (text,))
    if test.how == "glob":
        sql, bound = db.glob_condition(column, text)
        return Condition(sql, (bound,))
    if not text:  # every text has nothing somewhere
        return Condition("false" if test.how == "not" else "true")
    if test.how == "begins":
        return Condition(f"substr({column}, 1, ?) = ?", (length, text))
    if test.how == "ends":
        ends = f"(length({column}) >= ? AND substr({column}, length({column}) - ?) = ?)"
        return Condition(ends, (length, length - 1, text))
    return Condition(f"replace({column}, ?, '') {'=' if test.how == 'not' else '<>'} {column}", (text,))
