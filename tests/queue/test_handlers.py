"""Kinds of one job: registered by a decorator, performed by the ordinary worker loop."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance import db
from appliance.config import Config, QueueSettings
from appliance.errors import QueueError
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, Registry
from appliance.queue.retry import RetryPolicy
from appliance.queue.worker import Worker


class NoWait:
    def wait(self, timeout: float) -> bool:
        return False


def work(registry: Registry, config: Config, *, rounds: int = 1) -> None:
    worker = Worker("here:1", registry.kinds(config), QueueSettings(), NoWait())
    for _ in range(rounds):
        if claims := store.claim(worker.name, list(worker.kinds), 50, 30.0):
            worker.run_batch(claims)


def ask(kind: str, *keys: str, **payload: Any) -> None:
    enqueue(kind, [JobRequest(key, payload=json.dumps(payload)) for key in keys], ageing=60.0)


def jobs() -> list[tuple[Any, ...]]:
    return list(db.execute("SELECT key, state, outcome, failures, error_class FROM job ORDER BY key").fetchall())


def test_a_function_gets_the_payload_and_says_what_came_of_it(database: Config) -> None:
    registry, seen = Registry(), []

    @registry.handler("greet", batch=10)
    def greet(payload: Payload, context: JobContext) -> Outcome:
        seen.append((payload["name"], context.key, context.kind, context.attempt, context.config is database))
        return "changed" if payload["name"] == "Ada" else "unchanged"

    ask("greet", "a", name="Ada")
    ask("greet", "b", name="Bob")
    work(registry, database)
    assert seen == [("Ada", "a", "greet", 1, True), ("Bob", "b", "greet", 1, True)]
    assert jobs() == [("a", "done", "changed", 0, None), ("b", "done", "unchanged", 0, None)]
    assert greet({"name": "Ada"}, JobContext(database, "greet", "c", "", 1)) == "changed"  # it stays a function


def test_one_that_raises_is_retried_by_its_own_policy_and_the_next_one_runs(database: Config) -> None:
    registry = Registry()

    @registry.handler("call", batch=10, retry=RetryPolicy(max_retries=1, initial_delay=0.0, fatal=(KeyError,)))
    def call(_payload: Payload, context: JobContext) -> Outcome:
        if context.key == "passing":
            raise OSError("the line is busy")
        if context.key == "hopeless":
            raise KeyError("number")
        return "changed"

    ask("call", "passing", "hopeless", "good")
    work(registry, database)
    assert jobs() == [
        ("good", "done", "changed", 0, None),
        ("hopeless", "failed", None, 1, "KeyError"),
        ("passing", "pending", None, 1, "OSError"),
    ]
    work(registry, database)
    assert jobs()[2] == ("passing", "failed", None, 2, "OSError")


def test_what_is_beyond_the_batch_goes_back_before_the_first_begins(database: Config) -> None:
    registry, seen = Registry(), []

    @registry.handler("slow", batch=1)
    def slow(_payload: Payload, _context: JobContext) -> Outcome:
        seen.append([state for _, state, *_ in jobs()])
        return "changed"

    ask("slow", "a", "b", "c")
    work(registry, database, rounds=3)
    assert seen == [["running", "pending", "pending"], ["done", "running", "pending"], ["done", "done", "running"]]
    assert [row[3] for row in jobs()] == [0, 0, 0]


def test_a_job_that_is_somebody_elses_by_now_is_not_begun(database: Config) -> None:
    registry, seen = Registry(), []

    @registry.handler("mail", batch=2)
    def mail(_payload: Payload, context: JobContext) -> Outcome:
        if not seen:  # the worker is held up, and the other job's lease runs out
            db.execute("UPDATE job SET attempt = attempt + 1, worker = 'there:2' WHERE key = 'b'")
        seen.append(context.key)
        return "changed"

    ask("mail", "a", "b")
    work(registry, database)
    assert seen == ["a"]
    assert [row[1] for row in jobs()] == ["done", "running"]


def test_unknown_kinds_are_left_alone_and_shown(database: Config) -> None:
    registry = Registry()

    @registry.handler("known")
    def known(_payload: Payload, _context: JobContext) -> Outcome:
        return "changed"

    ask("known", "a")
    ask("of-another-release", "b", "c")
    work(registry, database)
    assert [row[1] for row in jobs()] == ["done", "pending", "pending"]
    assert store.count_unknown_kinds(registry.names()) == {"of-another-release": 2}


def test_a_payload_that_is_no_object_fails_the_job_with_a_sentence(config: Config) -> None:
    registry = Registry()

    @registry.handler("known", retry=RetryPolicy(max_retries=0))
    def known(_payload: Payload, _context: JobContext) -> Outcome:
        return "changed"

    enqueue("known", [JobRequest("a", payload="[1]")], ageing=60.0)
    work(registry, config)
    assert jobs() == [("a", "failed", None, 1, "QueueError")]


def test_a_name_is_registered_once() -> None:
    registry = Registry()
    registry.add("publish", lambda _config: pytest.fail("not made"))
    registry.handler("mail")(lambda _payload, _context: "changed")
    with pytest.raises(QueueError, match="“publish” is registered twice"):
        registry.handler("publish")
        registry.handler("publish")(lambda _payload, _context: "changed")
    assert (registry.names(), registry.names(slow=True), registry.names(slow=False)) == (
        ["mail", "publish"], ["mail"], ["publish"],
    )  # fmt: skip
