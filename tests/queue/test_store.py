"""What the queue does when two come at once, and what a random walk seldom meets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from appliance import db
from appliance.config import Config
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.store import Claim, FailureDetails

FAULT = FailureDetails("OSError", "no", "trace")


class Meanwhile:
    """Something another connection does at the same time; it may have to wait for this one."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act, self.result, self.error = act, None, None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._act()
        except BaseException as error:
            self.error = error
        finally:
            db.database.close()

    def waits(self) -> bool:
        self._thread.join(0.2)
        return self._thread.is_alive()

    def end(self) -> Any:
        self._thread.join(20)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return self.result


def ask(*keys: str, kind: str = "publish", priority: int = 5, every: float = 0.0) -> dict[str, int]:
    requests = [JobRequest(key, priority, every=every) for key in keys]
    answers = enqueue(kind, requests, ageing=60.0)
    return {answer: number for answer, number in answers.items() if number}


def take(limit: int = 1, worker: str = "host:1") -> list[Claim]:
    return store.claim(worker, ["publish"], limit, 30.0)


def states(key: str) -> list[str]:
    rows = db.execute("SELECT state FROM job WHERE key = ? ORDER BY id", [key]).fetchall()
    return [state for (state,) in rows]


# --- two at once ---


def test_what_became_due_a_moment_ago_is_not_overlooked(database: Config) -> None:
    enqueue("k", [JobRequest("a")], ageing=60)
    assert store.seconds_until_due(1.0) == 0.0
    db.execute("UPDATE job SET run_at = appliance_now() + 0.5")
    assert 0.3 < (store.seconds_until_due(1.0) or 0) <= 0.5
    assert store.seconds_until_due(0.25) is None


def test_a_run_that_fails_while_its_key_is_asked_for_is_superseded(database: Config) -> None:
    ask("a")
    (claim,) = take()
    with db.write():
        ask("a")
        failing = Meanwhile(lambda: store.fail(claim, FAULT, retry_after=0.0))
        assert failing.waits()
    assert failing.end() == "superseded"
    assert states("a") == ["superseded", "pending"]


def test_a_request_that_waits_for_a_failing_run_is_folded_into_it(database: Config) -> None:
    ask("a")
    (claim,) = take()
    with db.write():
        assert store.fail(claim, FAULT, retry_after=0.0) == "pending"
        asking = Meanwhile(lambda: ask("a"))
        assert asking.waits()
    assert asking.end() == {"coalesced": 1}
    assert states("a") == ["pending"]


def test_a_request_that_waits_for_a_claim_is_a_job_of_its_own(database: Config) -> None:
    """Folded into the run it would be lost: the run may have read its content before."""
    ask("a")
    with db.write():
        take()
        asking = Meanwhile(lambda: ask("a"))
        assert asking.waits()
    asking.end()
    assert states("a") == ["running", "pending"]
    assert take() == []


def test_two_who_ask_for_the_same_in_another_order_do_not_lock_each_other_out(database: Config) -> None:
    first = [f"{number:03}" for number in range(400)]
    ask(*first)
    asking = [Meanwhile(lambda keys=keys: [ask(*keys) for _ in range(20)]) for keys in (first, first[::-1])]
    for other in asking:
        other.end()
    assert db.execute("SELECT MIN(triggers), MAX(triggers) FROM job").fetchone() == (41, 41)


def test_giving_back_waits_for_nobody_while_it_holds_others(database: Config) -> None:
    """Who asks holds b and wants a; who gives back would hold a and want b."""
    ask("a", "b")
    claims = sorted(take(2), key=lambda claim: claim.key)
    with db.write():
        ask("b")
        giving = Meanwhile(lambda: store.release(claims))
        assert giving.waits()
        asked = ask("a")
    giving.end()
    assert asked in ({"coalesced": 1}, {"follow-up": 1})
    assert states("b") == ["superseded", "pending"]


def test_a_lease_renewed_in_the_last_moment_is_not_taken_away(database: Config) -> None:
    ask("a")
    (claim,) = take()
    db.execute("UPDATE job SET lease_until = 0")
    with db.write():
        assert store.heartbeat([claim], 30.0) == {claim.id}
        rescuing = Meanwhile(lambda: store.rescue(5))
        assert rescuing.waits()
    assert rescuing.end() == 0
    assert states("a") == ["running"]


def test_a_claim_takes_no_more_than_its_limit_and_none_that_another_takes(database: Config) -> None:
    ask(*"abcdefgh")
    with db.write():
        mine = take(3)
        claiming = Meanwhile(lambda: take(3, "host:2"))
        claiming.waits()
    others = claiming.end()
    assert [c.key for c in mine] == ["a", "b", "c"]
    assert [c.key for c in others] == ["d", "e", "f"]


# --- time ---


@pytest.mark.usefixtures("still_clock")
def test_a_retry_is_not_due_before_its_time() -> None:
    ask("a")
    store.fail(take()[0], FAULT, retry_after=5.0)
    db.backend().now_at(4.9)
    assert take() == []
    db.backend().now_at(5.0)
    assert [c.failures for c in take()] == [1]


@pytest.mark.usefixtures("still_clock")
def test_a_follow_up_is_held_back_until_the_interval_is_over() -> None:
    ask("a", every=50.0)
    (claim,) = take()
    ask("a", every=50.0)
    store.complete({claim: "changed"})
    assert db.execute("SELECT run_at FROM job WHERE state = 'pending'").fetchone() == (50.0,)
    db.backend().now_at(49.9)
    assert take() == []
    db.backend().now_at(50.0)
    assert [c.key for c in take()] == ["a"]


@pytest.mark.usefixtures("still_clock")
def test_a_claim_keeps_the_interval_even_when_the_job_does_not_know_of_it() -> None:
    """Somebody was just asking for the job when the run ended, so that it could not be told."""
    ask("a", every=50.0)
    store.complete({take()[0]: "changed"})
    ask("a", every=50.0)
    db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
    assert take() == []
    db.backend().now_at(50.0)
    assert [c.key for c in take()] == ["a"]


@pytest.mark.usefixtures("still_clock")
def test_who_asks_without_an_interval_does_not_wait_for_it() -> None:
    ask("a", every=50.0)
    store.complete({take()[0]: "changed"})
    ask("a")
    assert [c.key for c in take()] == ["a"]


@pytest.mark.usefixtures("still_clock")
def test_what_was_urgent_stays_urgent_when_a_newer_request_supersedes_it() -> None:
    ask("a", priority=10)
    (claim,) = take()
    ask("a", priority=1)
    ask("b", priority=5)
    assert store.fail(claim, FAULT, retry_after=1.0) == "superseded"
    assert [(c.key, c.priority) for c in take(2)] == [("a", 10), ("b", 5)]


@pytest.mark.usefixtures("still_clock")
def test_a_success_resolves_what_failed_before() -> None:
    ask("a", "b")
    for claim in take(2):
        assert store.fail(claim, FAULT, retry_after=None) == "failed"
    ask("a")
    store.complete({take()[0]: "unchanged"})
    assert states("a") == ["superseded", "done"]
    assert states("b") == ["failed"]


@pytest.mark.usefixtures("still_clock")
def test_a_run_is_lost_five_times_before_it_has_failed() -> None:
    ask("a")
    for time in range(1, 7):
        assert len(take()) == 1
        db.backend().now_at(31.0 * time)
        assert store.rescue(5) == 1
    assert states("a") == ["failed"]
    assert db.execute("SELECT failures, error_class FROM job").fetchone() == (6, "JobLeaseLost")
