"""Rows of processes: they come, beat, are asked, and vanish."""

from __future__ import annotations

import os

import pytest

from appliance import db
from appliance.config import Config
from appliance.errors import QueueError
from appliance.queue import processes
from appliance.queue.processes import Presence


def names() -> list[str]:
    return [row.name for row in processes.list()]


def test_a_process_appears_beats_and_leaves(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    presence = Presence("worker", "pub1", "pub1:1")
    presence.enter()
    presence.doing, presence.jobs = "publish: a.html", 3
    presence.beat()
    assert processes.list()[0].doing == "starting", "a beat so soon costs nothing"
    monkeypatch.setattr(processes, "BEAT", 0.0)
    presence.beat()
    (row,) = processes.list()
    assert (row.name, row.host, row.pid) == (f"pub1:{os.getpid()}", "pub1", os.getpid())
    assert (row.role, row.keeper, row.doing, row.jobs) == ("worker", "pub1:1", "publish: a.html", 3)
    assert 1 << 20 < row.memory < 1 << 32
    assert row.started_at <= row.beat_at <= db.now()
    presence.leave()
    assert names() == []


def test_the_silent_are_pruned_and_may_come_back(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    presence = Presence("worker", "pub1")
    presence.enter()
    processes.prune()
    assert names() == [presence.name]
    db.execute("UPDATE process SET beat_at = beat_at - 31")
    processes.prune()
    assert names() == []
    monkeypatch.setattr(processes, "BEAT", 0.0)
    presence.beat()
    assert names() == [presence.name]


def test_requests_reach_a_process_and_those_its_supervisor_keeps(database: Config) -> None:
    presence = Presence("worker", "pub1", "pub1:1")
    keeper = Presence("supervisor", "pub1")
    keeper.name = "pub1:1"
    keeper.enter()
    presence.enter()
    for asked in (presence.name, "pub1:1"):
        processes.ask(asked, "pause")
        presence.look()
        assert presence.paused
        processes.ask(asked, "resume")
        presence.look()
        assert not presence.paused
    processes.ask("pub1:1", "recycle")
    presence.look()
    keeper.look()
    assert (presence.recycled, keeper.recycled) == (False, True), "a supervisor recycles its own one by one"
    keeper.obeyed()
    assert [row.request for row in processes.list()] == [None, None]
    assert names() == ["pub1:1", presence.name]


def test_who_is_not_there_cannot_be_asked(database: Config) -> None:
    with pytest.raises(QueueError, match="no process “pub9:1”"):
        processes.ask("pub9:1", "pause")
