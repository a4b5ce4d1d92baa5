"""Jobs as people see them: found by what is known of them, deleted, tried again, put first.

Guarantees that acting on a selection is one transaction, that a job which runs is never touched, and that a failed
job which is tried again never collides with a newer request for its key: it is superseded by it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal

from peewee import DatabaseError

from appliance import db
from appliance.db import NOW
from appliance.queue.models import State

How = Literal["equals", "contains", "not", "begins", "ends", "glob"]
HOWS: Final = ("equals", "contains", "not", "begins", "ends", "glob")

#: What acting did: how many jobs went from one state to another; from and to the same state they were left alone.
Acted = Counter[tuple[State, State]]

_LARGEST_ID = 2**63 - 1
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Text:
    """A condition on a text, letter by letter: `not` is the opposite of `contains`; in a glob * and ? are wild."""

    how: How
    text: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs; every condition must hold, and of several values of one, any. Without conditions, all jobs."""

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
    keys: Sequence[Text] = ()
    #: Conditions on the error, `Class: message`; all must hold.
    errors: Sequence[Text] = ()
    #: Seconds since it was put on the queue: at least, at most.
    older: float | None = None
    within: float | None = None
    workers: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return self != Selection()


Condition = tuple[str, list[object]]

_ERROR = "(COALESCE(error_class, '') || ': ' || COALESCE(error_message, ''))"


def _where(selection: Selection) -> Condition:
    """The selection as one WHERE and the values bound in it."""
    found = list(_conditions(selection))
    return " AND ".join(sql for sql, _ in found) or "true", [value for _, values in found for value in values]


def _conditions(chosen: Selection) -> Iterator[Condition]:
    if chosen.ids is not None:
        yield _among("id", [i for i in chosen.ids if 0 < i <= _LARGEST_ID])  # no other can be a job's
    several = {"state": chosen.states, "kind": chosen.kinds, "scope": chosen.scopes, "worker": chosen.workers}
    for column, values in several.items():
        if values:
            yield _among(column, values)
    limits: dict[str, object] = {
        "priority = ?": chosen.priority,
        "priority >= ?": chosen.priority_from,
        "priority <= ?": chosen.priority_to,
        f"created_at <= {NOW} - ?": chosen.older,
        f"created_at >= {NOW} - ?": chosen.within,
    }
    for sql, value in limits.items():
        if value is not None:
            yield sql, [value]
    yield from (_text("key", test) for test in chosen.keys)
    yield from (_text(_ERROR, test) for test in chosen.errors)


def _among(column: str, values: Sequence[object]) -> Condition:
    return (f"{column} IN ({db.marks(len(values))})", list(values)) if values else ("false", [])


def _text(column: str, test: Text) -> Condition:
    # LIKE is not used: whether case matters to it is different on each database.
    text, length = test.text, len(test.text)
    if test.how == "equals":
        return f"{column} = ?", [text]
    if test.how == "glob":
        return db.matches(column), [_glob(text)]
    if not text:  # every text has nothing somewhere
        return ("false" if test.how == "not" else "true"), []
    if test.how == "begins":
        return f"substr({column}, 1, ?) = ?", [length, text]
    if test.how == "ends":
        return f"(length({column}) >= ? AND substr({column}, length({column}) - ?) = ?)", [length, length - 1, text]
    return f"replace({column}, ?, '') {'=' if test.how == 'not' else '<>'} {column}", [text]


def _glob(pattern: str) -> str:
    wild = {"*": ".*", "?": "."}
    return r"(?s)\A" + "".join(wild.get(letter) or re.escape(letter) for letter in pattern) + r"\Z"


@dataclass(frozen=True, slots=True)
class Row:
    """A job, without its stack trace. Times are seconds since the epoch on the database's clock."""

    id: int
    kind: str
    key: str
    scope: str
    priority: int
    state: State
    outcome: str | None
    every: float
    run_at: float
    created_at: float
    claimed_at: float | None
    finished_at: float | None
    worker: str | None
    attempt: int
    failures: int
    triggers: int
    reason: str
    error_class: str | None
    error_message: str | None


_COLUMNS = ", ".join(f.name for f in fields(Row))

#: How jobs may be sorted; a hyphen before the word turns it round. `queue`: what runs, what waits in the order it will
#: be claimed, what failed, and the rest, newest first.
ORDERS: Final[Mapping[str, Sequence[str]]] = {
    "queue": (
        "CASE state WHEN 'running' THEN 0 WHEN 'pending' THEN 1 WHEN 'failed' THEN 2 ELSE 3 END",
        "CASE WHEN state IN ('running', 'pending') THEN rank ELSE -COALESCE(finished_at, 0) END",
    ),
    "id": ("id",),
    "kind": ("kind",),
    "path": ("key",),
    "site": ("scope",),
    "state": ("state",),
    "priority": ("priority",),
    "age": ("-created_at",),
    "ended": ("COALESCE(finished_at, 0)",),
    "failures": ("failures",),
    "worker": ("COALESCE(worker, '')",),
    "error": (_ERROR,),
}


def find(selection: Selection, order: str = "queue", limit: int = 50, offset: int = 0) -> list[Row]:
    """The selected jobs, sorted by a word of `ORDERS`; of equals, the older first.

    Raises:
        KeyError: there is no such order.
    """
    where, values = _where(selection)
    direction = "DESC" if order.startswith("-") else "ASC"
    by = ", ".join(f"{part} {direction}" for part in ORDERS[order.removeprefix("-")])
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM job WHERE {where} ORDER BY {by}, id LIMIT ? OFFSET ?", [*values, limit, offset]
    )
    return [Row(*row) for row in rows.fetchall()]


def count(selection: Selection) -> Counter[State]:
    """The number of selected jobs by state."""
    where, values = _where(selection)
    return Counter(dict(db.execute(f"SELECT state, COUNT(*) FROM job WHERE {where} GROUP BY state", values).fetchall()))


@dataclass(frozen=True, slots=True)
class Trigger:
    """One reason for a job: what happened, who did it, the latest change that did, when and how often."""

    reason: str
    actor: str
    change_id: int | None
    first_at: float
    last_at: float
    times: int


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of one job."""

    job: Row
    trace: str | None
    payload: str | None
    #: The latest last.
    chain: list[Trigger]


def show(job_id: int) -> Shown | None:
    """One job with its trigger chain and the stack trace of its last error; None when there is none of that id."""
    with db.snapshot():
        jobs = find(Selection(ids=[job_id]), limit=1)
        if not jobs:
            return None
        trace, payload = db.execute("SELECT error_trace, payload FROM job WHERE id = ?", [job_id]).fetchone()
        chain = db.execute(
            f"SELECT {', '.join(f.name for f in fields(Trigger))} FROM job_trigger WHERE job_id = ?"
            " ORDER BY last_at, COALESCE(change_id, 0), reason, actor",
            [job_id],
        ).fetchall()
    return Shown(jobs[0], trace, payload, [Trigger(*row) for row in chain])


def delete(selection: Selection) -> Acted:
    """Cancel the selected jobs that wait or are failed."""
    where, values = _where(selection)

    def act() -> Acted:
        acted = _standing(where, values, ("pending", "failed"))
        _act(acted, "pending", "cancelled", f"finished_at = {NOW}", where, values)
        _act(acted, "failed", "cancelled", f"finished_at = {NOW}", where, values)
        return acted

    return _transaction(act)


_REVIVED = f"""
failures = 0, finished_at = NULL, worker = NULL, outcome = NULL, answer = 'added',
run_at = CASE WHEN every > 0
              THEN COALESCE((SELECT t.until FROM throttle t WHERE t.kind = job.kind AND t.key = job.key), {NOW})
              ELSE {NOW} END
"""
# Of several failed jobs of a key the newest is tried again, and none while another waits.
_NEWEST = """
NOT EXISTS (SELECT 1 FROM job AS w WHERE w.kind = job.kind AND w.key = job.key AND w.state = 'pending')
AND NOT EXISTS (SELECT 1 FROM job AS n WHERE n.kind = job.kind AND n.key = job.key AND n.state = 'failed'
                AND n.id > job.id AND n.id IN (SELECT id FROM job WHERE {where}))
"""


def retry(selection: Selection) -> Acted:
    """Have the selected failed jobs tried again, as if for the first time; the error stays known until then.

    A job whose key has another that waits is superseded by it.
    """
    where, values = _where(selection)
    newest = f"{where} AND {_NEWEST.format(where=where)}"

    def act() -> Acted:
        acted = _standing(where, values, ("failed",))
        _act(acted, "failed", "pending", _REVIVED, newest, [*values, *values])
        _act(acted, "failed", "superseded", f"finished_at = {NOW}", where, values)
        db.notify()
        return acted

    return _transaction(act)


def prioritise(selection: Selection, priority: int, *, ageing: float) -> Acted:
    """Give the selected jobs that wait another priority; their age counts as before.

    A later request for the same key may raise it again.

    Args:
        selection: which jobs.
        priority: the new one; higher is sooner.
        ageing: seconds of waiting that weigh as much as one step of priority.
    """
    where, values = _where(selection)
    to = "priority = ?, rank = created_at - ? * CAST(? AS DOUBLE PRECISION)"

    def act() -> Acted:
        acted = _standing(where, values, ("pending",))
        _act(acted, "pending", "pending", to, where, values, [priority, priority, ageing])
        return acted

    return _transaction(act)


def _transaction(act: Callable[[], Acted]) -> Acted:
    """Act in one write transaction, from the beginning again when it got in the way of another.

    Jobs may be asked for and claimed meanwhile, in any order: it is this one that gives way, and a job that is new
    then is seen the next time.
    """
    tries = 0
    while True:
        try:
            with db.write():
                db.give_way()
                return act()
        except DatabaseError as error:
            tries += 1
            if not db.collided(error) or tries == _TRIES:
                raise


def _standing(where: str, values: Sequence[object], acted_on: Sequence[State]) -> Acted:
    """The selected jobs by state; those to be acted on stay in theirs until the transaction ends."""
    marks = db.marks(len(acted_on))
    db.execute(
        f"SELECT id FROM job WHERE state IN ({marks}) AND {where} ORDER BY id {db.for_update()}", [*acted_on, *values]
    ).close()
    rows = db.execute(f"SELECT state, COUNT(*) FROM job WHERE {where} GROUP BY state", values)
    return Counter({(state, state): number for state, number in rows.fetchall()})


def _act(
    acted: Acted, before: State, after: State, change: str, where: str, values: Sequence[object],
    bound: Sequence[object] = (),
) -> None:  # fmt: skip
    """Bring selected jobs from one state to another, and count them so."""
    done = db.execute(
        f"UPDATE job SET state = ?, {change} WHERE state = ? AND {where}", [after, *bound, before, *values]
    ).rowcount
    if done and before != after:
        acted[before, after] += done
        acted[before, before] -= done
    acted += Counter()
