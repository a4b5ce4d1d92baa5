"""The list of jobs as a person looks through it: exact where an index has the order, and else of the first jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.config import Config
from appliance.paging import Count, encode_cursor
from appliance.queue import administration, job_pages
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.job_filter import JobFilter, SubjectFilter, TextFilter
from appliance.queue.job_pages import JobPage, count_tabs, known_values, read_page
from appliance.queue.job_queries import ORDERS, JobRow
from appliance.queue.models import STATES, Job
from tests import growth
from tests.queue.test_administration import fill, jobs, selections

quiet = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
states = st.sampled_from([(), *((state,) for state in STATES)])


def all_pages(wanted: JobFilter, order: str, size: int) -> list[JobRow]:
    """The rows of all pages."""
    found: list[JobRow] = []
    page: JobPage | None = None
    while page is None or page.next is not None:
        page = read_page(wanted, order, size=size, after=page.next if page else None)
        assert page.sorted_first is None
        assert len(page.rows) <= size
        found += page.rows
    return found


@quiet
@given(made=jobs, want=selections, order=st.sampled_from(sorted(ORDERS)), reverse=st.booleans(), state=states)
def test_pages_hold_every_job_once_and_in_order(
    database: Config, made: list[dict[str, Any]], want: JobFilter, order: str, reverse: bool, state: tuple[Any, ...]
) -> None:
    fill(made)
    want = JobFilter(**{**vars_of(want), "states": state or want.states})
    word = f"{'-' if reverse else ''}{order}"
    found = all_pages(want, word, 3)
    assert Counter(found) == Counter(administration.find(want, "id", 100))
    if order not in ("queue", "state", "kind", "priority"):  # those have ties, which each list breaks in its own way
        keys: dict[str, Callable[[JobRow], Any]] = {
            "path": lambda row: row.key, "site": lambda row: row.scope, "age": lambda row: -row.created_at,
            "ended": lambda row: row.finished_at or 0, "worker": lambda row: row.worker or "",
            "error": lambda row: f"{row.error_class or ''}: {row.error_message or ''}",
        }  # fmt: skip
        key = keys.get(order, lambda row: getattr(row, order))
        assert [key(row) for row in found] == sorted(map(key, found), reverse=reverse)


def vars_of(want: JobFilter) -> dict[str, Any]:
    return {name: getattr(want, name) for name in want.__dataclass_fields__}


@quiet
@given(made=jobs, want=selections)
def test_tabs_count_what_a_list_holds(database: Config, made: list[dict[str, Any]], want: JobFilter) -> None:
    fill(made)
    want = JobFilter(**{**vars_of(want), "states": ()})
    expected = Counter(row.state for row in administration.find(want, "id", 100))
    assert count_tabs(want) == {state: Count(expected[state]) for state in STATES}


def waits(number: int) -> None:
    """Jobs of two sites that wait, each with a priority, one after the other."""
    for n in range(number):
        site = "blog" if n % 3 else "news"
        enqueue("publish", [JobRequest(f"{n:04}", n % 5, site, template=f"{n % 2}.html")], ageing=60.0)


def test_many_that_wait_are_sorted_by_priority_and_age_exactly(
    database: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(60)
    monkeypatch.setattr(job_pages, "SORTED", 20)
    pending = JobFilter(states=["pending"])
    numbers = [int(row.key) for row in all_pages(pending, "-priority", 7)]
    assert [n % 5 for n in numbers] == sorted((n % 5 for n in range(60)), reverse=True)
    oldest = read_page(pending, "-age", size=2)
    assert [row.key for row in oldest.rows] == ["0000", "0001"]
    youngest = read_page(pending, "age", size=2)
    assert [row.key for row in youngest.rows] == ["0059", "0058"]
    of_site = read_page(JobFilter(states=["pending"], scopes=["news"]), "-age", size=3)
    assert [row.key for row in of_site.rows] == ["0000", "0003", "0006"]


def test_of_too_many_the_first_are_sorted_and_it_says_so(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    waits(30)
    monkeypatch.setattr(job_pages, "SORTED", 10)
    pending = JobFilter(states=["pending"])
    first = read_page(pending, "path", size=6)
    assert (first.sorted_first, len(first.rows)) == (10, 6)
    second = read_page(pending, "path", size=6, after=first.next)
    assert (second.next, len(second.rows)) == (None, 4)
    shown = [row.key for row in (*first.rows, *second.rows)]
    assert shown == sorted(row.key for row in administration.find(pending, "queue", 10))


def test_values_for_completion_are_of_visible_jobs(database: Config) -> None:
    waits(6)
    assert known_values(JobFilter(scopes=["news"])) == {
        "kind": ["publish"], "template": ["0.html", "1.html"], "worker": [],
    }  # fmt: skip
    assert known_values(JobFilter(ids=())) == {"kind": [], "template": [], "worker": []}


A_TEXT = JobFilter(texts=(SubjectFilter("any", (TextFilter("has", "nowhere"),)),))
#: Pages at which a person looks, whatever is typed.
LOOKS: dict[str, Callable[[], Any]] = {
    **{f"sorted by {order}": lambda order=order: read_page(JobFilter(), order) for order in ORDERS},  # type: ignore[misc]
    **{
        f"the done by {order}": lambda order=order: read_page(JobFilter(states=["done"]), f"-{order}")  # type: ignore[misc]
        for order in ORDERS
    },
    "words": lambda: read_page(A_TEXT),
    "words among the done": lambda: read_page(JobFilter(states=["done"], texts=A_TEXT.texts), "path"),
    "a site": lambda: read_page(JobFilter(states=["pending"], scopes=["news"])),
    "tabs": lambda: count_tabs(JobFilter()),
    "tabs of a site": lambda: count_tabs(JobFilter(scopes=["blog"])),
    "tabs of words": lambda: count_tabs(A_TEXT),
    "values": lambda: known_values(JobFilter()),
}


@pytest.fixture
def queue(database: Config) -> Config:
    enqueue("publish", [JobRequest(f"waits/{n}", n % 7, "blog") for n in range(100)], ageing=60.0)
    growth.finished_jobs(1000, 15_000)
    return database


def test_no_page_costs_more_with_many_times_as_many_jobs_that_are_over(
    queue: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def costs() -> dict[str, int]:
        if growth.is_server(queue):
            return {name: growth.rows_read(monkeypatch, look) for name, look in LOOKS.items()}
        return {name: growth.steps(look) for name, look in LOOKS.items()}

    before = costs()
    growth.finished_jobs(15_001, 60_000)
    after = costs()
    assert {name: (before[name], cost) for name, cost in after.items() if cost > 1.3 * before[name] + 60} == {}


@pytest.mark.parametrize("name", LOOKS)
def test_a_page_takes_a_bounded_number_of_queries(queue: Config, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    del queue
    ran: list[str] = []
    execute = db.execute
    monkeypatch.setattr(db, "execute", lambda sql, values=(): (ran.append(sql), execute(sql, values))[1])
    LOOKS[name]()
    few = len(ran)
    assert few <= 24
    Job.insert_many(
        [
            {"kind": "publish", "key": f"more/{n}", "scope": "blog", "rank": 0, "run_at": 0, "created_at": 0}
            for n in range(200)
        ]
    ).execute()
    ran.clear()
    LOOKS[name]()
    assert len(ran) <= few


def test_a_cursor_of_another_order_is_refused(database: Config) -> None:
    waits(2)
    from appliance.errors import CursorError

    for order in ("error", "-priority", "queue"):
        with pytest.raises(CursorError):
            read_page(JobFilter(states=["pending"]), order, after=encode_cursor("path", ("a", 1)))
