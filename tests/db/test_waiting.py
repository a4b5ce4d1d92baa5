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
    waiter, go = db.waiter(), _FORK.Event()
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
    waiter = db.waiter()
    with db.write():
        db.notify()
        db.execute("INSERT INTO throttle (kind, key, until) VALUES ('x', 'y', 0)")
        assert not waiter.wait(0.05, never)
    assert waiter.wait(10, never)
    waiter.close()


def test_what_is_rolled_back_is_no_news(database: Config) -> None:
    waiter = db.waiter()
    with pytest.raises(KeyError), db.write():
        db.notify()
        raise KeyError
    with db.write():
        db.execute("INSERT INTO throttle (kind, key, until) VALUES ('x', 'y', 0)")
    assert not waiter.wait(0.05, never)
    waiter.close()


def test_a_wait_that_is_no_longer_wanted_ends(database: Config) -> None:
    waiter, began = db.waiter(), clock.monotonic()
    assert not waiter.wait(30, lambda: True)
    assert clock.monotonic() - began < 5
    waiter.close()


def test_waiting_takes_no_time_of_the_processor(database: Config) -> None:
    waiter = db.waiter()
    before = resource.getrusage(resource.RUSAGE_THREAD)
    assert not waiter.wait(1.0, never)
    after = resource.getrusage(resource.RUSAGE_THREAD)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert used < 0.01, "waiting must not be polling"
    waiter.close()


def wait_for_ever(config: Config, ready: Event) -> None:
    db.open_database(config)
    waiter = db.waiter()
    ready.set()
    while True:
        waiter.wait(600, never)


def test_the_bells_of_the_dead_are_taken_down(config: Config) -> None:
    folder = config.database_file.with_name(f"{config.database_file.name}-waiting")
    ready = _FORK.Event()
    other = _FORK.Process(target=wait_for_ever, args=(config, ready))
    other.start()
    assert ready.wait(30)
    (bell,) = folder.iterdir()
    db.notify()
    assert bell.exists()
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join(30)
    db.notify()
    assert list(folder.iterdir()) == []


def test_a_bell_that_is_forgotten_is_taken_down(config: Config) -> None:
    folder = config.database_file.with_name(f"{config.database_file.name}-waiting")
    waiter = db.waiter()
    assert len(list(folder.iterdir())) == 1
    del waiter
    assert list(folder.iterdir()) == []


def test_ringing_never_blocks(config: Config) -> None:
    waiter = db.waiter()
    for _ in range(70_000):  # more than a pipe holds
        db.notify()
    assert waiter.wait(10, never)
    waiter.close()


def test_a_commit_that_rings_no_bell_is_noticed_all_the_same(config: Config) -> None:

    waiter = db.waiter()
    with sqlite3.connect(config.database_file) as other:
        other.execute("INSERT INTO throttle (kind, key, until) VALUES ('x', 'y', 0)")
    other.close()
    assert waiter.wait(10, never)
    waiter.close()
