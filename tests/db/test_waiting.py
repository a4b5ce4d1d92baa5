"""Waiting for the commits of others."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sqlite3
from multiprocessing.synchronize import Event

import pytest

from appliance import clock, db
from appliance.config import Config

_FORK = multiprocessing.get_context("fork")


def never() -> bool:
    return False


def cause_news(config: Config, go: Event) -> None:
    db.open_database(config)
    go.wait(30)
    with db.write():
        db.notify()
        db.execute("INSERT INTO throttle (kind, key, until) VALUES ('x', 'y', 0)")


def test_news_between_looking_and_waiting_are_not_missed(database: Config) -> None:
    waiter, go = db.open_listener(), _FORK.Event()
    other = _FORK.Process(target=cause_news, args=(database, go))
    other.start()
    go.set()
    other.join(30)
    assert other.exitcode == 0
    assert db.execute("SELECT COUNT(*) FROM throttle").fetchone()[0] == 1
    assert waiter.wait(10, never)
    assert not waiter.wait(0.05, never), "told once"
    waiter.close()


def test_news_are_told_only_once_they_can_be_seen(database: Config) -> None:
    waiter = db.open_listener()
    with db.write():
        db.notify()
        db.execute("INSERT INTO throttle (kind, key, until) VALUES ('x', 'y', 0)")
        assert not waiter.wait(0.05, never)
    assert waiter.wait(10, never)
    waiter.close()


def test_a_topic_wakes_its_own_listeners(database: Config) -> None:
    most, some = db.open_listener(), db.open_listener("some")
    for topics, expected in ((), (True, False)), (("some",), (False, True)), (("", "some"), (True, True)):
        db.notify(*topics)
        assert (
            most.wait(10 if expected[0] else 0.05, never),
            some.wait(10 if expected[1] else 0.05, never),
        ) == expected
    most.close()
    some.close()


def test_what_is_rolled_back_is_no_news(database: Config) -> None:
    waiter = db.open_listener()
    with pytest.raises(KeyError), db.write():
        db.notify()
        raise KeyError
    with db.write():
        db.execute("INSERT INTO throttle (kind, key, until) VALUES ('x', 'y', 0)")
    assert not waiter.wait(0.05, never)
    waiter.close()


def test_a_wait_that_is_no_longer_wanted_ends(database: Config) -> None:
    waiter, began = db.open_listener(), clock.monotonic()
    assert not waiter.wait(30, lambda: True)
    assert clock.monotonic() - began < 5
    waiter.close()


def test_waiting_takes_no_time_of_the_processor(database: Config) -> None:
    """How often the thread gave up the processor, which does not depend on how fast or busy that is."""
    waiter = db.open_listener()
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    assert not waiter.wait(1.0, never)
    after = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    assert after - before < 30, "a wait looks ten times a second whether it is still wanted, and does not poll"
    waiter.close()


def wait_for_ever(config: Config, ready: Event) -> None:
    db.open_database(config)
    waiter = db.open_listener()
    ready.set()
    while True:
        waiter.wait(600, never)


def test_the_pipes_of_dead_processes_are_removed(config: Config) -> None:
    folder = config.database_file.with_name(f"{config.database_file.name}-waiting")
    ready = _FORK.Event()
    other = _FORK.Process(target=wait_for_ever, args=(config, ready))
    other.start()
    assert ready.wait(30)
    (pipe,) = folder.iterdir()
    db.notify()
    assert pipe.exists()
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join(30)
    db.notify()
    assert list(folder.iterdir()) == []


def test_a_bell_that_is_forgotten_is_taken_down(config: Config) -> None:
    folder = config.database_file.with_name(f"{config.database_file.name}-waiting")
    waiter = db.open_listener()
    assert len(list(folder.iterdir())) == 1
    del waiter
    assert list(folder.iterdir()) == []


def test_ringing_never_blocks(config: Config) -> None:
    waiter = db.open_listener()
    for _ in range(70_000):  # more than a pipe holds
        db.notify()
    assert waiter.wait(10, never)
    waiter.close()


def test_a_commit_that_rings_no_bell_is_noticed_all_the_same(config: Config) -> None:

    waiter = db.open_listener()
    with sqlite3.connect(config.database_file) as other:
        other.execute("INSERT INTO throttle (kind, key, until) VALUES ('x', 'y', 0)")
    other.close()
    assert waiter.wait(10, never)
    waiter.close()
