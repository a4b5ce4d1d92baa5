"""Waiting for the commits of others."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sqlite3
from multiprocessing.queues import SimpleQueue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from appliance import clock, db
from appliance.config import Config, validate
from appliance.db import sqlite

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


#: Writers, the transactions of each, and the seconds that each transaction takes.
_WRITERS, _TRANSACTIONS, _HELD = 4, 120, 0.003


def write_often(config: Config, done: Synchronized[int], waits: SimpleQueue[int]) -> None:
    """Tell how many transactions of others went before one of ours at most."""
    db.open_database(config)
    most = 0
    for _ in range(_TRANSACTIONS):
        before = done.value
        with db.write():
            most = max(most, done.value - before)
            clock.sleep(_HELD)
            done.value += 1
    waits.put(most)


def longest_wait(config: Config) -> int:
    waits, done = _FORK.SimpleQueue(), _FORK.Value("i", 0)
    writers = [_FORK.Process(target=write_often, args=(config, done, waits)) for _ in range(_WRITERS)]
    for writer in writers:
        writer.start()
    longest = max(waits.get() for _ in writers)
    for writer in writers:
        writer.join(30)
    return int(longest)


@pytest.mark.slow
def test_no_writer_starves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By SQLite's own way to wait, one of several writers waits for hundreds of the transactions of the others."""
    site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
    config = validate({"docroot": str(tmp_path / "www"), "sites": [site]}, tmp_path / "appliance.toml")
    db.connect(config).close()
    for _ in range(5):  # beside whatever else this machine does
        ours = longest_wait(config)
        with monkeypatch.context() as patched:
            patched.setattr(sqlite._Database, "begin", SqliteDatabase.begin)
            its_own = longest_wait(config)
        if 2 * ours < its_own:
            return
    raise AssertionError((ours, its_own))
