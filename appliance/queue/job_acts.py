"""What people do to several jobs at once in the browser, where others act and jobs run meanwhile.

Guarantees that only those jobs change that stand as the person saw them, or as they were when the question was asked;
that the person is told of every other one what became of it; that a form which is sent twice acts once; and that what
an act changed is kept for a while, so that a deletion can be undone (`undeletion`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from appliance import actor, db
from appliance.db import NOW
from appliance.db.keyset import ALL, Condition
from appliance.errors import JobsChanged
from appliance.queue import job_changes
from appliance.queue.administration import in_transaction
from appliance.queue.job_changes import Acted
from appliance.queue.job_filter import JobFilter, condition, in_states
from appliance.queue.models import State

Act = Literal["delete", "retry", "run", "prioritise"]
#: The states of the jobs that each act changes.
ACTED_ON: Final[Mapping[Act, tuple[State, ...]]] = {
    "delete": ("pending", "failed"),
    "retry": ("failed",),
    "run": ("pending",),
    "prioritise": ("pending",),
}
#: Jobs that an act left alone and that are told one by one.
_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as a page showed it."""

    id: int
    state: State
    attempt: int
    #: Requests that it stood for.
    triggers: int
    priority: int


@dataclass(frozen=True, slots=True)
class Question:
    """All jobs of a filter, as they were when somebody was asked what to do with them."""

    filter: JobFilter
    #: Jobs that would have changed.
    expected: int
    newest: int
    #: The moment, in seconds since the epoch on the database's clock.
    at: float


@dataclass(frozen=True, slots=True)
class Left:
    """A selected job that an act left alone, as it is now."""

    id: int
    key: str
    scope: str
    #: As the person saw it.
    seen: State
    state: State
    priority: int
    worker: str | None
    #: Whether somebody asked for it once more since.
    is_asked_again: bool
    #: The latest act of a person on it: which, whose, when.
    act: Act | None
    actor: str
    at: float


@dataclass(frozen=True, slots=True)
class Result:
    """What an act did."""

    id: int
    act: Act
    actor: str
    #: Seconds since the epoch.
    at: float
    #: Jobs that it changed.
    number: int
    #: Of these, jobs that a newer request for their key superseded.
    superseded: int = 0
    #: The new priority.
    priority: int | None = None
    #: Jobs that were selected, or counted when the question was asked.
    expected: int = 0
    #: Of those that were left alone the first ones; none of a question.
    left: tuple[Left, ...] = ()
    undone_at: float | None = None

    @property
    def number_left(self) -> int:
        """How many of the jobs that were meant it left alone."""
        return self.expected - self.number - self.superseded


def ask(act: Act, wanted: JobFilter) -> Question:
    """Count the jobs that an act on all of a filter would change, and freeze which ones they are."""
    with db.snapshot():
        newest, at = db.execute(f"SELECT COALESCE(MAX(id), 0), {NOW} FROM job").fetchone()
        # Nothing can have been touched since now: that condition would only cost time.
        frozen = in_states(ACTED_ON[act]) & condition(_fixed(wanted, newest, at))
        (expected,) = db.execute(f"SELECT COUNT(*) FROM job WHERE {frozen.where}", frozen.values).fetchone()
    return Question(wanted, expected, newest, at)


def act_on_all(act: Act, question: Question, form: str, *, priority: int = 0, ageing: float = 0.0) -> Result:
    """Act on the jobs that a question was about and that are as they were then.

    Raises:
        JobsChanged: there are more of them than were counted, so nothing was done.
    """
    return _perform(act, _frozen(act, question), question.filter, question, (), form, (priority, ageing))


def act_on_seen(
    act: Act, seen: Sequence[Seen], allowed: JobFilter, visible: JobFilter, form: str, *, priority: int = 0,
    ageing: float = 0.0,
) -> Result:  # fmt: skip
    """Act on jobs that somebody selected, as far as they are as they were seen.

    Args:
        act: what to do.
        seen: the jobs, as the page showed them.
        allowed: which jobs the person may act on.
        visible: which jobs the person may see.
        form: the number of the form; a form that was sent before acts no more, and its result is returned.
        priority: the new priority.
        ageing: seconds of waiting that weigh as much as one step of priority.
    """
    chosen = in_states(ACTED_ON[act]) & condition(replace(allowed, ids=[job.id for job in seen])) & _as_seen(act, seen)
    return _perform(act, chosen, visible, None, seen, form, (priority, ageing))


def find_result(number: int) -> Result | None:
    """Return what an act did; None if it is not known any more."""
    row = db.execute(_RESULT, [number]).fetchone()
    return _result(row) if row else None


_RESULT: Final = "SELECT id, act, actor, at, number, undone_at, result FROM job_act WHERE id = ?"


def _result(row: Sequence[Any]) -> Result:
    more = json.loads(row[6])
    left = tuple(Left(**one) for one in more.pop("left", []))
    id_, act, who, at, number, undone_at, _ = row
    return Result(id_, act, who, at, number, left=left, undone_at=undone_at, **more)


def _frozen(act: Act, question: Question) -> Condition:
    """The condition that a job is one of those that the question is about, and as it was then."""
    fixed = _fixed(question.filter, question.newest, question.at)
    return in_states(ACTED_ON[act]) & condition(replace(fixed, untouched_since=question.at))


def _fixed(wanted: JobFilter, newest: int, at: float) -> JobFilter:
    """A filter with moments in place of ages, and without newer jobs."""
    ends = [end for end in (wanted.created_until, None if wanted.older is None else at - wanted.older) if end]
    begins = [begin for begin in (wanted.created_from, None if wanted.within is None else at - wanted.within) if begin]
    excluded = tuple(_fixed(one, newest, at) for one in wanted.excluded)
    return replace(
        wanted, older=None, within=None, created_until=min(ends, default=None), created_from=max(begins, default=None),
        newest=newest, excluded=excluded,
    )  # fmt: skip


def _as_seen(act: Act, seen: Sequence[Seen]) -> Condition:
    """The condition that a job is one of these and was not touched since. None of these, and none is."""
    columns = ["id", "state", "attempt"]
    columns += ["triggers"] if act == "delete" else ["priority"] if act == "prioritise" else []
    found = ALL
    if seen:
        values = [getattr(job, column) for job in seen for column in columns]
        rows = db.placeholders(len(seen), len(columns))
        found = Condition(f"({', '.join(columns)}) IN (VALUES {rows})", tuple(values))
    return found or Condition("false")


_TAKE: Final = """
INSERT INTO acted_job (act_id, job, state, finished_at)
SELECT ?, id, state, finished_at FROM job WHERE %s ORDER BY id %s
"""


def _perform(
    act: Act, chosen: Condition, wanted: JobFilter, question: Question | None, seen: Sequence[Seen], form: str,
    values: tuple[int, float],
) -> Result:  # fmt: skip
    """Note which jobs are chosen, change them, and keep the result, in one transaction."""

    def perform() -> Result:
        known = db.execute("SELECT id FROM job_act WHERE form = ?", [form]).fetchone()
        if known is not None:
            return _known(known[0])
        number = _note(act, form)
        # What is noted is also locked: nobody else changes these jobs before the end of the transaction.
        db.execute(_TAKE % (chosen.where, db.for_update()), [number, *chosen.values]).close()
        if question is not None:
            _check(number, question.expected)
            left, meant, expected = [], wanted, question.expected
        else:
            left, meant, expected = _left(number, seen, wanted), JobFilter(ids=_taken(number)), len(seen)
        acted = _ACTS[act](JobFilter(act=number), meant, *values)
        more = {"expected": expected, "left": [asdict(one) for one in left]}
        return _keep(number, acted, more if act != "prioritise" else {**more, "priority": values[0]})

    return in_transaction(perform)


def _note(act: Act, form: str) -> int:
    noted = (
        f"INSERT INTO job_act (act, actor, at, form, number, result) VALUES (?, ?, {NOW}, ?, 0, '{{}}') RETURNING id"
    )
    (number,) = db.execute(noted, [act, actor.current().name, form]).fetchone()
    return int(number)


def _check(number: int, expected: int) -> None:
    (taken,) = db.execute("SELECT COUNT(*) FROM acted_job WHERE act_id = ?", [number]).fetchone()
    if taken > expected:
        raise JobsChanged(expected, taken)


def _taken(number: int) -> list[int]:
    rows = db.execute("SELECT job FROM acted_job WHERE act_id = ? ORDER BY job", [number]).fetchall()
    return [job for (job,) in rows]


_ACTS: Final[Mapping[Act, Callable[[JobFilter, JobFilter, int, float], Acted]]] = {
    "delete": lambda chosen, meant, _priority, _ageing: job_changes.cancel(chosen, meant),
    "retry": lambda chosen, meant, _priority, _ageing: job_changes.revive(chosen, meant),
    "run": lambda chosen, meant, _priority, _ageing: job_changes.advance(chosen, meant),
    "prioritise": lambda chosen, meant, priority, ageing: job_changes.rank(chosen, priority, ageing, meant),
}


def _known(number: int) -> Result:
    return _result(db.execute(_RESULT, [number]).fetchone())


def _keep(number: int, acted: Acted, more: dict[str, Any]) -> Result:
    superseded = acted["failed", "superseded"]
    changed = sum(acted.values()) - superseded
    kept = json.dumps({**more, "superseded": superseded})
    db.execute("UPDATE job_act SET number = ?, result = ? WHERE id = ?", [changed, kept, number])
    return _known(number)


_LEFT: Final = """
SELECT id, key, scope, state, priority, worker, triggers,
       (SELECT MAX(a.act_id) FROM acted_job a WHERE a.job = job.id) FROM job
WHERE id IN (%s) AND id NOT IN (SELECT a.job FROM acted_job a WHERE a.act_id = ?) AND %s ORDER BY id LIMIT ?
"""


def _left(number: int, seen: Sequence[Seen], visible: JobFilter) -> list[Left]:
    """Selected jobs that the act leaves alone, as they are now."""
    before = {job.id: job for job in seen}
    where = condition(visible)
    rows = db.execute(
        _LEFT % (db.placeholders(len(before)) or "NULL", where.where), [*before, number, *where.values, _TOLD]
    ).fetchall()
    acts = {last: _known(last) for *_, last in rows if last is not None}
    found = []
    for id_, key, scope, state, priority, worker, triggers, last in rows:
        was, act = before[id_], acts.get(last)
        by = (act.act, act.actor, act.at) if act else (None, "", 0.0)
        found.append(Left(id_, key, scope, was.state, state, priority, worker, triggers > was.triggers, *by))
    return found
