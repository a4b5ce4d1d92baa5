"""The way to a target through jump hosts, each a real sshd with a host key and a port of its own."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import TargetSettings
from appliance.delivery.courier import Couriers
from appliance.delivery.diagnostics import target_check
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import Target
from appliance.delivery.transports import ssh, ssh_hops
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.ssh_folder import SshFolder
from appliance.demo.frontend import HOST, FrontEnd, descendants, write_known_hosts
from appliance.errors import DeliveryError

from .conftest import Publisher

FrontEnds = Callable[..., list[FrontEnd]]
Gates = Callable[..., "Gate"]

USER = pwd.getpwuid(os.getuid()).pw_name


class Gate(FrontEnd):
    """A host that lets a key through to other hosts and does nothing else."""

    def prepare(self) -> None:
        super().prepare()
        public = self.key.with_name(self.key.name + ".pub").read_text("ascii").strip()
        self._write("authorized_keys", f"restrict,port-forwarding {public}\n")
        config = (self.folder / "sshd_config").read_text("utf-8")
        config = config.replace("AllowTcpForwarding no", "AllowTcpForwarding local")
        self._write("sshd_config", config.replace("LogLevel ERROR", "LogLevel VERBOSE"))

    @property
    def jump(self) -> str:
        """How it stands in ProxyJump."""
        return f"{USER}@{HOST}:{self.ssh_port}"

    @property
    def entered(self) -> int:
        """How often somebody came in."""
        return (self.folder / "sshd.log").read_text("utf-8").count("Accepted publickey")


@pytest.fixture
def gates(publisher: Publisher, front_ends: FrontEnds) -> Iterator[Gates]:
    """Starts gates; each is pinned, and takes the couriers' key unless another is named."""
    started: list[Gate] = []

    def start(key: str = "key", *, pinned: bool = True) -> Gate:
        gate = Gate(publisher.folder / f"gate {len(started)}", publisher.folder / key, f"gate{len(started)}")
        started.append(gate)
        gate.start(http=False)
        if pinned:
            write_known_hosts(publisher.folder / "known hosts", [*publisher.front_ends, *started])
        return gate

    yield start
    for gate in started:
        gate.stop()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's own settings for ssh."""
    monkeypatch.setattr(ssh_hops, "USER_CONFIG", str(tmp_path / "own"))
    return tmp_path / "own"


def delivered(publisher: Publisher, target: Target, tries: int = 1) -> TargetState:
    publisher.put("a.html", f"version {publisher.version}")
    with Couriers([target]) as couriers:
        (state,) = couriers.settle(tries=tries)
    return state


def through(publisher: Publisher, *jumps: str, **settings: object) -> Target:
    plain = publisher.front_ends[0].settings()
    options = [f"ProxyJump={','.join(jumps)}"]
    return publisher.target(plain.model_copy(update={"ssh_options": options, **settings}))


@pytest.mark.conformance("A3")
def test_a_front_end_is_reached_through_a_jump_host_with_a_port_of_its_own(
    publisher: Publisher, front_ends: FrontEnds, gates: Gates
) -> None:
    (front,) = front_ends(1)
    gate = gates()
    state = delivered(publisher, through(publisher, gate.jump))
    assert state.level, state.error
    assert gate.entered == 1
    assert (front.docroot / "a.html").is_file()


def test_a_chain_of_jump_hosts_is_taken_in_order(publisher: Publisher, front_ends: FrontEnds, gates: Gates) -> None:
    front_ends(1)
    first, second = gates(), gates()
    state = delivered(publisher, through(publisher, first.jump, second.jump))
    assert state.level, state.error
    assert (first.entered, second.entered) == (1, 1)


def test_a_jump_host_takes_name_port_and_key_from_the_operators_settings(
    publisher: Publisher, front_ends: FrontEnds, gates: Gates, own: Path
) -> None:
    front_ends(1)
    gate = gates("another key")
    named = f'Host gate\n  HostName {HOST}\n  Port {gate.ssh_port}\n  IdentityFile "{gate.key}"\n'
    own.write_text(f"{named}  StrictHostKeyChecking no\n")
    state = delivered(publisher, through(publisher, "gate"))
    assert state.level, state.error
    assert gate.entered == 1


def test_an_alias_brings_its_own_jump_host(
    publisher: Publisher, front_ends: FrontEnds, gates: Gates, own: Path
) -> None:
    (front,) = front_ends(1)
    gate = gates()
    own.write_text(f"Host www1\n  HostName {HOST}\n  Port {front.ssh_port}\n  ProxyJump {gate.jump}\n")
    address = f"www1:{front.docroot}"
    state = delivered(publisher, through(publisher, address=address, port=22, ssh_options=[]))
    assert state.level, state.error
    assert gate.entered == 1


OPTIONS = ["Port=1", "HostName=192.0.2.1", "User=nobody", "IdentityFile=/nowhere", "HostKeyAlias=front",
           "ForwardAgent=yes", "ControlPath=/nowhere", "LocalCommand=true", "Compression=yes"]  # fmt: skip


def test_what_is_for_the_target_does_not_reach_the_jump_host(publisher: Publisher, tmp_path: Path) -> None:
    settings = TargetSettings(
        name="a", address="publish@a:/srv/a", other_path=True, port=2222, ssh_options=[*OPTIONS, "ProxyJump=gate,door"]
    )
    way = ssh_hops.write_configuration(publisher.target(settings), tmp_path / "settings of it", tmp_path / "m0")
    assert [hop.name for hop in way] == ["gate", "door", "publish@a"]
    shown = [effective(hop) for hop in way]
    for jump, name in zip(shown[:2], ("gate", "door"), strict=True):
        assert jump["hostname"] == name
        assert (jump["port"], jump["user"]) == ("22", USER) and "controlpath" not in jump
        assert jump["batchmode"] == "yes" and jump["stricthostkeychecking"] in ("true", "yes")
        assert jump["userknownhostsfile"] == str(publisher.delivery.known_hosts)
        assert jump["identityfile"] == str(publisher.delivery.ssh_key)
        assert jump["compression"] == "no" and jump["forwardagent"] == "no" and "hostkeyalias" not in jump
    assert "proxycommand" not in shown[0]
    assert shown[2]["port"] == "2222" and shown[2]["compression"] == "yes" and shown[2]["hostkeyalias"] == "front"


def effective(hop: ssh_hops.SshHop) -> dict[str, str]:
    command = ["ssh", "-G", "-F", str(hop.config_file), hop.destination]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in reversed(shown.splitlines()) if " " in line)


@pytest.mark.conformance("A7")
def test_a_jump_host_whose_key_is_not_pinned_is_refused_and_shown(
    publisher: Publisher, front_ends: FrontEnds, gates: Gates
) -> None:
    front_ends(1)
    gate = gates(pinned=False)
    known = publisher.delivery.known_hosts.read_text()
    target = through(publisher, gate.jump)
    state = delivered(publisher, target)
    assert not state.level and gate.jump in (state.error or "")
    (checked,) = target_check.check([target])
    (said,) = (check.said for check in checked.checks if check.passed is False)
    assert "jump host" in said and gate.known_host.split()[2] in said
    assert publisher.delivery.known_hosts.read_text() == known
    assert gate.entered == 0


@pytest.mark.conformance("A7")
def test_behind_a_jump_host_the_host_key_of_the_target_is_the_one_that_is_shown(
    publisher: Publisher, front_ends: FrontEnds, gates: Gates
) -> None:
    (front,) = front_ends(1)
    gate = gates()
    write_known_hosts(publisher.folder / "known hosts", [gate])
    (checked,) = target_check.check([through(publisher, gate.jump)])
    (said,) = (check.said for check in checked.checks if check.passed is False)
    assert said.startswith("its host key is not pinned") and front.known_host.split()[2] in said


def test_a_jump_host_that_may_not_forward_is_named(publisher: Publisher, front_ends: FrontEnds, gates: Gates) -> None:
    front_ends(1)
    gate = gates()
    public = gate.key.with_name("key.pub").read_text()
    (gate.folder / "authorized_keys").write_text(f"restrict {public}")
    state = delivered(publisher, through(publisher, gate.jump))
    assert f"through {gate.jump}: the jump host does not connect to it" in (state.error or "")


def test_a_circular_route_is_refused_before_anything_is_started(
    publisher: Publisher, front_ends: FrontEnds, own: Path, tmp_path: Path
) -> None:
    (front,) = front_ends(1)
    settings = front.settings().model_copy(update={"ssh_options": ["ProxyJump=one"]})
    own.write_text("Host one\n ProxyJump two\nHost two\n ProxyJump one\n")
    with pytest.raises(DeliveryError, match="leads through itself"):
        ssh_hops.write_configuration(publisher.target(settings), tmp_path / "c", tmp_path / "m")
    own.write_text("".join(f"Host h{n}\n ProxyJump h{n + 1}\n" for n in range(20)))
    settings = settings.model_copy(update={"ssh_options": ["ProxyJump=h0"]})
    with pytest.raises(DeliveryError, match="more than 8 jump hosts"):
        ssh_hops.write_configuration(publisher.target(settings), tmp_path / "c", tmp_path / "m")


def test_a_command_that_starts_ssh_endlessly_is_killed(publisher: Publisher, front_ends: FrontEnds, own: Path) -> None:
    (front,) = front_ends(1)
    own.write_text(f"Host front\n  ProxyCommand ssh -F {own} -W %h:%p front\n")
    target = through(publisher, address=f"front:{front.docroot}", ssh_options=[])
    private = SshFolder(target.delivery)
    # So many that only the guard can have stopped it, were the time-out to come first.
    target = replace(target, delivery=target.delivery.model_copy(update={"connect_timeout": 60}))
    before = set(descendants(os.getpid()))
    with pytest.raises(DeliveryError, match="kept starting further processes"):
        SshConnection(target, private, 0).warm()
    assert descendants(os.getpid(), but=before) == []
    private.remove()


def test_a_host_that_accepts_the_connection_but_no_login_is_given_up(
    publisher: Publisher, front_ends: FrontEnds
) -> None:
    if os.getuid():
        pytest.skip("only root's sshd may ask a command for keys")
    (front,) = front_ends(1)
    front.stop()
    with (front.folder / "sshd_config").open("a") as config:
        config.write("AuthorizedKeysFile none\nAuthorizedKeysCommand /bin/sleep 30\nAuthorizedKeysCommandUser root\n")
    text = (front.folder / "sshd_config").read_text()
    kept = [line for line in text.splitlines() if not line.startswith('AuthorizedKeysFile "')]
    (front.folder / "sshd_config").write_text("\n".join(kept) + "\n")
    front.start_sshd()
    target = publisher.target(front.settings(), connect_timeout=1)
    private = SshFolder(target.delivery)
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="does not answer within 2 s"):
        SshConnection(target, private, 0).warm()
    assert time.monotonic() < began + 15, "it waited for the host and not for its own time-out"
    private.remove()


def test_the_operators_settings_are_read_for_hosts_that_they_name_alone(
    publisher: Publisher, front_ends: FrontEnds, own: Path
) -> None:
    (front,) = front_ends(1)
    own.write_text("Host *\n  ProxyCommand false\n  User nobody\n")
    state = delivered(publisher, publisher.target(front.settings()))
    assert state.level, state.error
    own.write_text(f"Host www1\n  HostName {HOST}\n  Port {front.ssh_port}\n  User {USER}\n  BatchMode no\n")
    target = through(publisher, address=f"www1:{front.docroot}", port=22, ssh_options=[])
    state = delivered(publisher, target)
    assert state.level, state.error
    text = ssh_hops.target_configuration(publisher.target(front.settings()), front.folder / "m0")
    assert str(own) not in text
    assert str(own) in ssh_hops.target_configuration(target, front.folder / "m0")
    assert str(own) in ssh_hops.target_configuration(
        publisher.target(front.settings(), ssh_key=None), front.folder / "m0"
    )


def test_a_configuration_that_ssh_does_not_accept_is_reported(
    publisher: Publisher, front_ends: FrontEnds, own: Path
) -> None:
    front_ends(1)
    state = delivered(publisher, through(publisher, ssh_options=["Nonsense=yes"]))
    assert "ssh does not accept its configuration; correct ssh_options" in (state.error or "")
    assert ssh.MAX_PROCESSES > ssh_hops.MAX_HOPS
