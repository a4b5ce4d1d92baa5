"""Selections: what they select is what a plain reading says, on each database; acting leaves what runs alone."""

from __future__ import annotations

import fnmatch
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
from appliance.queue import selection, store
from appliance.queue.models import STATES, Job, JobTrigger
from appliance.queue.requests import Cause
from appliance.queue.selection import HOWS, ORDERS, How, Row, Selection, Text

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
texts = st.lists(st.builds(Text, st.sampled_from(HOWS), words), max_size=2)
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
    lambda names: st.builds(Selection, **{name: conditions[name] for name in names})
)


def fill(made: list[dict[str, Any]]) -> list[Row]:
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
    return selection.find(Selection(), "id", 1000)


def holds(test: Text, text: str) -> bool:
    if test.how == "glob":
        return fnmatch.fnmatchcase(text, test.text.replace("[", "[[]"))
    return {
        "equals": text == test.text,
        "contains": test.text in text,
        "not": test.text not in text,
        "begins": text.startswith(test.text),
        "ends": text.endswith(test.text),
    }[test.how]


def chosen(want: Selection, row: Row, now: float) -> bool:
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
def test_a_selection_is_what_it_says(database: Config, made: list[dict[str, Any]], want: Selection) -> None:
    rows = fill(made)
    now = db.now()
    expected = [row for row in rows if chosen(want, row, now)]
    assert selection.find(want, "id", 1000) == expected
    assert selection.count(want) == Counter(row.state for row in expected)
    assert selection.find(want, "-id", 2, 1) == expected[::-1][1:3]


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
        found = selection.find(Selection(keys=[Text(how, pattern)]), "id")
        assert [row.key for row in found] == [row.key for row in rows if holds(Text(how, pattern), row.key)], pattern


def test_conditions_on_age(database: Config) -> None:
    fill([waiting(key=str(age), age=age) for age in range(5)])
    hours = 3600.0
    assert selection.count(Selection(older=2 * hours)) == {"pending": 3}
    assert selection.count(Selection(within=2.5 * hours)) == {"pending": 3}
    assert selection.count(Selection(older=2 * hours, within=3.5 * hours)) == {"pending": 2}


def test_the_order_follows_a_priority(database: Config) -> None:
    store.enqueue("k", [store.Request(key, n) for n, key in enumerate("abc")], ageing=AGEING)
    selection.prioritise(Selection(keys=[Text("equals", "a")]), 1, ageing=AGEING)
    selection.prioritise(Selection(keys=[Text("equals", "a")]), 1, ageing=AGEING)
    assert [row.key for row in selection.find(Selection())] == ["c", "a", "b"]
    selection.prioritise(Selection(keys=[Text("equals", "c")]), -1, ageing=AGEING)
    assert [claim.key for claim in store.claim("w", ["k"], 3, 30.0)] == ["a", "b", "c"]


@trial(60)
def test_deleting(database: Config, made: list[dict[str, Any]], want: Selection) -> None:
    rows = fill(made)
    now = db.now()
    acted = selection.delete(want)
    expected: Counter[tuple[str, str]] = Counter()
    for row, after in zip(rows, selection.find(Selection(), "id", 1000), strict=True):
        if chosen(want, row, now):
            state = "cancelled" if row.state in ("pending", "failed") else row.state
            expected[row.state, state] += 1
            assert after.state == state
        if not chosen(want, row, now) or row.state not in ("pending", "failed"):
            assert after == row
    assert acted == expected


@trial(60)
def test_trying_again(database: Config, made: list[dict[str, Any]], want: Selection) -> None:
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
    assert selection.retry(want) == expected
    after = selection.find(Selection(), "id", 1000)
    assert {row.id: row.state for row in after} == states
    revived = [row for old, row in zip(rows, after, strict=True) if (old.state, row.state) == ("failed", "pending")]
    assert all(row.failures == 0 and row.finished_at is None for row in revived)
    claimed = {claim.id for claim in store.claim("w", ["a", "b", "c"], 100, 30.0)}
    running = {(row.kind, row.key) for row in rows if row.state == "running"}
    assert {row.id for row in revived if (row.kind, row.key) not in running} <= claimed


@trial(60)
def test_changing_priorities(database: Config, made: list[dict[str, Any]], want: Selection) -> None:
    rows = fill(made)
    now = db.now()
    acted = selection.prioritise(want, 7, ageing=AGEING)
    assert acted == Counter((row.state, row.state) for row in rows if chosen(want, row, now))
    after = selection.find(Selection(), "id", 1000)
    expected = [replace(r, priority=7) if r.state == "pending" and chosen(want, r, now) else r for r in rows]
    assert after == expected
    order = [row.created_at - row.priority * AGEING for row in selection.find(Selection(states=["pending"]))]
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
    up, down = (selection.find(Selection(), name) for name in (order, f"-{order}"))
    assert len(up) == len(down) == 6
    assert all(key(a) <= key(b) for a, b in pairwise(up))
    assert all(key(a) >= key(b) for a, b in pairwise(down))


def test_no_condition_is_told_from_no_job() -> None:
    assert not Selection()
    assert Selection(ids=[])
    assert Selection(priority=0)


def failed_job(key: str, *, every: float = 0.0) -> int:
    """A job of kind k that failed for good."""
    store.enqueue("k", [store.Request(key, 5, "blog", every=every)], ageing=AGEING, reason="asked")
    (claim,) = store.claim("w", ["k"], 1, 30.0)
    store.fail(claim, store.Fault("TemplateFailure", "line 3 is odd", "Traceback …"), retry_after=None)
    return claim.id


def test_what_is_known_of_a_job(database: Config) -> None:
    job = failed_job("a.html")
    causes = [Cause("entry edited", "ada", 12), Cause("comment added", "reader", 13, times=3)]
    for _ in range(2):
        store.enqueue("k", [store.Request("b.html", 5, "blog")], ageing=AGEING, causes=causes)
    first = selection.show(job)
    assert first
    assert (first.job.error_class, first.job.error_message, first.trace) == (
        "TemplateFailure", "line 3 is odd", "Traceback …",
    )  # fmt: skip
    assert (first.job.attempt, first.job.failures, first.job.state) == (1, 1, "failed")
    assert [(t.reason, t.actor, t.times) for t in first.chain] == [("asked", "", 1)]
    second = selection.show(job + 1)
    assert second
    assert [(t.reason, t.actor, t.change_id, t.times) for t in second.chain] == [
        ("entry edited", "ada", 12, 2), ("comment added", "reader", 13, 6),
    ]  # fmt: skip
    assert second.job.triggers == 8
    assert selection.show(99) is None
    assert JobTrigger.select().count() == 3


def test_a_success_after_trying_again_leaves_nothing_failed(database: Config) -> None:
    failed_job("a.html")
    selection.retry(Selection(states=["failed"]))
    (claim,) = store.claim("w", ["k"], 1, 30.0)
    assert (claim.failures, claim.attempt) == (0, 2)
    store.finish({claim: "changed"})
    assert selection.count(Selection()) == {"done": 1}


def test_trying_again_keeps_a_least_interval(database: Config) -> None:
    store.enqueue("k", [store.Request("a.html", every=600.0)], ageing=AGEING)
    store.finish(dict.fromkeys(store.claim("w", ["k"], 1, 30.0), "changed"))
    db.execute("UPDATE throttle SET until = until - 600")
    failed_job("a.html", every=600.0)
    db.execute("UPDATE throttle SET until = until + 600")
    selection.retry(Selection(states=["failed"]))
    assert store.claim("w", ["k"], 1, 30.0) == []
    assert store.outstanding() == 0


def test_acting_while_others_ask(database: Config) -> None:
    """No retry collides with a request that is made at the same time."""
    over = threading.Event()
    faults: list[BaseException] = []

    def ask() -> None:
        try:
            while not over.is_set():
                store.enqueue("k", [store.Request(f"{n}.html") for n in range(5)], ageing=AGEING)
                for claim in store.claim("other", ["k"], 5, 30.0):
                    store.fail(claim, store.Fault("OSError", "no", ""), retry_after=None)
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
            acted = selection.retry(Selection(states=["failed"]))
            retried += acted["failed", "pending"] + acted["failed", "superseded"]
            selection.prioritise(Selection(states=["pending"]), 3, ageing=AGEING)
    finally:
        over.set()
        asking.join()
    assert not faults
    assert retried >= 60
    assert not {"running"} & set(selection.count(Selection()))
