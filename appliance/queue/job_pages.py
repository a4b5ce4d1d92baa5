"""The list of jobs as a person looks through it: pages in any order, and the number of jobs in each state.

Guarantees that a page costs the same at any number of jobs. An order that an index has is exact; in any other, the
first jobs of the queue are sorted, and the page says how many those are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance import db
from appliance.db import keyset
from appliance.db.keyset import Condition, Listing, Order
from appliance.paging import NONE, PAGE_SIZE, Count, decode_cursor, encode_cursor
from appliance.queue.job_filter import JobFilter, in_states
from appliance.queue.job_groups import waiting_groups
from appliance.queue.job_queries import COLUMNS, ORDERS, JobRow, is_looked_up, list_jobs, queue_parts, total_of
from appliance.queue.models import STATES, State

#: Jobs that are sorted where no index has the order.
SORTED: Final = 5_000
#: Rows on which a count tests a filter that no index serves.
_TESTED: Final = 2_000
#: Rows from whose values lines are completed, of each part of the queue.
_SAMPLE: Final = 500


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some rows of a list of jobs; see `paging.Page`."""

    rows: tuple[JobRow, ...]
    #: The cursor that the next page begins after; None on the last page.
    next: str | None
    #: The number of jobs that were sorted, if more match; None if the order is that of all.
    sorted_first: int | None = None


def read_page(wanted: JobFilter, order: str = "queue", *, size: int = PAGE_SIZE, after: str | None = None) -> JobPage:
    """Read a page of the jobs that match a filter.

    Args:
        wanted: which jobs.
        order: a word of `ORDERS`, with a hyphen before it for the other way round.
        size: rows of a page.
        after: the cursor of the page before; None for the first page.

    Raises:
        KeyError: there is no such order.
        CursorError: the cursor is of another list.
    """
    word = order.removeprefix("-")
    column, kind = ORDERS[word]
    with db.snapshot():
        if word == "queue" or (word in ("id", "path") and not wanted.states):
            page = list_jobs(wanted, order, size=size, after=after, with_total=False)
            return JobPage(page.rows, page.next)
        waiting = _by_priority(wanted, order) if word == "priority" else None
        if waiting is not None:
            return _indexed(waiting, order, size, after)
        return _sorted(wanted, order, (column or "id", int if word == "id" else kind), size, after)


def _by_priority(wanted: JobFilter, order: str) -> Listing | None:
    """The list of waiting jobs by priority, which an index has for each site; None for any other list."""
    if tuple(wanted.states) != ("pending",) or is_looked_up(wanted):
        return None
    groups = waiting_groups(wanted.scopes)
    if groups is None:
        return None
    scopes = dict.fromkeys(scope for scope, _ in groups)
    by = Order(("priority", "rank", "id"), (int, float, int), order.startswith("-"))
    of_scopes = tuple(in_states(["pending"]) & Condition("scope = ?", (scope,)) for scope in scopes)
    (part,) = queue_parts(replace(wanted, scopes=()))
    return replace(part, order=by, groups=of_scopes)


def _indexed(listing: Listing, order: str, size: int, after: str | None) -> JobPage:
    page = keyset.page(listing, order, COLUMNS, _rows, size=size, after=after, with_total=False)
    return JobPage(page.rows, page.next)


def _rows(found: Sequence[Any]) -> list[JobRow]:
    return [JobRow(*row) for row in found]


def _sorted(wanted: JobFilter, order: str, by: tuple[str, type], size: int, after: str | None) -> JobPage:
    """A page of the first jobs of the queue that match, sorted by an expression and the id."""
    (expression, kind), is_reverse = by, order.startswith("-")
    parts = _by_age(wanted, is_oldest_first=is_reverse) if "created_at" in expression else queue_parts(wanted)
    found, is_all = _first(parts, f"{expression}, id")
    found.sort(reverse=is_reverse)
    start = 0
    if after is not None:
        last = decode_cursor(order, after, (kind, int))
        start = sum(1 for key in found if key == last or (key > last) == is_reverse)
    shown = found[start : start + size]
    following = encode_cursor(order, shown[-1]) if start + size < len(found) else None
    return JobPage(_of_numbers([number for _, number in shown]), following, None if is_all else len(found))


def _by_age(wanted: JobFilter, *, is_oldest_first: bool) -> list[Listing]:
    """The parts of the queue, each so that it begins with the jobs that are asked for."""
    waiting = waiting_groups(wanted.scopes)
    if waiting is None or is_looked_up(wanted):
        return queue_parts(wanted)
    ended = [state for state in wanted.states or STATES if state != "pending"]
    parts = queue_parts(replace(wanted, states=ended)) if ended else []
    if not wanted.states or "pending" in wanted.states:
        for part in queue_parts(replace(wanted, states=["pending"], scopes=())):
            # Of one priority, what waits longest is the first in the queue.
            parts += [replace(part, groups=(group,)) for group in waiting.values()]
    return [replace(part, order=replace(part.order, descending=not is_oldest_first)) for part in parts]


def _first(parts: Sequence[Listing], columns: str) -> tuple[list[Any], bool]:
    """The first rows of several lists, each with as many, and whether there are no others."""
    found: list[Any] = []
    is_all = True
    for part in parts:
        rows, end = keyset.read(part, columns, SORTED // len(parts))
        found += rows
        is_all = is_all and end is None
    return found, is_all


def _of_numbers(numbers: Sequence[int]) -> tuple[JobRow, ...]:
    where = f"id IN ({db.placeholders(len(numbers)) or 'NULL'})"
    rows = {row[0]: JobRow(*row) for row in db.execute(f"SELECT {COLUMNS} FROM job WHERE {where}", numbers).fetchall()}
    return tuple(rows[number] for number in numbers)


def count_tabs(wanted: JobFilter) -> dict[State, Count]:
    """Count the jobs in each state that match a filter without states, in a bounded time; many are capped."""
    with db.snapshot():
        return {state: _count(replace(wanted, states=(state,))) for state in STATES}


def _count(wanted: JobFilter) -> Count:
    if wanted == JobFilter(states=("pending",), scopes=wanted.scopes) and wanted.scopes:
        groups = [in_states(["pending"]) & Condition("scope = ?", (scope,)) for scope in wanted.scopes]
        return keyset.count(Listing("job", Order(("priority",), (int,)), tuple(groups)))
    return sum((total_of(part, _TESTED if part.filter else keyset.CAP) for part in queue_parts(wanted)), NONE)


def known_values(wanted: JobFilter) -> dict[str, list[str]]:
    """The kinds, templates and workers of the first jobs of each part of the queue, to complete what is typed."""
    found: dict[str, set[str]] = {"kind": set(), "template": set(), "worker": set()}
    with db.snapshot():
        for part in queue_parts(wanted):
            rows, _ = keyset.read(part, "kind, template, COALESCE(worker, '')", _SAMPLE)
            for row in rows:
                for values, value in zip(found.values(), row, strict=True):
                    values.add(value)
    return {name: sorted(values - {""}) for name, values in found.items()}
