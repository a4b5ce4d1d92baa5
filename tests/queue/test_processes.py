"""Rows of processes: they come, beat, are asked, and vanish."""

from __future__ import annotations

import os

import pytest

from appliance import db
from appliance.config import Config
from appliance.errors import QueueError
from appliance.queue import processes
from appliance.queue.processes import RegisteredProcess


def names() -> list[str]:
    return [row.name for row in processes.list_processes()]


def test_a_process_appears_beats_and_leaves(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    process = RegisteredProcess("worker", "pub1", "pub1:1")
    process.register()
    process.activity, process.jobs_done = "publish: a.html", 3
    process.heartbeat()
    assert processes.list_processes()[0].doing == "starting", "a beat so soon costs nothing"
    monkeypatch.setattr(processes, "HEARTBEAT_INTERVAL", 0.0)
    process.heartbeat()
    (row,) = processes.list_processes()
    assert (row.name, row.host, row.pid) == (f"pub1:{os.getpid()}", "pub1", os.getpid())
    assert (row.role, row.keeper, row.doing, row.jobs) == ("worker", "pub1:1", "publish: a.html", 3)
    assert 1 << 20 < row.memory < 1 << 32
    assert row.started_at <= row.beat_at <= db.now()
    process.deregister()
    assert names() == []


def test_a_process_may_be_older_than_its_row(database: Config) -> None:
    process = RegisteredProcess("web", "pub1", pid=7)
    process.register(age=90.0)
    (row,) = processes.list_processes()
    assert 89.0 < row.beat_at - row.started_at < 91.0


def test_the_silent_are_pruned_and_may_come_back(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    process = RegisteredProcess("worker", "pub1")
    process.register()
    processes.prune()
    assert names() == [process.name]
    db.execute("UPDATE process SET beat_at = beat_at - 31")
    processes.prune()
    assert names() == []
    monkeypatch.setattr(processes, "HEARTBEAT_INTERVAL", 0.0)
    process.heartbeat()
    assert names() == [process.name]


def test_requests_reach_a_process_and_those_its_supervisor_keeps(database: Config) -> None:
    process = RegisteredProcess("worker", "pub1", "pub1:1")
    keeper = RegisteredProcess("supervisor", "pub1")
    keeper.name = "pub1:1"
    keeper.register()
    process.register()
    for asked in (process.name, "pub1:1"):
        processes.request(asked, "pause")
        process.refresh_request()
        assert process.is_paused
        processes.request(asked, "resume")
        process.refresh_request()
        assert not process.is_paused
    processes.request("pub1:1", "recycle")
    process.refresh_request()
    keeper.refresh_request()
    assert (process.should_recycle, keeper.should_recycle) == (False, True), "a supervisor recycles its own one by one"
    keeper.clear_request()
    assert [row.request for row in processes.list_processes()] == [None, None]
    assert names() == ["pub1:1", process.name]


def test_who_is_not_there_cannot_be_asked(database: Config) -> None:
    with pytest.raises(QueueError, match="no process “pub9:1”"):
        processes.request("pub9:1", "pause")
