"""Selections: what they select is what a plain reading says, on each database; acting leaves what runs alone."""

from __future__ import annotations

import fnmatch
import random
import threading
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import clock, db
from appliance.config import Config
from appliance.db import keyset
from appliance.errors import CursorError
from appliance.paging import Count, Group, encode_cursor
from appliance.queue import administration, store
from appliance.queue.administration import HOWS, ORDERS, How, JobFilter, JobRow, TextFilter
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.models import STATES, Job, JobTrigger

AGEING = 10.0

# Letters that mean something to LIKE, GLOB or a regular expression, and some that fold.
LETTERS = "aAbé*?[]%_.\\^$(){}+|/-' \n"
words = st.sampled_from(["a", "b", "ab", "aab", "ba", "A"]) | st.text(LETTERS, max_size=4)
names = st.sampled_from(["a", "b", "c"])

jobs = st.lists(
    st.fixed_dictionaries(
        {
            "kind": names,
            "scope": names,
            "key": words,
            "state": st.sampled_from([*STATES, "failed", "pending"]),
            "priority": st.integers(-3, 12),
            "age": st.integers(0, 5),
            "worker": st.none() | names,
            "error_class": st.none() | words,
            "error_message": st.none() | words,
        }
    ),
    max_size=12,
)
texts = st.lists(st.builds(TextFilter, st.sampled_from(HOWS), words), max_size=2)
some = st.lists(names, max_size=2)
numbers = st.none() | st.integers(-3, 12)
ages = st.none() | st.integers(0, 5).map(lambda hours: hours * 3600.0 + 1800)
conditions = {
    "ids": st.lists(st.integers(-1, 13) | st.just(2**70), max_size=9),
    "states": st.lists(st.sampled_from(STATES), max_size=3), "kinds": some, "scopes": some, "workers": some,
    "priority": numbers, "priority_from": numbers, "priority_to": numbers, "keys": texts, "errors": texts,
    "older": ages, "within": ages,
}  # fmt: skip
#: Few conditions at once: of many, nothing is left to tell them apart by.
selections = st.lists(st.sampled_from(sorted(conditions)), max_size=2, unique=True).flatmap(
    lambda names: st.builds(JobFilter, **{name: conditions[name] for name in names})
)


def fill(made: list[dict[str, Any]]) -> list[JobRow]:
    """Jobs straight into the table, in whatever state; at most one pending and one running of a key."""
    now = db.now()
    taken: set[tuple[str, ...]] = set()
    rows: list[dict[str, Any]] = []
    with db.write():
        db.execute("DELETE FROM job_trigger")
        db.execute("DELETE FROM job")
        for number, job in enumerate(made, 1):
            state = job["state"]
            one = (job["kind"], job["key"], state)
            if state in ("pending", "running") and one in taken:
                state = "done"
            taken.add(one)
            values = {k: v for k, v in job.items() if k not in ("state", "age")}
            created = now - job["age"] * 3600
            ended = None if state in ("pending", "running") else created + 1
            rows.append(dict(
                id=number, state=state, run_at=created, created_at=created, finished_at=ended,
                rank=created - job["priority"] * AGEING, **values,
            ))  # fmt: skip
        if rows:
            Job.insert_many(rows).execute()
    return administration.find(JobFilter(), "id", 1000)


def holds(test: TextFilter, text: str) -> bool:
    if test.how == "glob":
        return fnmatch.fnmatchcase(text, test.text.replace("[", "[[]"))
    return {
        "equals": text == test.text,
        "contains": test.text in text,
        "not": test.text not in text,
        "begins": text.startswith(test.text),
        "ends": text.endswith(test.text),
        "has": _folded(test.text) in _folded(text),
    }[test.how]


def _folded(text: str) -> str:
    return text.lower()


def chosen(want: JobFilter, row: JobRow, now: float) -> bool:
    """What a selection means, read plainly."""
    age = now - row.created_at
    error = f"{row.error_class or ''}: {row.error_message or ''}"
    return (
        (want.ids is None or row.id in want.ids)
        and (not want.states or row.state in want.states)
        and (not want.kinds or row.kind in want.kinds)
        and (not want.scopes or row.scope in want.scopes)
        and (not want.workers or row.worker in want.workers)
        and (want.priority is None or row.priority == want.priority)
        and (want.priority_from is None or row.priority >= want.priority_from)
        and (want.priority_to is None or row.priority <= want.priority_to)
        and (want.older is None or age >= want.older)
        and (want.within is None or age <= want.within)
        and all(holds(test, row.key) for test in want.keys)
        and all(holds(test, error) for test in want.errors)
    )


def trial(examples: int) -> Any:
    """Hypothesis on the database of the test: every example empties it first."""

    def decorate(test: Any) -> Any:
        quiet = settings(
            max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
        )
        return quiet(given(made=jobs, want=selections)(test))

    return decorate


@trial(200)
def test_a_selection_is_what_it_says(database: Config, made: list[dict[str, Any]], want: JobFilter) -> None:
    rows = fill(made)
    now = db.now()
    expected = [row for row in rows if chosen(want, row, now)]
    assert administration.find(want, "id", 1000) == expected
    assert administration.count(want) == Counter(row.state for row in expected)
    assert administration.find(want, "-id", 2) == expected[::-1][:2]
    assert administration.list_jobs(want, "id", size=1).total == Count(len(expected))
    counted = Counter((row.scope, row.kind, row.state) for row in expected)
    assert administration.count_jobs(want).groups == {Group(*group): Count(n) for group, n in counted.items()}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=jobs, want=selections, order=st.sampled_from(sorted(ORDERS)), reverse=st.booleans(), size=st.integers(1, 5),
    reach=st.sampled_from([1, 2, 10_000]), gone=st.integers(0, 2**32),
)  # fmt: skip
def test_all_pages_while_others_write(
    database: Config, made: list[dict[str, Any]], want: JobFilter, order: str, reverse: bool, size: int, reach: int,
    gone: int,
) -> None:  # fmt: skip
    """Every job that stands throughout comes exactly once, in order, whatever comes and goes between two pages."""
    rows = fill(made)
    word, chance, after, seen, pages = f"{'-' if reverse else ''}{order}", random.Random(gone), None, list[JobRow](), 0
    matching = [row.id for row in administration.find(want, word, 1000)]
    now = db.now()
    assert sorted(matching) == [row.id for row in rows if chosen(want, row, now)]
    with pytest.MonkeyPatch.context() as patch:
        defaults = [reach if value == keyset.REACH else value for value in keyset.Listing.__init__.__defaults__ or ()]
        patch.setattr(keyset.Listing.__init__, "__defaults__", tuple(defaults))
        while pages == 0 or (after is not None and pages < 200):
            page = administration.list_jobs(want, word, size=size, after=after, with_total=False)
            assert len(page.rows) <= size
            seen += page.rows
            after, pages = page.next, pages + 1
            new = {"kind": "a", "key": f"new {pages}", "scope": "a", "rank": now, "run_at": now, "created_at": now}
            if pages < 20:  # in some orders all that is new comes last
                Job.insert(id=1000 + pages, **new).execute()
            db.execute("DELETE FROM job WHERE id = ?", [chance.randint(1, 12)])
    assert pages < 200
    assert len({row.id for row in seen}) == len(seen)
    standing = {row.id for row in administration.find(JobFilter(), "id", 1000)} & {row.id for row in rows}
    assert [row.id for row in seen if row.id in standing] == [job for job in matching if job in standing]


def test_a_cursor_of_another_order_or_of_nobody_is_refused(database: Config) -> None:
    fill([waiting(key=str(n)) for n in range(3)])
    cursor = administration.list_jobs(size=1).next
    for order, after in (
        ("-queue", cursor),
        ("id", cursor),
        ("queue", "x"),
        ("queue", encode_cursor("queue", [9, 1, 1.0, 1])),
    ):
        with pytest.raises(CursorError):
            administration.list_jobs(order=order, after=after)


def waiting(**given: Any) -> dict[str, Any]:
    plain = {"kind": "k", "scope": "", "key": "", "state": "pending", "priority": 0, "age": 0, "worker": None}
    return {**plain, "error_class": None, "error_message": None, **given}


@pytest.mark.parametrize("how", HOWS)
def test_conditions_on_texts(database: Config, how: How) -> None:
    keys = [
        "",
        "a",
        "A",
        "b",
        "ab",
        "ba",
        "aab",
        "a*b",
        "a?b",
        "a%b",
        "a_b",
        "[a]",
        "a\\b",
        "a.b",
        "é",
        "a\nb",
        "a b\n",
    ]
    rows = fill([waiting(key=key) for key in keys])
    for pattern in [*keys, "*", "?", "a*", "*b", "a?b*", "*\n*"]:
        found = administration.find(JobFilter(keys=[TextFilter(how, pattern)]), "id")
        assert [row.key for row in found] == [row.key for row in rows if holds(TextFilter(how, pattern), row.key)], (
            pattern
        )


def test_conditions_on_age(database: Config) -> None:
    fill([waiting(key=str(age), age=age) for age in range(5)])
    hours = 3600.0
    assert administration.count(JobFilter(older=2 * hours)) == {"pending": 3}
    assert administration.count(JobFilter(within=2.5 * hours)) == {"pending": 3}
    assert administration.count(JobFilter(older=2 * hours, within=3.5 * hours)) == {"pending": 2}


def test_the_order_follows_a_priority(database: Config) -> None:
    enqueue("k", [JobRequest(key, n) for n, key in enumerate("abc")], ageing=AGEING)
    administration.prioritise(JobFilter(keys=[TextFilter("equals", "a")]), 1, ageing=AGEING)
    administration.prioritise(JobFilter(keys=[TextFilter("equals", "a")]), 1, ageing=AGEING)
    assert [row.key for row in administration.find(JobFilter())] == ["c", "a", "b"]
    administration.prioritise(JobFilter(keys=[TextFilter("equals", "c")]), -1, ageing=AGEING)
    assert [claim.key for claim in store.claim("w", ["k"], 3, 30.0)] == ["a", "b", "c"]


@trial(60)
def test_deleting(database: Config, made: list[dict[str, Any]], want: JobFilter) -> None:
    rows = fill(made)
    now = db.now()
    acted = administration.delete(want)
    expected: Counter[tuple[str, str]] = Counter()
    for row, after in zip(rows, administration.find(JobFilter(), "id", 1000), strict=True):
        if chosen(want, row, now):
            state = "cancelled" if row.state in ("pending", "failed") else row.state
            expected[row.state, state] += 1
            assert after.state == state
        if not chosen(want, row, now) or row.state not in ("pending", "failed"):
            assert after == row
    assert acted == expected


@trial(60)
def test_trying_again(database: Config, made: list[dict[str, Any]], want: JobFilter) -> None:
    rows = fill(made)
    now = db.now()
    waiting = {(row.kind, row.key) for row in rows if row.state == "pending"}
    expected: Counter[tuple[str, str]] = Counter()
    states: dict[int, str] = {}
    for row in reversed(rows):  # the newest failed job of a key comes first
        states[row.id] = row.state
        if not chosen(want, row, now):
            continue
        if row.state == "failed":
            states[row.id] = "superseded" if (row.kind, row.key) in waiting else "pending"
            waiting.add((row.kind, row.key))
        expected[row.state, states[row.id]] += 1
    assert administration.retry(want) == expected
    after = administration.find(JobFilter(), "id", 1000)
    assert {row.id: row.state for row in after} == states
    revived = [row for old, row in zip(rows, after, strict=True) if (old.state, row.state) == ("failed", "pending")]
    assert all(row.failures == 0 and row.finished_at is None for row in revived)
    claimed = {claim.id for claim in store.claim("w", ["a", "b", "c"], 100, 30.0)}
    running = {(row.kind, row.key) for row in rows if row.state == "running"}
    assert {row.id for row in revived if (row.kind, row.key) not in running} <= claimed


@trial(60)
def test_changing_priorities(database: Config, made: list[dict[str, Any]], want: JobFilter) -> None:
    rows = fill(made)
    now = db.now()
    acted = administration.prioritise(want, 7, ageing=AGEING)
    assert acted == Counter((row.state, row.state) for row in rows if chosen(want, row, now))
    after = administration.find(JobFilter(), "id", 1000)
    expected = [replace(r, priority=7) if r.state == "pending" and chosen(want, r, now) else r for r in rows]
    assert after == expected
    order = [row.created_at - row.priority * AGEING for row in administration.find(JobFilter(states=["pending"]))]
    assert order == sorted(order)


@pytest.mark.parametrize("order", ORDERS)
def test_sorting(database: Config, order: str) -> None:
    fill(
        [
            {"kind": k, "scope": s, "key": f"k{n}", "state": state, "priority": n % 4, "age": n % 5, "worker": w,
             "error_class": None, "error_message": e}
            for n, (k, s, state, w, e) in enumerate(
                [("a", "x", "pending", None, None), ("b", "x", "running", "w1", None), ("a", "y", "failed", "w2", "E"),
                 ("b", "y", "done", "w1", None), ("a", "x", "pending", None, "D"), ("a", "z", "running", "w0", None)]
            )
        ]
    )  # fmt: skip
    keys: dict[str, Any] = {
        "queue": lambda r: (
            ["running", "pending", "failed", "done"].index(r.state),
            r.created_at - r.priority * AGEING,
        ),
        "path": lambda r: r.key,
        "site": lambda r: r.scope,
        "age": lambda r: -r.created_at,
        "ended": lambda r: r.finished_at or 0,
        "worker": lambda r: r.worker or "",
        "error": lambda r: f"{r.error_class or ''}: {r.error_message or ''}",
    }
    key = keys.get(order, lambda row: getattr(row, order))
    up, down = (administration.find(JobFilter(), name) for name in (order, f"-{order}"))
    assert len(up) == len(down) == 6
    assert all(key(a) <= key(b) for a, b in pairwise(up))
    assert all(key(a) >= key(b) for a, b in pairwise(down))


def test_no_condition_is_told_from_no_job() -> None:
    assert not JobFilter()
    assert JobFilter(ids=[])
    assert JobFilter(priority=0)


def failed_job(key: str, *, every: float = 0.0) -> int:
    """A job of kind k that failed for good."""
    enqueue("k", [JobRequest(key, 5, "blog", every=every)], ageing=AGEING, reason="asked")
    (claim,) = store.claim("w", ["k"], 1, 30.0)
    store.fail(claim, store.FailureDetails("TemplateFailure", "line 3 is odd", "Traceback …"), retry_after=None)
    return claim.id


def test_what_is_known_of_a_job(database: Config) -> None:
    job = failed_job("a.html")
    causes = [Cause("entry edited", "ada", 12), Cause("comment added", "reader", 13, times=3)]
    for _ in range(2):
        enqueue("k", [JobRequest("b.html", 5, "blog")], ageing=AGEING, causes=causes)
    first = administration.show(job)
    assert first
    assert (first.job.error_class, first.job.error_message, first.trace) == (
        "TemplateFailure", "line 3 is odd", "Traceback …",
    )  # fmt: skip
    assert (first.job.attempt, first.job.failures, first.job.state) == (1, 1, "failed")
    assert [(t.reason, t.actor, t.times) for t in first.chain] == [("asked", "", 1)]
    second = administration.show(job + 1)
    assert second
    assert [(t.reason, t.actor, t.change_id, t.times) for t in second.chain] == [
        ("entry edited", "ada", 12, 2), ("comment added", "reader", 13, 6),
    ]  # fmt: skip
    assert second.job.triggers == 8
    assert administration.show(99) is None
    assert JobTrigger.select().count() == 3


def test_a_success_after_trying_again_leaves_nothing_failed(database: Config) -> None:
    failed_job("a.html")
    administration.retry(JobFilter(states=["failed"]))
    (claim,) = store.claim("w", ["k"], 1, 30.0)
    assert (claim.failures, claim.attempt) == (0, 2)
    store.complete({claim: "changed"})
    assert administration.count(JobFilter()) == {"done": 1}


def test_trying_again_keeps_a_least_interval(database: Config) -> None:
    enqueue("k", [JobRequest("a.html", every=600.0)], ageing=AGEING)
    store.complete(dict.fromkeys(store.claim("w", ["k"], 1, 30.0), "changed"))
    db.execute("UPDATE throttle SET until = until - 600")
    failed_job("a.html", every=600.0)
    db.execute("UPDATE throttle SET until = until + 600")
    administration.retry(JobFilter(states=["failed"]))
    assert store.claim("w", ["k"], 1, 30.0) == []
    assert store.count_outstanding() == 0


def test_acting_while_others_ask(database: Config) -> None:
    """No retry collides with a request that is made at the same time."""
    over = threading.Event()
    faults: list[BaseException] = []

    def ask() -> None:
        try:
            while not over.is_set():
                enqueue("k", [JobRequest(f"{n}.html") for n in range(5)], ageing=AGEING)
                for claim in store.claim("other", ["k"], 5, 30.0):
                    store.fail(claim, store.FailureDetails("OSError", "no", ""), retry_after=None)
        except BaseException as error:
            faults.append(error)
        finally:
            db.database.close()

    asking = threading.Thread(target=ask)
    asking.start()
    retried = 0
    try:
        end = clock.monotonic() + 20
        while retried < 60 and not faults and clock.monotonic() < end:
            acted = administration.retry(JobFilter(states=["failed"]))
            retried += acted["failed", "pending"] + acted["failed", "superseded"]
            administration.prioritise(JobFilter(states=["pending"]), 3, ageing=AGEING)
    finally:
        over.set()
        asking.join()
    assert not faults
    assert retried >= 60
    assert not {"running"} & set(administration.count(JobFilter()))
