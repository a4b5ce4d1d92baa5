"""Processes that are killed, a front end that cannot be reached and hosts that start again: all is level by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from arriving import arrives
from operating import Cluster
from reading import Connection, await_everywhere, says

PAGE = "/steady/"
UNITS = "'appliance-worker@*' appliance-courier appliance-schedule"
#: Seconds within which what was killed is up again.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def steady(published: Cluster) -> Cluster:
    """The cluster with an entry of its own to change."""
    add = ("content.add", "Steady", "--text", "At first.", "--status", "published", "--address", "steady/index.html",
           "--site", "town")  # fmt: skip
    arrives(published, "an entry", add, PAGE, says("At first."))
    return published


def edit(text: str) -> tuple[str, ...]:
    return ("content.edit", "steady", "--text", text, "--site", "town")


def test_processes_that_are_killed_come_back(steady: Cluster) -> None:
    (publisher,) = steady.publishers
    before = _restarts(steady)
    assert len(before) >= 3
    steady.run(publisher, f"systemctl kill --signal=KILL {UNITS}")
    arrives(steady, "an edit after workers and courier were killed", edit("Killed."), PAGE, says("Killed."))
    deadline = time.monotonic() + PATIENCE
    while (after := _restarts(steady)).keys() != before.keys():
        assert time.monotonic() < deadline, f"running again are only {', '.join(after)}"
    assert {unit: after[unit] - before[unit] for unit in before} == dict.fromkeys(before, 1)
    steady.await_level()


def _restarts(cluster: Cluster) -> dict[str, int]:
    """How often each unit that is active has been started again."""
    said = cluster.run(cluster.publishers[0], f"systemctl show --property=Id,ActiveState,NRestarts {UNITS}")
    units = [dict(line.split("=", 1) for line in unit.splitlines()) for unit in said.strip().split("\n\n")]
    return {unit["Id"]: int(unit["NRestarts"]) for unit in units if unit["ActiveState"] == "active"}


@pytest.fixture
def cut_off(steady: Cluster) -> Iterator[str]:
    """A front end without sshd and without the connections that couriers keep open."""
    name = steady.frontends[0]
    steady.console(name, "systemctl stop ssh; pkill -KILL -u publish || true")
    yield name
    steady.console(name, "systemctl start ssh")


def test_a_front_end_that_could_not_be_reached_becomes_level(steady: Cluster, cut_off: str) -> None:
    others = {name: address for name, address in steady.served().items() if name != cut_off}
    alone = {cut_off: steady.served()[cut_off]}
    arrives(steady, "an edit while one front end is away", edit("Away."), PAGE, says("Away."), on=others)
    connection = Connection(alone[cut_off])
    assert b"Away." not in connection.get(PAGE).body
    connection.close()
    # The page is there before the others have confirmed it, and the lists that show it.
    deadline = time.monotonic() + PATIENCE
    while (behind := _behind(steady)) != [cut_off]:
        assert time.monotonic() < deadline, f"behind are {behind}"
    steady.console(cut_off, "systemctl start ssh")
    began = time.monotonic()
    arrived = await_everywhere(alone, PAGE, says("Away."))
    print(f"\nthe one that was away has it {arrived - began:.1f} s after its sshd was back", end="")
    steady.await_level()


def _behind(cluster: Cluster) -> list[str]:
    """The targets that are not level."""
    targets = json.loads(cluster.appliance(cluster.publishers[0], "status", "--json"))["targets"]
    return [target["name"] for target in targets if not target["level"]]


def test_hosts_that_start_again_come_up_by_themselves(steady: Cluster) -> None:
    (publisher,) = steady.publishers
    name = steady.frontends[1]
    began = time.monotonic()
    steady.reboot(publisher, name)
    print(
        f"\n{publisher} and {name} answer {time.monotonic() - began:.1f} s after they were told to start again", end=""
    )
    for host in (publisher, name):
        assert steady.run(host, "systemctl is-system-running --wait").strip() == "running"
    arrives(steady, "an edit after that", edit("Again."), PAGE, says("Again."))
    steady.await_level()
