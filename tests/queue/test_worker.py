"""The worker loop: leases beside long jobs, limits, requests, and a database that goes away."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from peewee import OperationalError

from appliance import clock, db
from appliance.config import Config, QueueSettings
from appliance.queue import processes, store
from appliance.queue import worker as loop
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.limits import WorkerLimits
from appliance.queue.processes import RegisteredProcess
from appliance.queue.store import Claim
from appliance.queue.worker import Batch, JobKind, Worker

#: Renewed after a third of it: what is left is as long as the heartbeat may be kept from its turn.
LEASE = 1.0


class Still:
    def wait(self, timeout: float) -> bool:
        return False


def ask(*keys: str) -> None:
    enqueue("work", [JobRequest(key) for key in keys], ageing=60)


def worker(perform: Any, **settings: Any) -> Worker:
    return Worker("here:1", [JobKind("work", perform)], QueueSettings(**settings), Still())


def finish(claims: Sequence[Claim], batch: Batch) -> None:
    for claim in claims:
        if batch.is_stopping():
            return
        batch.complete([claim], lambda held: dict.fromkeys(held, "changed"))


def jobs() -> list[tuple[Any, ...]]:
    return list(db.execute("SELECT key, state, attempt, failures FROM job ORDER BY id").fetchall())


def test_a_job_longer_than_its_lease_is_not_run_twice(database: Config) -> None:
    ask("long")
    freed = []

    def perform(claims: Sequence[Claim], batch: Batch) -> None:
        end = clock.monotonic() + 3 * LEASE
        while clock.monotonic() < end:
            freed.append(store.rescue(5))
            clock.sleep(0.02)
        finish(claims, batch)

    slow = worker(perform, lease=LEASE)
    with Heartbeat(slow.heartbeat, every=LEASE / 6):
        slow.run(1)
    assert set(freed) == {0}
    assert jobs() == [("long", "done", 1, 0)]


def test_a_worker_stopped_past_its_lease_publishes_nothing(database: Config) -> None:
    ask("page")
    brief = 0.3  # it is to run out
    reading, writing = os.pipe()
    db.disconnect()
    child = os.fork()
    if not child:
        try:
            db.open_database(database)

            def perform(claims: Sequence[Claim], batch: Batch) -> None:
                os.kill(os.getpid(), signal.SIGSTOP)

                def effect(held: Sequence[Claim]) -> dict[Claim, str]:
                    os.write(writing, b"published" * len(held))
                    return dict.fromkeys(held, "changed")

                batch.complete(claims, effect)

            stopped = worker(perform, lease=brief)
            with Heartbeat(stopped.heartbeat, every=brief):
                stopped.run(1, once=True)
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, os.WUNTRACED)
    while not store.rescue(5):
        clock.sleep(0.02)  # until the lease has run out
    worker(finish).run(1)
    assert jobs() == [("page", "done", 2, 1)]
    os.kill(child, signal.SIGCONT)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b""
    os.close(reading)
    assert jobs() == [("page", "done", 2, 1)]


def test_a_job_that_does_not_stop_is_given_up(database: Config) -> None:
    ask("endless", "next")
    db.disconnect()
    child = os.fork()
    if not child:
        try:
            db.open_database(database)

            def perform(claims: Sequence[Claim], batch: Batch) -> None:
                stubborn.stop()
                threading.Event().wait()

            loop.STOP_TIMEOUT = 0.5
            stubborn = worker(perform)
            with Heartbeat(stubborn.heartbeat, every=0.1):
                stubborn.run()
        finally:
            os._exit(1)
    began = clock.monotonic()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert clock.monotonic() - began > 0.5
    assert jobs() == [("endless", "pending", 1, 0), ("next", "pending", 1, 0)]


def test_what_is_asked_to_stop_ends_the_job_at_hand_and_gives_back_the_rest(database: Config) -> None:
    ask("a", "b", "c")

    def perform(claims: Sequence[Claim], batch: Batch) -> None:
        finish(claims[:1], batch)
        asked.stop()
        finish(claims[1:], batch)

    asked = worker(perform)
    assert asked.run() == 1
    assert jobs() == [("a", "done", 1, 0), ("b", "pending", 1, 0), ("c", "pending", 1, 0)]


def test_jobs_per_worker(database: Config) -> None:
    ask(*"abcde")
    first = worker(finish, jobs_per_worker=3)
    assert (first.run(), first.should_recycle) == (3, True)
    second = worker(finish, jobs_per_worker=3)
    assert (second.run(once=True), second.should_recycle) == (2, False)


def test_a_worker_too_heavy_ends_with_the_job_that_made_it_so(database: Config) -> None:
    ask("a", "b", "c")
    held = [1]

    def perform(claims: Sequence[Claim], batch: Batch) -> None:
        held[0] = 101
        clock.sleep(0.06)  # the memory is looked at a few times a second
        finish(claims, batch)

    heavy = worker(perform, memory=100)
    heavy._limits = WorkerLimits(heavy.settings, lambda: held[0] << 20)
    assert (heavy.run(), heavy.should_recycle) == (1, True)
    assert [row[1] for row in jobs()] == ["done", "pending", "pending"]


def test_the_rate_is_kept(database: Config) -> None:
    ask(*map(str, range(12)))
    began = clock.monotonic()
    assert worker(finish, rate=20).run(12) == 12
    assert 0.55 < clock.monotonic() - began < 2


def test_the_pause_is_kept_and_ends_when_asked_to_stop(database: Config) -> None:
    ask("a", "b", "c")
    began = clock.monotonic()
    assert worker(finish, pause=0.1).run(3) == 3
    assert 0.3 <= clock.monotonic() - began < 1.5
    ask("d")

    def perform(claims: Sequence[Claim], batch: Batch) -> None:
        finish(claims, batch)
        # Not sooner: a worker asked to stop before it has claimed anything ends without any pause.
        threading.Timer(0.1, patient.stop).start()

    patient = worker(perform, pause=60)
    assert patient.run() == 1


def test_requests_are_obeyed(database: Config) -> None:
    ask("a")
    process = RegisteredProcess("worker", "here")
    process.register()
    processes.request(process.name, "pause")
    process.refresh_request()

    class Resume:
        waited = 0

        def wait(self, timeout: float) -> bool:
            self.waited += 1
            assert jobs() == [("a", "pending", 0, 0)]
            processes.request(process.name, "resume")
            return True

    wake = Resume()
    paused = Worker(process.name, [JobKind("work", finish)], QueueSettings(), wake, process=process)
    assert (paused.run(1), wake.waited) == (1, 1)
    processes.request(process.name, "recycle")
    process.refresh_request()
    assert (paused.run(), paused.should_recycle) == (1, True)


def test_a_batch_whose_transaction_fails_is_given_back_and_done(database: Config) -> None:
    ask("a", "b")
    broken = [True]

    def perform(claims: Sequence[Claim], batch: Batch) -> None:
        def effect(held: Sequence[Claim]) -> dict[Claim, str]:
            if broken.pop() if broken else False:
                raise OperationalError("the server closed the connection unexpectedly")
            return dict.fromkeys(held, "changed")

        batch.complete(claims, effect)

    assert worker(perform).run(2) == 2
    assert jobs() == [("a", "done", 2, 0), ("b", "done", 2, 0)]


def test_a_wrong_statement_is_no_lost_database(config: Config) -> None:
    ask("a")

    def perform(claims: Sequence[Claim], batch: Batch) -> None:
        db.execute("SELECT nothing FROM nowhere")

    worker(perform).run(1)
    assert jobs() == [("a", "pending", 1, 1)]


@pytest.mark.parametrize("settings", [{"batch": 7}, {"rate": 7.9}, {"jobs_per_worker": 9}, {"limit": 0}])
def test_no_more_is_claimed_than_may_be_done(settings: dict[str, Any]) -> None:
    limits = WorkerLimits(QueueSettings(**settings))
    assert limits.batch_size(2, 9) == 7
    assert WorkerLimits(QueueSettings(pause=1, **settings)).batch_size(0, None) == 1
