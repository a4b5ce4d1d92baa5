"""Jobs as people read them: pages of a list, counts, and all that is known of one.

A page costs the same at any number of jobs when it is in one of `INDEXED_ORDERS`. The counts of `count_jobs` stop at a
bound; those of `count` do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Final

from appliance import db
from appliance.db import keyset
from appliance.db.keyset import ALL, Condition, Listing, Order
from appliance.errors import CursorError
from appliance.paging import NONE, PAGE_SIZE, Count, Counts, Group, Page, all_rows, decode_cursor, encode_cursor
from appliance.queue import store
from appliance.queue.attempts import Attempt, list_attempts
from appliance.queue.job_filter import ANY_JOB, ERROR, JobFilter, condition, in_states
from appliance.queue.job_groups import MOST_COUNTED, MOST_MERGED, over_groups, waiting_groups
from appliance.queue.models import OVER, STATES, State
from appliance.queue.triggers import Trigger, chain_of


@dataclass(frozen=True, slots=True)
class JobRow:
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
    template: str


COLUMNS = ", ".join(f.name for f in fields(JobRow))

#: How jobs may be sorted; a hyphen before the word turns the order round. `queue` is what runs, what waits in the order
#: it will be claimed, what failed, and the rest, newest first.
ORDERS: Final[Mapping[str, tuple[str, type]]] = {
    "queue": ("", float),
    "id": ("", int),
    "kind": ("kind", str),
    "path": ("key", str),
    "site": ("scope", str),
    "template": ("template", str),
    "state": ("state", str),
    "priority": ("priority", int),
    "age": ("-created_at", float),
    "ended": ("COALESCE(finished_at, 0)", float),
    "failures": ("failures", int),
    "worker": ("COALESCE(worker, '')", str),
    "error": (ERROR, str),
}
#: The orders that an index has. Of any other, a page sorts all jobs that match.
INDEXED_ORDERS: Final = ("queue", "id", "path")

#: The parts of the order `queue`. An index has each part in its order.
_QUEUE: Final[tuple[tuple[tuple[State, ...], Order], ...]] = (
    (("running",), Order(("rank", "id"), (float, int))),
    (("pending",), Order(("rank", "id"), (float, int))),
    (("failed",), Order(("finished_at", "id"), (float, int), descending=True)),
    (OVER, Order(("finished_at", "id"), (float, int), descending=True)),
)
#: Rows that are read at once where many are wanted.
_MANY: Final = 1000


def list_jobs(
    wanted: JobFilter = ANY_JOB, order: str = "queue", *, size: int = PAGE_SIZE, after: str | None = None,
    with_total: bool = True, counted: int = keyset.CAP,
) -> Page[JobRow]:  # fmt: skip
    """Read a page of the jobs that match a filter.

    A job that changes its state between two pages of the order `queue` may come twice or not at all.

    Args:
        wanted: which jobs.
        order: a word of `ORDERS`.
        size: rows of a page.
        after: the cursor of the page before; None for the first page.
        with_total: whether to count the jobs of all pages.
        counted: the most jobs of each part of the queue that are counted.

    Raises:
        KeyError: there is no such order.
        CursorError: the cursor is of another list.
    """
    with db.snapshot():
        parts = _parts(wanted, order)
        rows, position = _read(parts, order, size, after)
        total = sum((total_of(part, counted) for part in parts), NONE) if with_total else None
    return Page(tuple(rows), None if position is None else encode_cursor(order, position), total)


def total_of(part: Listing, counted: int) -> Count:
    """Count the jobs of one part of the queue, and test a filter on no more of them."""
    return keyset.count(replace(part, reach=part.reach and min(part.reach, counted)), counted)


def find(wanted: JobFilter, order: str = "queue", limit: int = PAGE_SIZE) -> list[JobRow]:
    """The first `limit` jobs that match a filter, however many pages that takes. Errors as `list_jobs`."""
    size = max(1, min(limit, _MANY))
    with db.snapshot():
        rows = all_rows(lambda after: list_jobs(wanted, order, size=size, after=after, with_total=False))
        return list(islice(rows, limit))


def count(wanted: JobFilter) -> Counter[State]:
    """Count the jobs that match a filter, by state. The count is exact and takes longer the more jobs match."""
    if wanted == JobFilter(states=wanted.states):
        known = store.count_by_state()
        return Counter({state: known[state] for state in wanted.states or STATES if known[state]})
    where = condition(wanted)
    rows = db.execute(f"SELECT state, COUNT(*) FROM job WHERE {where.where} GROUP BY state", where.values)
    return Counter(dict(rows.fetchall()))


def count_jobs(wanted: JobFilter = ANY_JOB, *, reach: int = keyset.REACH) -> Counts:
    """Count the jobs that match a filter, by scope (`site`), kind and state, in a bounded time.

    Where there are many, the numbers are capped. Jobs that are over are counted group by group. In any other state, and
    with conditions on anything but state, kind and scope, only the jobs that a list shows first are counted, `reach` of
    each part of the queue.
    """
    groups: dict[Group, Count] = {}
    with db.snapshot():
        over = over_groups(wanted, MOST_COUNTED) if not _rest(wanted) else None
        if over is not None:
            groups = keyset.count_groups("job", over)
        for states, order in _QUEUE:
            if states == OVER and over is not None:
                continue
            if _overlap(states, wanted):
                groups |= _counted(wanted, states, order, reach)
    return Counts(groups)


def _counted(wanted: JobFilter, states: tuple[State, ...], order: Order, reach: int) -> dict[Group, Count]:
    """Count the jobs of one part of the queue by group, among those that a list shows first."""
    rest = replace(wanted, states=_overlap(states, wanted) if len(states) > 1 else ())
    listing = Listing("job", order, (in_states(states),), condition(rest, by_index=False), reach, _bound(states))
    rows, is_capped = keyset.count_by(listing, ("scope", "kind", "state"))
    return {Group(scope, kind, state): Count(number, is_capped) for scope, kind, state, number in rows}


def _read(
    parts: list[Listing], order: str, size: int, after: str | None
) -> tuple[list[JobRow], tuple[object, ...] | None]:
    """The rows of a page, and where the next one begins: a part, whether to begin inside it, and after which row."""
    rows: list[JobRow] = []
    start, values = _place(parts, order, after)
    for number in range(start, len(parts)):
        found, end = keyset.read(parts[number], COLUMNS, size - len(rows), values)
        rows += [JobRow(*row) for row in found]
        if end is not None:
            return rows, (number, 1, *end)
        values = None
        if len(rows) == size and number + 1 < len(parts):
            return rows, (number + 1, 0, *(kind() for kind in parts[number + 1].order.types))
    return rows, None


def _place(parts: list[Listing], order: str, after: str | None) -> tuple[int, tuple[object, ...] | None]:
    if after is None or not parts:
        return 0, None
    number, is_inside, *values = decode_cursor(order, after, (int, int, *parts[0].order.types))
    if not isinstance(number, int) or not 0 <= number < len(parts):
        raise CursorError(order)
    return number, tuple(values) if is_inside else None


def _parts(wanted: JobFilter, order: str) -> list[Listing]:
    """The lists that a list of jobs consists of, one after the other."""
    word, reverse = order.removeprefix("-"), order.startswith("-")
    if word == "queue":
        found = queue_parts(wanted)
        return [replace(part, order=_turned(part.order, reverse)) for part in found[:: -1 if reverse else 1]]
    column, kind = ORDERS[word]
    by = Order((column, "id"), (kind, int), reverse) if column else Order(("id",), (int,), reverse)
    if word in INDEXED_ORDERS and not is_looked_up(wanted):
        return [Listing("job", by, filter=condition(wanted, by_index=False))]
    return [Listing("job", by, (condition(wanted),))]


def queue_parts(wanted: JobFilter) -> list[Listing]:
    """The parts of the queue that have jobs of a filter: what runs, what waits, what failed, and what is over."""
    return [_part(wanted, states, by) for states, by in _QUEUE if _overlap(states, wanted)]


def _part(wanted: JobFilter, states: tuple[State, ...], order: Order) -> Listing:
    chosen = replace(wanted, states=_overlap(states, wanted))
    if is_looked_up(wanted):  # so few that they are read and sorted
        return Listing("job", order, (condition(chosen),))
    if states == OVER and (wanted.states or wanted.kinds or wanted.scopes):
        groups = over_groups(chosen, MOST_MERGED)
        if groups is not None:
            return Listing("job", order, tuple(groups.values()), condition(_rest(wanted), by_index=False))
    if states == ("pending",) and wanted.scopes:
        waiting = waiting_groups(wanted.scopes)
        if waiting is not None:
            rest = replace(wanted, states=(), scopes=())
            return Listing("job", order, tuple(waiting.values()), condition(rest, by_index=False))
    if states == OVER:
        part = replace(wanted, states=() if chosen.states == OVER else chosen.states)
    else:
        part = replace(wanted, states=())
    return Listing("job", order, (in_states(states),), condition(part, by_index=False), bound=_bound(states))


def _bound(states: tuple[State, ...]) -> Condition:
    """The bound by which the index of a part of the queue is found, for the part that has several."""
    return Condition("finished_at > 0") if states == ("failed",) else ALL


def _overlap(states: tuple[State, ...], wanted: JobFilter) -> tuple[State, ...]:
    return tuple(state for state in states if not wanted.states or state in wanted.states)


def is_looked_up(wanted: JobFilter) -> bool:
    """Whether a filter names jobs that an index finds one by one."""
    return wanted.ids is not None or any(test.how == "equals" for test in wanted.keys)


def _rest(wanted: JobFilter) -> JobFilter:
    """A filter without its states, kinds and scopes."""
    return replace(wanted, states=(), kinds=(), scopes=())


def _turned(order: Order, reverse: bool) -> Order:
    return replace(order, descending=order.descending != reverse)


@dataclass(frozen=True, slots=True)
class JobDetails:
    """All that is known of one job."""

    job: JobRow
    trace: str | None
    payload: str | None
    #: The latest last.
    chain: list[Trigger]
    #: The first one first.
    attempts: list[Attempt] = field(default_factory=list)


def show(job_id: int) -> JobDetails | None:
    """Return one job with its triggers, its attempts and the stack trace of its last error; None if there is none."""
    with db.snapshot():
        jobs = find(JobFilter(ids=[job_id]), limit=1)
        if not jobs:
            return None
        trace, payload = db.execute("SELECT error_trace, payload FROM job WHERE id = ?", [job_id]).fetchone()
        chain = chain_of(job_id)
        attempts = list_attempts(job_id)
    return JobDetails(jobs[0], trace, payload, chain, attempts)
