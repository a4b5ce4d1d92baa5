"""Each due time is served once, whoever is there to serve it and however the clock jumps."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.errors import ContentError, QueueError
from appliance.queue.periodic import RETRY_DELAY, PeriodicTask, Schedule, TaskRun
from appliance.queue.recurrence import Every

DAY = 86_400


class Clock:
    """Moves the database's clock of this connection."""

    def __init__(self) -> None:
        self.to(10_000 * DAY + 0.5)

    def to(self, moment: float) -> None:
        self._offset = moment - time.time()
        db.backend().now_at(self._offset)

    def on(self, seconds: float) -> None:
        self._offset += seconds
        db.backend().now_at(self._offset)


@pytest.fixture
def ticking(database: Config) -> Iterator[Clock]:
    yield Clock()
    db.backend().now_at(0.0)


def counted(name: str = "count", seconds: int = 3600) -> tuple[PeriodicTask, list[float]]:
    ran: list[float] = []

    def run() -> str:
        ran.append(db.now())
        return "counted"

    return PeriodicTask(name, run, Every(seconds)), ran


def dues(schedule: Schedule) -> list[float]:
    return [ran.due_at for ran in schedule.run_due()]


def test_a_due_time_is_served_once(ticking: Clock) -> None:
    task, ran = counted()
    here, there = Schedule([task], "here:1"), Schedule([task], "there:2")
    assert dues(here) == [10_000 * DAY]
    assert dues(there) == dues(here) == []
    ticking.on(3580)  # the clock goes on by itself as well
    assert dues(there) == []
    ticking.on(20)
    assert dues(there) == [10_000 * DAY + 3600]
    assert dues(here) == []
    assert len(ran) == 2


def test_after_downtime_there_is_one_run_and_no_drift(ticking: Clock) -> None:
    task, ran = counted()
    assert len(dues(Schedule([task], "here:1"))) == 1
    ticking.on(10 * 3600 + 1234)
    assert dues(Schedule([task], "here:2")) == [10_000 * DAY + 10 * 3600]  # a new process, ten times missed
    again = Schedule([task], "here:3")
    assert dues(again) == []
    assert again.next_due() == 10_000 * DAY + 11 * 3600
    assert len(ran) == 2


def test_a_clock_set_back_repeats_nothing(ticking: Clock) -> None:
    task, ran = counted()
    schedule = Schedule([task], "here:1")
    dues(schedule)
    ticking.on(3600)
    dues(schedule)
    ticking.on(-1800)
    assert dues(schedule) == []
    ticking.on(3600)
    assert dues(schedule) == []  # it was served before
    ticking.on(1800)
    assert len(dues(schedule)) == 1
    assert len(ran) == 3


def test_a_clock_that_was_years_ahead_does_not_stop_a_task_for_years(ticking: Clock) -> None:
    task, _ = counted()
    schedule = Schedule([task], "here:1")
    ticking.on(3650 * DAY)
    dues(schedule)
    ticking.on(-3650 * DAY)
    assert dues(schedule) == [10_000 * DAY]
    assert dues(schedule) == []


def test_an_error_is_kept_and_the_next_due_time_tries_again(ticking: Clock) -> None:
    faults: list[Exception | None] = [ContentError("the entry is gone; restore it"), ValueError("7"), None]

    def run() -> str:
        if fault := faults.pop(0):
            raise fault
        return ""

    task, (other, ran) = PeriodicTask("frail", run, Every(3600)), counted()
    schedule = Schedule([task, other], "here:1")
    first = schedule.run_due()
    assert [(r.name, r.error) for r in first] == [("frail", "the entry is gone; restore it"), ("count", None)]
    assert schedule.state(task).error == "the entry is gone; restore it"
    assert schedule.run_due() == []
    ticking.on(3600)
    assert schedule.run_due()[0].error == "ValueError: 7"
    ticking.on(3600)
    assert schedule.run_due()[0].error is None
    assert schedule.state(task).error is None
    assert len(ran) == 3


def test_a_run_that_was_lost_is_made_up_for_when_its_lease_is_over(ticking: Clock) -> None:
    task, ran = counted()
    dead, alive = Schedule([task], "dead:1", lease=60), Schedule([task], "alive:2", lease=60)
    assert dead._claim(task, 10_000 * DAY)  # and then it is killed
    assert dues(alive) == []
    ticking.on(59)
    assert dues(alive) == []
    ticking.on(2)
    assert dues(alive) == [10_000 * DAY]
    ticking.on(120)
    assert dues(alive) == []
    assert len(ran) == 1


def test_nobody_begins_while_a_run_goes_on(ticking: Clock) -> None:
    inner: list[list[float]] = []
    there: Schedule

    def run() -> str:
        ticking.on(30)
        inner.append(dues(there))
        return ""

    task = PeriodicTask("long", run, Every(10))
    here, there = Schedule([task], "here:1", lease=60), Schedule([task], "there:2", lease=60)
    assert len(dues(here)) == 1
    assert inner == [[]]
    assert len(dues(there)) == 1  # what became due meanwhile, once


def test_a_task_due_by_its_content_runs_when_it_says_so(ticking: Clock) -> None:
    moments: list[float] = []
    done: list[float] = []

    def run() -> str:
        if len(moments) > 1:
            raise OSError("not now")
        done.append(moments.pop())
        return "done"

    task = PeriodicTask("scheduled", run, next_time=lambda: min(moments, default=None))
    schedule = Schedule([task], "here:1")
    assert (schedule.run_due(), schedule.next_due()) == ([], None)
    moments.append(db.now() + 5)
    assert (schedule.run_due(), schedule.next_due()) == ([], moments[0])
    ticking.on(5)
    assert len(schedule.run_due()) == 1
    ticking.on(1)
    moments[:] = [db.now() - 100]  # earlier than what was served: no reason to forget it
    assert len(schedule.run_due()) == 1
    ticking.on(1)
    moments[:] = [db.now() - 1, db.now() - 1]
    assert schedule.run_due()[0].error == "OSError: not now"
    assert schedule.run_due() == []  # after a pause, not at once
    ticking.on(RETRY_DELAY + 1)
    moments.pop()
    assert len(schedule.run_due()) == 1


def test_a_task_has_one_way_to_be_due() -> None:
    with pytest.raises(QueueError, match="“both” needs either"):
        PeriodicTask("both", lambda: "", Every(5), lambda: None)
    with pytest.raises(QueueError, match="“none” needs either"):
        PeriodicTask("none", lambda: "")


@contextmanager
def forked(count: int, body: Callable[[int], None]) -> Iterator[list[int]]:
    """`count` processes that run `body` with their number; they are waited for at the end and must end well."""
    pids = []
    for number in range(count):
        if pid := os.fork():
            pids.append(pid)
        else:
            code = 1
            try:
                body(number)
                code = 0
            finally:
                os._exit(code)
    try:
        yield pids
    finally:
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert codes == [0] * count


def test_processes_of_several_hosts_serve_each_due_time_once(database: Config, tmp_path: Path) -> None:
    """Four of them, three tasks, three seconds of due times of which every one is contended for."""
    until = time.time() + 3.0
    lines = tmp_path / "ran"

    class Told(Schedule):
        """Tells what it served by when that was due: the run itself may come in the second after."""

        def run_due(self, stopping: Callable[[], bool] = lambda: False) -> list[TaskRun]:
            served = super().run_due(stopping)
            for ran in served:
                os.write(out, f"{ran.name} {int(ran.due_at)}\n".encode())
            return served

    out = os.open(lines, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def body(number: int) -> None:
        db.open_database(database)

        def stopping() -> bool:
            return time.time() >= until

        wake = CommitListener(stopping)
        Told([PeriodicTask(name, lambda: "", Every(1)) for name in "abc"], f"host{number}:1").run(stopping, wake)

    with forked(4, body):
        pass
    os.close(out)
    served = [(name, int(due)) for name, due in map(str.split, lines.read_text().splitlines())]
    assert len(served) == len(set(served))
    seconds = sorted({due for _, due in served})
    assert len(seconds) >= 3
    # None was missed; of the first and the last second there may have been only a part.
    inner = range(seconds[0] + 1, seconds[-1])
    assert {(name, due) for name in "abc" for due in inner} <= set(served)


def test_it_sleeps_until_due_to_the_second_and_wakes_for_what_became_due_earlier(database: Config) -> None:
    due, done = [db.now() + 3600.0], []
    stop = threading.Event()

    def run() -> str:
        due.clear()
        done.append(db.now())
        stop.set()
        return "done"

    def other() -> None:
        with db.write():
            due[:] = [db.now() + 0.5]
            db.execute("INSERT INTO throttle (kind, key, until) VALUES ('a', 'b', 0)")
            db.notify()
        asked.append(due[0])
        db.database.close()

    asked: list[float] = []
    task = PeriodicTask("scheduled", run, next_time=lambda: min(due, default=None))
    thread = threading.Timer(0.3, other)
    thread.start()
    began, wake = time.monotonic(), CommitListener(stop.is_set)
    Schedule([task], "here:1").run(stop.is_set, wake)
    thread.join()
    wake.close()
    assert time.monotonic() - began < 5
    assert 0 <= done[0] - asked[0] < 0.5


def test_a_task_runs_at_once_when_somebody_asks_for_it(ticking: Clock) -> None:
    task, ran = counted()
    schedule = Schedule([task], "one:1")
    schedule.request_run("count")  # before its first run
    assert len(dues(schedule)) == 1
    assert dues(schedule) == []
    ticking.on(60)
    schedule.request_run("count")
    assert schedule.next_due() is not None
    assert schedule.next_due() <= db.now()
    assert len(dues(Schedule([task], "two:2"))) == 1
    assert dues(schedule) == []
    assert len(ran) == 2
    following = schedule.next_due()
    assert following is not None
    assert following > db.now()
    with pytest.raises(QueueError, match="no periodic task"):
        schedule.request_run("other")
