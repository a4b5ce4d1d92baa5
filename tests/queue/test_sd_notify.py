"""What systemd hears, at a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import clock
from appliance.queue.sd_notify import SystemdNotifier


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = str(tmp_path / "notify") if request.param == "path" else f"@appliance-test-{os.getpid()}"
        sock.bind(name.replace("@", "\0") if request.param == "abstract" else name)
        sock.settimeout(5)
        yield sock, name


def test_what_is_told_arrives(heard: tuple[socket.socket, str]) -> None:
    sock, name = heard
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name})
    notifier.send("READY=1", "STATUS=up")
    assert sock.recv(1000) == b"READY=1\nSTATUS=up"
    notifier.report_status("working")
    notifier.report_status("working")
    notifier.send("STOPPING=1")
    assert [sock.recv(1000), sock.recv(1000)] == [b"STATUS=working", b"STOPPING=1"]


def test_signs_of_life_come_twice_in_the_time_allowed(heard: tuple[socket.socket, str]) -> None:
    sock, name = heard
    notifier = SystemdNotifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": str(os.getpid())})
    assert notifier.watchdog == 0.05
    notifier.report_status("")
    end = clock.monotonic() + 0.05
    while clock.monotonic() <= end:
        clock.sleep(0.005)
    notifier.report_status("")
    notifier.report_status("")
    notifier.send("STOPPING=1")
    assert [sock.recv(1000), sock.recv(1000)] == [b"WATCHDOG=1", b"STOPPING=1"]


def test_nobody_listens(tmp_path: Path) -> None:
    SystemdNotifier({}).send("READY=1")
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).send("READY=1")
    assert SystemdNotifier({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog is None
