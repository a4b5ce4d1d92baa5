"""A clock that ran a day ahead and came back binds nothing: jobs, throttles, leases, processes and targets go on."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.config import Config
from appliance.delivery import journal, leases
from appliance.queue import future_times, processes, store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.processes import RegisteredProcess
from appliance.queue.store import Claim, FailureDetails

DAY = 86_400.0
FAULT = FailureDetails("OSError", "no", "trace")


@pytest.fixture(autouse=True)
def _clock(database: Config) -> object:
    yield
    db.backend().now_at(0.0)


def ahead() -> None:
    db.backend().now_at(DAY)


def back() -> None:
    db.backend().now_at(0.0)


def ask(*keys: str, every: float = 0.0, priority: int = 5, pause: float = 0.0) -> None:
    requests = [JobRequest(key, priority, every=every) for key in keys]
    enqueue("publish", requests, ageing=60.0, pause=pause)


def take(limit: int = 9) -> list[Claim]:
    return store.claim("here:1", ["publish"], limit, 30.0)


def keys(claims: list[Claim]) -> list[str]:
    return [claim.key for claim in claims]


def seconds_left(column: str, key: str = "a") -> float:
    row = db.execute(f"SELECT {column} FROM job WHERE key = ? ORDER BY id DESC LIMIT 1", [key]).fetchone()
    return float(row[0]) - db.now()


@pytest.mark.parametrize("swept", [True, False], ids=["swept", "by the claim alone"])
def test_what_was_asked_for_ahead_is_due(swept: bool) -> None:
    ahead()
    ask("a")
    back()
    if swept:
        store.rescue(5)
        assert abs(seconds_left("run_at")) < 2
        assert store.seconds_until_due(60.0) is not None
    assert store.count_outstanding(patience=30.0) == 1, "drain must not say that there is nothing to do"
    assert keys(take()) == ["a"]


def test_what_is_asked_for_afterwards_does_not_pass_it_for_a_day() -> None:
    ahead()
    ask("early")
    back()
    store.rescue(5)
    ask("late")
    ask("urgent", priority=9)
    assert keys(take()) == ["urgent", "early", "late"]


@pytest.mark.parametrize("swept", [True, False])
def test_a_retry_waits_as_long_as_its_rule_says(swept: bool) -> None:
    ask("a")
    ahead()
    (claim,) = take()
    store.fail(claim, FAULT, retry_after=20.0)
    back()
    if swept:
        store.rescue(5)
        assert 15 < seconds_left("run_at") < 21
        db.backend().now_at(21.0)
    assert keys(take()) == ["a"]


def test_a_retry_of_an_hour_stays_one(database: Config) -> None:
    ask("a")
    (claim,) = take()
    store.fail(claim, FAULT, retry_after=3600.0)
    store.rescue(5)
    assert 3590 < seconds_left("run_at") < 3601
    assert take() == []


@pytest.mark.parametrize("every", [60.0, 2 * DAY])
@pytest.mark.parametrize("asked", ["meanwhile", "ahead", "afterwards"])
def test_a_throttle_binds_no_longer_than_its_interval(every: float, asked: str) -> None:
    ask("a", every=every)
    ahead()
    (claim,) = take()
    if asked == "meanwhile":
        ask("a", every=every)
    store.complete({claim: "changed"})
    if asked == "ahead":
        ask("a", every=every)
    back()
    if asked == "afterwards":
        ask("a", every=every)
    store.rescue(5)
    assert seconds_left("run_at") < every + 1
    db.backend().now_at(every + 1)
    assert keys(take()) == ["a"]


def test_a_throttle_of_now_binds() -> None:
    ask("a", every=60.0)
    store.complete({take()[0]: "changed"})
    ask("a", every=60.0)
    store.rescue(5)
    assert take() == []
    assert 50 < seconds_left("run_at") < 61


def test_a_lease_of_the_dead_runs_out_and_the_living_keep_theirs() -> None:
    ask("a", "b")
    ahead()
    dead, living = take()
    back()
    assert store.rescue(5) == 0, "whoever is alive has not renewed it yet"
    assert seconds_left("lease_until") < 31
    store.heartbeat([living], 30.0)
    db.backend().now_at(20.0)
    store.heartbeat([living], 30.0)
    db.backend().now_at(31.0)
    assert store.rescue(5) == 1
    assert store.lock_held([dead, living]) == {living.id}


def test_a_target_goes_to_the_next_when_its_lease_would_have_run_out(database: Config) -> None:
    ahead()
    first = leases.take("front1", "one:1")
    back()
    assert leases.take("front1", "two:1") is None, "its holder may be writing still, and stops by its own clock"
    db.backend().now_at(leases.DURATION + 1)
    assert first is not None
    assert leases.take("front1", "two:1") is not None


def test_a_holder_that_is_alive_keeps_its_target(database: Config) -> None:
    ahead()
    first = leases.take("front1", "one:1")
    back()
    assert first is not None
    assert leases.take("front1", "two:1") is None
    first = leases.renew(first)
    db.backend().now_at(leases.DURATION - 1)
    assert leases.take("front1", "two:1") is None


def test_a_process_that_vanished_ahead_is_forgotten(database: Config) -> None:
    ahead()
    RegisteredProcess("worker", "there").register()
    back()
    processes.prune()
    db.backend().now_at(processes.DEAD_AFTER + 2)
    processes.prune()
    assert list(processes.list_processes()) == []


def test_what_a_lost_host_published_ahead_is_no_longer_waited_for(database: Config) -> None:
    from appliance.delivery.send_plan import ORDER_WAIT

    ahead()
    journal.append([journal.Put("a", 1, "d", 1)], "there")
    back()
    now = db.now()
    assert journal.first_latest_since("there", 0, now - ORDER_WAIT, now + future_times.SLACK) is None
    assert journal.first_latest_since("there", 0, 0) is not None


def test_the_present_is_left_alone() -> None:
    """The sweep writes nothing while clocks are right."""
    ask("a", "b", every=30.0)
    ask("c", priority=-3)
    ask("d", pause=1.0)
    store.complete({take(1)[0]: "changed"})
    ask("a", "b", every=30.0)
    before = db.execute("SELECT id, run_at, rank, lease_until FROM job ORDER BY id").fetchall()
    future_times.correct(30.0)
    assert db.execute("SELECT id, run_at, rank, lease_until FROM job ORDER BY id").fetchall() == before
