"""What a publishing host's key may do on the hosts that receive: write below the docroot, and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import testinfra

testinfra_hosts = ["ansible://publishers"]

KEY = "/etc/appliance/keys/id_ed25519"
DOCROOT = "/srv/www"
PROBE = "probe-of-the-key"


class Receiver(NamedTuple):
    """A host that is sent files: itself, and where it is reached."""

    host: Any
    address: str
    port: int


def _receivers(host: Any) -> list[Receiver]:
    variables = host.ansible.get_variables()
    groups, here = variables["groups"], variables["inventory_hostname"]
    several = groups["publishers"] if len(groups["publishers"]) > 1 else []
    names = [name for name in (*groups["frontends"], *several) if name != here]
    found = []
    for name in dict.fromkeys(name for name in names if name in several or name not in groups["publishers"]):
        there = testinfra.get_host(f"ansible://{name}", ansible_inventory=host.backend.ansible_inventory)
        known = there.ansible.get_variables()
        address = known.get("appliance_address", known.get("ansible_host", name))
        found.append(Receiver(there, address, known.get("appliance_ssh_port", 22)))
    return found


@pytest.fixture(scope="module")
def receivers(host: Any) -> list[Receiver]:
    return _receivers(host)


@pytest.fixture(scope="module")
def one(receivers: list[Receiver]) -> list[Receiver]:
    """One of them, for what is tried in many ways: the same role sets up all."""
    return receivers[:1]


def _ssh(port: int, known: str = "/etc/appliance/known_hosts") -> str:
    options = "-oBatchMode=yes -oIdentitiesOnly=yes -oConnectTimeout=10 -oStrictHostKeyChecking=yes"
    return f"ssh -Fnone {options} -oUserKnownHostsFile={known} -i{KEY} -p{port}"


# testinfra takes status 255 for a failure of its own connection.
_FAILED = 99


def _as_account(host: Any, command: str) -> Any:
    return host.run("runuser -u publish -- timeout 20 sh -c %s", f"{command} || exit {_FAILED}")


def _enter(host: Any, to: Receiver, options: str = "", command: str = "") -> Any:
    entering = f"{_ssh(to.port)} {options} publish@{to.address} {command} </dev/null"
    return _as_account(host, entering)


def _rsync(host: Any, to: Receiver, *words: str) -> Any:
    said = shlex.join(["rsync", "-e", _ssh(to.port), *words])
    return _as_account(host, said)


@pytest.fixture
def letter(host: Any) -> Iterator[str]:
    """A folder of a publishing host with a file and a link to send."""
    folder = host.check_output("runuser -u publish -- mktemp -d")
    host.check_output("sh -ec %s", f"cd {folder}; echo sent > {PROBE}; ln -s /etc {PROBE}.link; chown -h publish: *")
    yield folder
    host.check_output(f"rm -rf {folder}")


def test_the_private_half_is_the_account_s_alone(host: Any) -> None:
    key = host.file(KEY)
    assert (key.user, key.mode) == ("publish", 0o600)
    folder = host.file("/etc/appliance/keys")
    assert (folder.user, folder.group, folder.mode) == ("root", "publish", 0o750)


def test_the_private_half_is_nowhere_else(receivers: list[Receiver]) -> None:
    for to in receivers:
        if (
            to.host.ansible.get_variables()["inventory_hostname"]
            in to.host.ansible.get_variables()["groups"]["publishers"]
        ):
            continue
        assert not to.host.file(KEY).exists


def test_what_a_key_may_do_is_root_s_to_say(receivers: list[Receiver]) -> None:
    for to in receivers:
        file = to.host.file("/etc/ssh/appliance/authorized_keys")
        assert (file.user, file.mode) == ("root", 0o644)
        lines = [line for line in file.content_string.splitlines() if not line.startswith("#")]
        assert lines and all(line.startswith('restrict,from="') for line in lines)
        assert all(',command="rsync --server --daemon --config=/etc/appliance/rsyncd.conf ."' in line for line in lines)
        assert to.host.file("/etc/appliance/rsyncd.conf").user == "root"


def test_files_arrive_and_can_be_taken_away(host: Any, receivers: list[Receiver], letter: str) -> None:
    for to in receivers:
        there = f"publish@{to.address}::docroot/"
        assert _rsync(host, to, "--times", "--perms", f"{letter}/{PROBE}", there).rc == 0
        assert to.host.file(f"{DOCROOT}/{PROBE}").content_string == "sent\n"
        host.check_output(f"rm {letter}/{PROBE}")
        removing = (
            "--relative",
            "--recursive",
            "--delete",
            "--existing",
            "--ignore-existing",
            "--no-perms",
            "--no-times",
        )
        only = (
            f"--filter=+ /{PROBE}",
            "--filter=P *",
            "--filter=H *",
        )  # as couriers do, see delivery.transports.rsync_removals
        gone = _rsync(host, to, *removing, *only, f"{letter}/./", there)
        assert gone.rc == 0, gone.stderr
        assert not to.host.file(f"{DOCROOT}/{PROBE}").exists
        host.check_output("sh -c %s", f"echo sent > {letter}/{PROBE}")


@pytest.mark.parametrize(("options", "command"), [("", "id"), ("-tt", "id"), ("-tt", "")])
def test_it_gives_no_shell(host: Any, one: list[Receiver], options: str, command: str) -> None:
    for to in one:
        said = _enter(host, to, options, command)
        assert "uid=" not in said.stdout
        assert said.stdout.replace("\r", "").startswith("@RSYNCD:") or said.rc == _FAILED


def test_it_gives_no_sftp(host: Any, one: list[Receiver], letter: str) -> None:
    for to in one:
        copying = f"scp -q -s -oBatchMode=yes -oUserKnownHostsFile=/etc/appliance/known_hosts -i{KEY} -P{to.port}"
        said = _as_account(host, f"{copying} {letter}/{PROBE} publish@{to.address}:/tmp/{PROBE}")
        assert said.rc != 0
        assert not to.host.file(f"/tmp/{PROBE}").exists


def test_it_forwards_nothing(host: Any, one: list[Receiver]) -> None:
    for to in one:
        through = _enter(host, to, "-W 127.0.0.1:22")
        assert through.rc != 0
        assert "SSH-2.0" not in through.stdout
        back = _enter(host, to, "-N -oExitOnForwardFailure=yes -R 47221:127.0.0.1:22")
        assert back.rc == _FAILED
        assert "remote port forwarding failed" in back.stderr


def test_nothing_is_read(host: Any, one: list[Receiver], letter: str) -> None:
    for to in one:
        for there in ("::docroot/index.html", "::docroot/", ":/etc/passwd", ":index.html"):
            said = _rsync(host, to, "-r", f"publish@{to.address}{there}", f"{letter}/pulled/")
            assert said.rc != 0, there
            assert not host.file(f"{letter}/pulled/index.html").exists
        assert "docroot" not in _rsync(host, to, f"publish@{to.address}::").stdout


@pytest.mark.parametrize("there", ["::docroot/../", "::etc/", "::docroot//tmp/../../tmp/", ":/tmp/", ":"])
def test_nothing_is_written_outside(host: Any, one: list[Receiver], letter: str, there: str) -> None:
    for to in one:
        _rsync(host, to, f"{letter}/{PROBE}", f"publish@{to.address}{there}")
        outside = to.host.check_output(f"find / -xdev -name '{PROBE}*' -not -path '/proc/*' -not -path '{letter}/*'")
        inside = [path for path in outside.split() if path.startswith(f"{DOCROOT}/")]
        assert outside.split() == inside
        to.host.check_output(f"rm -f {' '.join(inside)}")


@pytest.mark.parametrize("options", ["--links", "--owner", "--append", "--inplace", "--backup", "--link-dest=/etc"])
def test_what_may_harm_is_refused(host: Any, one: list[Receiver], letter: str, options: str) -> None:
    for to in one:
        said = _rsync(host, to, options, f"{letter}/{PROBE}.link", f"publish@{to.address}::docroot/")
        assert said.rc != 0
        assert "refuse" in said.stderr
        assert not to.host.file(f"{DOCROOT}/{PROBE}.link").exists


def test_it_opens_nothing_from_another_address(host: Any, receivers: list[Receiver]) -> None:
    key = host.file(KEY).content_string
    for to in receivers:
        aside = to.host.check_output("mktemp")
        to.host.check_output("sh -c %s", f"printf %s {shlex.quote(key)} > {aside}")
        try:
            entering = (
                f"ssh -Fnone -oBatchMode=yes -oIdentitiesOnly=yes -oStrictHostKeyChecking=no -i{aside} -p{to.port}"
            )
            said = to.host.run(
                f"{entering} -oUserKnownHostsFile=/dev/null publish@{to.address} </dev/null || exit {_FAILED}"
            )
        finally:
            to.host.check_output(f"rm {aside}")
        assert said.rc == _FAILED
        assert "Permission denied (publickey)" in said.stderr
        assert "@RSYNCD" not in said.stdout


def test_no_password_is_asked_for(host: Any, one: list[Receiver]) -> None:
    for to in one:
        said = _enter(host, to, "-oPubkeyAuthentication=no")
        assert "Permission denied (publickey)" in said.stderr


def test_host_keys_are_pinned_as_they_are_there(host: Any, receivers: list[Receiver]) -> None:
    pinned = host.file("/etc/appliance/known_hosts")
    assert (pinned.user, pinned.mode) == ("root", 0o644)
    lines = [line for line in pinned.content_string.splitlines() if not line.startswith("#")]
    keys = [to.host.file("/etc/ssh/ssh_host_ed25519_key.pub").content_string.split()[:2] for to in receivers]
    assert [line.split()[1:] for line in lines] == keys


def test_a_host_that_is_not_the_pinned_one_is_refused(host: Any, one: list[Receiver]) -> None:
    other = host.check_output(
        "runuser -u publish -- sh -c 'd=$(mktemp -d); ssh-keygen -qt ed25519 -N \"\" -f $d/k; echo $d'"
    )
    public = " ".join(host.file(f"{other}/k.pub").content_string.split()[:2])
    for to in one:
        name = to.address if to.port == 22 else f"[{to.address}]:{to.port}"
        host.check_output("sh -c %s", f"echo {shlex.quote(f'{name} {public}')} > {other}/known")
        said = _as_account(host, f"{_ssh(to.port, f'{other}/known')} publish@{to.address} </dev/null")
        assert said.rc == _FAILED
        assert "Host key verification failed" in said.stderr
    host.check_output(f"rm -rf {other}")
