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

How = Literal["equals", "contains", "not", "begins", "ends", "glob", "has"]
HOWS: Final = ("equals", "contains", "not", "begins", "ends", "glob", "has")
#: What a condition on text is about.
Subject = Literal["path", "error", "template", "worker", "trigger", "any"]

_LARGEST_ID = 2**63 - 1

#: The error of a job as text, `Class: message`.
ERROR: Final = "(COALESCE(error_class, '') || ': ' || COALESCE(error_message, ''))"


@dataclass(frozen=True, slots=True)
class TextFilter:
    """A condition on a text. `not` negates `contains`, a glob has the wildcards `*` and `?`.

    Case matters, except to `has`, which is true of every text that contains this one.
    """

    how: How
    text: str


@dataclass(frozen=True, slots=True)
class SubjectFilter:
    """A condition on one of the texts of a job, true if any of the tests holds."""

    #: `any` is the path and the error; `trigger` is the reasons and the names of who caused the job.
    subject: Subject
    tests: Sequence[TextFilter]


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
    #: Further conditions on texts; all must hold.
    texts: Sequence[SubjectFilter] = ()
    #: Moments between which it was put on the queue: from the first on, and before the second.
    created_from: float | None = None
    created_until: float | None = None
    #: Jobs that any of these selects are not meant.
    excluded: Sequence[JobFilter] = ()
    #: The newest job that is meant.
    newest: int | None = None
    #: Only jobs that nobody has asked for, run, ended or acted on since this moment.
    untouched_since: float | None = None
    #: The jobs of this act, as `models.ActedJob` has them.
    act: int | None = None

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
        "created_at >= ?": wanted.created_from,
        "created_at < ?": wanted.created_until,
        "id <= ?": wanted.newest,
        "id IN (SELECT a.job FROM acted_job a WHERE a.act_id = ?)": wanted.act,
    }
    for sql, value in limits.items():
        if value is not None:
            yield Condition(sql, (value,))
    yield from (_text(column("key"), test) for test in wanted.keys)
    yield from (_text(ERROR, test) for test in wanted.errors)
    yield from (_about(one) for one in wanted.texts)
    yield from (_negated(condition(one, by_index=False)) for one in wanted.excluded)
    if wanted.untouched_since is not None:
        yield Condition(_UNTOUCHED, (wanted.untouched_since,) * 5)


#: A request that is folded into a job leaves a later trigger, an act of a person a later act; a run and a change of the
#: state leave their times.
_UNTOUCHED: Final = """
created_at <= ? AND COALESCE(claimed_at, 0) <= ? AND COALESCE(finished_at, 0) <= ?
AND NOT EXISTS (SELECT 1 FROM job_trigger t WHERE t.job_id = job.id AND t.last_at > ?)
AND NOT EXISTS (SELECT 1 FROM acted_job a JOIN job_act x ON x.id = a.act_id WHERE a.job = job.id AND x.at > ?)
"""
#: The SQL of each subject. By none of these an index finds jobs.
_SUBJECTS: Final[dict[Subject, str]] = {
    "path": "COALESCE(key, '')",
    "error": ERROR,
    "template": "COALESCE(template, '')",
    "worker": "COALESCE(worker, '')",
    "any": f"(key || ' ' || {ERROR})",
    "trigger": "(t.reason || ' ' || t.actor)",
}


def _about(wanted: SubjectFilter) -> Condition:
    tests = [_text(_SUBJECTS[wanted.subject], test) for test in wanted.tests]
    values = tuple(value for test in tests for value in test.values)
    sql = " OR ".join(f"({test.where})" for test in tests) or "false"
    if wanted.subject == "trigger":
        sql = (
            f"EXISTS (SELECT 1 FROM job_trigger t WHERE t.job_id = job.id AND ({sql}))"
            f" OR EXISTS (SELECT 1 FROM shared_trigger t WHERE t.trigger_set_id = job.trigger_set AND ({sql}))"
        )
        values *= 2
    return Condition(f"({sql})", values)


def _negated(what: Condition) -> Condition:
    return Condition(f"NOT ({what.where})", what.values)


def _text(column: str, test: TextFilter) -> Condition:
    # LIKE is not used: whether case matters to it is different on each database.
    text, length = test.text, len(test.text)
    if test.how == "equals":
        return Condition(f"{column} = ?", (text,))
    if test.how == "glob":
        sql, bound = db.glob_condition(column, text)
        return Condition(sql, (bound,))
    if test.how == "has":
        sql, bound = db.contains(column, text)
        return Condition(sql, (bound,))
    if not text:  # every text has nothing somewhere
        return Condition("false" if test.how == "not" else "true")
    if test.how == "begins":
        return Condition(f"substr({column}, 1, ?) = ?", (length, text))
    if test.how == "ends":
        ends = f"(length({column}) >= ? AND substr({column}, length({column}) - ?) = ?)"
        return Condition(ends, (length, length - 1, text))
    return Condition(f"replace({column}, ?, '') {'=' if test.how == 'not' else '<>'} {column}", (text,))
