"""The shared connection: warm once, and gone with its courier."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config import DeliverySettings, TargetSettings
from appliance.delivery.courier import Couriers
from appliance.delivery.transports import ssh_hops
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.ssh_folder import SshFolder
from appliance.delivery.transports.ssh_hops import target_configuration
from appliance.demo.frontend import FrontEnd, descendants
from appliance.errors import DeliveryError

from .conftest import Publisher

FrontEnds = Callable[..., list[FrontEnd]]


def masters(folder: Path) -> list[str]:
    """Command lines of the processes that were started with settings in `folder`, or bind a socket there."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and line.startswith("ssh"):
            found.append(line)
    return found


def test_one_connection_is_shared_and_ends_when_it_is_closed(publisher: Publisher, front_ends: FrontEnds) -> None:
    front_ends(1)
    private = SshFolder(publisher.delivery)
    assert private.path.stat().st_mode & 0o777 == 0o700
    connection = SshConnection(publisher.targets[0], private, 0)
    connection.warm()
    connection.warm()
    assert len(masters(private.path)) == 1
    connection.close()
    assert masters(private.path) == []
    assert not (private.path / "m0").exists()
    private.remove()


def test_a_connection_that_died_is_made_anew(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    private = SshFolder(publisher.delivery)
    connection = SshConnection(publisher.targets[0], private, 0)
    connection.warm()
    front.stop()
    connection.close()
    front.start_sshd()
    connection.warm()
    assert len(masters(private.path)) == 1
    connection.close()
    private.remove()


def test_a_connection_that_hangs_is_given_up(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    target = publisher.target(front.settings(), timeout=3)
    held: list[int] = []
    publisher.put("a.html", "a")
    try:
        with Couriers([target]) as couriers:
            couriers.settle()
            held += descendants(front.sshd_pid)
            for pid in held:
                os.kill(pid, signal.SIGSTOP)
            publisher.put("a.html", "b")
            (state,) = couriers.settle(tries=2)
        assert state.level
        assert (front.docroot / "a.html").read_text() == "b"
    finally:
        for pid in held:
            os.kill(pid, signal.SIGCONT)


def test_after_a_failure_the_connection_is_made_anew(publisher: Publisher, front_ends: FrontEnds) -> None:
    front_ends(1, forced="exit 3")
    publisher.put("a.html", "a")
    with Couriers(publisher.targets) as couriers:
        (state,) = couriers.settle(tries=1)
        sockets = list(Path(tempfile.gettempdir()).glob("appliance-*/m0"))
    assert state.error and sockets == []


def test_a_stale_socket_is_replaced(publisher: Publisher, front_ends: FrontEnds) -> None:
    front_ends(1)
    private = SshFolder(publisher.delivery)
    connection = SshConnection(publisher.targets[0], private, 0)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(private.path / "m0"))
    connection.close()
    connection.warm()
    assert len(masters(private.path)) == 1
    connection.close()
    private.remove()


def test_an_unused_connection_closes_by_itself(
    publisher: Publisher, front_ends: FrontEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_hops, "PERSIST", 1)
    front_ends(1)
    private = SshFolder(publisher.delivery)
    connection = SshConnection(publisher.targets[0], private, 0)
    connection.warm()
    said = subprocess.run([*connection._ssh(), "-O", "check", "x"], capture_output=True, text=True, check=True)
    handle = os.pidfd_open(int(re.findall(r"pid=(\d+)", said.stdout + said.stderr)[0]))
    assert select.select([handle], [], [], 5)[0]
    os.close(handle)
    private.remove()


@pytest.mark.conformance("A4")
def test_a_temporary_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(DeliveryError, match=r"delivery\.temp_path"):
        SshFolder(DeliverySettings(temp_path=missing))


def test_a_temporary_folder_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(DeliveryError, match="too long"):
        SshFolder(DeliverySettings(temp_path=long))
    assert list(long.iterdir()) == []


@pytest.mark.conformance("A7")
def test_nothing_can_prompt_whatever_the_settings_say(publisher: Publisher) -> None:
    settings = TargetSettings(
        name="a",
        address="a:/srv/a",
        other_path=True,
        port=2222,
        ssh_options=["BatchMode=no", "StrictHostKeyChecking=no", "ProxyJump=gate"],
    )
    target = publisher.target(settings)
    file = publisher.folder / "settings"
    file.write_text(target_configuration(target, publisher.folder / "with space" / "m0"))
    shown = subprocess.run(["ssh", "-G", "-F", str(file), "a"], capture_output=True, text=True, check=True).stdout
    effective = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert effective["batchmode"] == "yes"
    assert effective["stricthostkeychecking"] in ("true", "yes")
    assert effective["proxyjump"] == "gate"
    assert effective["port"] == "2222"
    assert effective["identitiesonly"] == "yes"
    assert effective["controlmaster"] == "false"
    assert effective["controlpath"] == f"{publisher.folder}/with space/m0"
    assert effective["userknownhostsfile"] == f"{publisher.folder}/known hosts"
    assert effective["globalknownhostsfile"] == "/dev/null"
    assert effective["updatehostkeys"] in ("false", "no")


def test_an_alias_keeps_its_own_port_and_known_hosts(publisher: Publisher) -> None:
    target = publisher.target(TargetSettings(name="a", address="alias"), known_hosts=None, ssh_key=None)
    text = target_configuration(target, publisher.folder / "m0")
    assert "Port" not in text and "KnownHosts" not in text and "Identity" not in text
    assert "Include ~/.ssh/config" in text
