"""What is asked of the queue all the time costs the same however many jobs are over."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from appliance import db
from appliance.config import Config
from appliance.paging import all_rows, encode_cursor
from appliance.queue import administration, pruning, store
from appliance.queue.administration import JobFilter, TextFilter
from appliance.queue.enqueue import JobRequest, enqueue
from tests import growth

AGEING = 60.0
YEARS = 100 * 365 * 86_400.0

#: By what it is, what is done every second, or while a person waits. Each leaves things as they are.
LOOKS: dict[str, Callable[[], Any]] = {
    "rescue": lambda: store.rescue(3),
    "rescue of a worker's": lambda: store.rescue(3, worker="nobody:1"),
    "failures": store.recent_failures,
    "holders": store.holder_names,
    "unfinished": store.count_unfinished,
    "outstanding": store.count_outstanding,
    "next_due": lambda: store.seconds_until_due(60),
    "unknown kinds": lambda: store.count_unknown_kinds({"publish"}),
    "list": lambda: administration.find(JobFilter()),
    "list from the end": lambda: administration.find(JobFilter(), "-queue"),
    "list of the failed": lambda: administration.find(JobFilter(states=["failed"])),
    "list of the done": lambda: administration.find(JobFilter(states=["done"])),
    "list by path": lambda: administration.find(JobFilter(keys=[TextFilter("equals", "posts/7/index.html")])),
    "why": lambda: administration.find(
        JobFilter(kinds=["publish"], keys=[TextFilter("equals", "posts/7/index.html")]), "-id", 200
    ),
    "page": lambda: administration.list_jobs(),
    "page from the middle": lambda: administration.list_jobs(after=encode_cursor("queue", (3, 1, 5000.0, 5000))),
    "page by id": lambda: administration.list_jobs(order="id", after=encode_cursor("id", (0, 1, 5000))),
    "page of a site": lambda: administration.list_jobs(JobFilter(scopes=["blog"])),
    "page of a kind nobody knows": lambda: administration.list_jobs(JobFilter(kinds=["letter"])),
    "page of the cancelled": lambda: administration.list_jobs(JobFilter(states=["cancelled"])),
    "page of a pattern": lambda: administration.list_jobs(JobFilter(keys=[TextFilter("glob", "nowhere/*")])),
    "page of an error": lambda: administration.list_jobs(JobFilter(errors=[TextFilter("contains", "nowhere")])),
    "page of a worker": lambda: administration.list_jobs(JobFilter(workers=["nobody:1"])),
    "counts": lambda: administration.count_jobs(),
    "counts of a kind": lambda: administration.count_jobs(JobFilter(kinds=["publish"])),
    "counts of an error": lambda: administration.count_jobs(JobFilter(errors=[TextFilter("contains", "nowhere")])),
    "prune": lambda: pruning.prune(YEARS),
    "prune something": lambda: growth.undone(lambda: pruning.prune(db.now() - 1000)),
}
#: Those that look at what waits, of which there is little here: a planner may read all of that.
SERVER = {
    name: look
    for name, look in LOOKS.items()
    if name not in ("list from the end",) and "page" not in name and "counts" not in name
}


@pytest.fixture
def queue(database: Config) -> Config:
    """A hundred jobs that wait, ten that run, and ten thousand that are over."""
    enqueue("publish", [JobRequest(f"waits/{n}") for n in range(100)], ageing=AGEING)
    store.claim("here:1", ["publish"], 10, 60)
    growth.finished_jobs(1, 10_000)
    return database


@pytest.mark.parametrize("gathered", [False, True], ids=["without statistics", "with statistics"])
def test_no_look_costs_more_with_ten_times_as_many_jobs_that_are_over(queue: Config, gathered: bool) -> None:
    if growth.is_server(queue):
        pytest.skip("steps are SQLite's")
    if gathered:
        db.execute("ANALYZE")
    before = {name: growth.steps(look) for name, look in LOOKS.items()}
    growth.finished_jobs(10_001, 100_000)
    after = {name: growth.steps(look) for name, look in LOOKS.items()}
    assert {name: (before[name], after[name]) for name in LOOKS if after[name] > 1.5 * before[name] + 5} == {}


@pytest.mark.parametrize("name", SERVER)
def test_no_look_walks_through_all_jobs(queue: Config, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    growth.finished_jobs(10_001, 30_000)
    for plan in growth.plans(monkeypatch, SERVER[name]):
        assert not growth.walks(plan, "job"), plan


def test_no_page_reads_more_rows_with_three_times_as_many_jobs_that_are_over(
    queue: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not growth.is_server(queue):
        pytest.skip("steps are counted on SQLite")
    pages = {name: look for name, look in LOOKS.items() if "page" in name or "counts" in name}
    growth.finished_jobs(10_001, 20_000)
    before = {name: growth.rows_read(monkeypatch, look) for name, look in pages.items()}
    growth.finished_jobs(20_001, 60_000)
    after = {name: growth.rows_read(monkeypatch, look) for name, look in pages.items()}
    assert {name: (before[name], after[name]) for name in pages if after[name] > 1.5 * before[name] + 50} == {}


def test_counting_takes_a_step_a_job_and_nothing_more(queue: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    if growth.is_server(queue):
        pytest.skip("steps are SQLite's")
    counted, walked = (
        growth.steps(store.count_by_state),
        growth.steps(lambda: db.execute("SELECT COUNT(state) FROM job").fetchall()),
    )
    assert counted < 2 * walked
    assert not any(growth.walks(plan, "job") for plan in growth.plans(monkeypatch, store.count_by_state))
    assert store.count_by_state()["done"] == 10_000
    assert administration.count(JobFilter()) == {"pending": 90, "running": 10, "done": 10_000}
    assert administration.count(JobFilter(states=["done"])) == {"done": 10_000}


def test_a_look_at_what_waits_asks_for_the_time_once(queue: Config) -> None:
    if growth.is_server(queue):
        pytest.skip("on PostgreSQL the clock is a function of its own")
    asked: list[int] = []
    db.database.connection().create_function("appliance_now", 0, lambda: asked.append(1) or 4e9)
    store.count_outstanding()
    assert len(asked) <= 3


@pytest.mark.parametrize("pattern", ["posts/7/*", "*/7/index.*", "posts/?/index.html", "waits/[1]", "POSTS/*"])
def test_patterns_match_on_each_database_alike(queue: Config, pattern: str) -> None:
    enqueue("publish", [JobRequest("waits/[1]")], ageing=AGEING)
    expected = {
        "posts/7/*": ["posts/7/index.html"], "*/7/index.*": ["posts/7/index.html"],
        "posts/?/index.html": [f"posts/{n}/index.html" for n in range(1, 10)], "waits/[1]": ["waits/[1]"],
        "POSTS/*": [],
    }  # fmt: skip
    found = administration.find(JobFilter(keys=[TextFilter("glob", pattern)]), "path")
    assert [row.key for row in found] == expected[pattern]


def test_the_order_of_the_queue_goes_through_its_parts(queue: Config) -> None:
    whole = [row.id for row in administration.find(JobFilter(), limit=200)]
    paged = all_rows(lambda after: administration.list_jobs(size=30, after=after, with_total=False))
    assert [row.id for row in islice(paged, 200)] == whole
    states = [row.state for row in administration.find(JobFilter(), limit=200)]
    assert states == ["running"] * 10 + ["pending"] * 90 + ["done"] * 100
    ends = [row.finished_at for row in administration.find(JobFilter(states=["done"]), limit=3)]
    assert ends == [10_000, 9_999, 9_998]
    assert administration.find(JobFilter(), "-queue", 1)[0].finished_at == 1


#: What looks at the jobs that failed.
OF_FAILED: dict[str, Callable[[], Any]] = {
    **{name: LOOKS[name] for name in ("failures", "list of the failed", "page", "page of a site", "counts")},
    "counts of a site": lambda: administration.count_jobs(JobFilter(scopes=["blog"]), reach=1000),
    "page of a pattern": LOOKS["page of a pattern"],
    "page after": lambda: administration.list_jobs(after=encode_cursor("queue", (2, 1, 2000.0, 2000))),
}


@pytest.mark.parametrize("gathered", [False, True], ids=["without statistics", "with statistics"])
def test_no_look_costs_more_with_ten_times_as_many_jobs_that_failed(database: Config, gathered: bool) -> None:
    if growth.is_server(database):
        pytest.skip("steps are SQLite's")
    growth.finished_jobs(100_001, 110_000)
    costs: list[dict[str, int]] = []
    for first, last in ((1, 12_000), (12_001, 100_000)):  # more than a page or a count tests a filter on
        growth.failed_jobs(first, last)
        if gathered:
            db.analyze()
            # What it learns of a part of a large index may be far off, as here of one that lacks the order of the list.
            db.execute("UPDATE sqlite_stat1 SET stat = '4794 401 1' WHERE idx = 'job_failed'")
            db.execute("ANALYZE sqlite_schema")
        costs.append({name: growth.steps(look) for name, look in OF_FAILED.items()})
    before, after = costs
    assert {name: (before[name], after[name]) for name in after if after[name] > 1.2 * before[name] + 500} == {}
