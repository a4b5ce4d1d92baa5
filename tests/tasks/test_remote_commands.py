"""--inventory, with a real ansible and a real sshd as the publishing host."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.demo.frontend import FrontEnd, free_port, write_known_hosts
from appliance.errors import ClusterError, ConnectionLost
from appliance.tasks import remote_commands
from appliance.tasks.remote_commands import RemoteCommand
from tests.tasks.conftest import Typed

#: Stands in for the appliance: tells its words and its input, in bytes that are no text, and how it was ended.
COMMAND = """\
#!/bin/sh
for word; do printf '[%s]' "$word"; done
[ "$1" = status ] || printf '\\377\\303\\251\\r\\n\\n\\n'
printf 'trouble  \\n\\n' >&2
cat
exit 7
"""
#: Goes up from itself to the sshd of its connection, and ends that.
BREAKS = """\
#!/bin/sh
echo begun >> '{folder}/begun'
process=$$
while [ "$(cat /proc/$process/comm)" != sshd ]; do
    process=$(sed 's/.*) . \\([0-9]*\\) .*/\\1/' /proc/$process/stat)
done
kill -9 $process
"""
#: Every kind of quoting that there is on the way: ours, ansible's, its templates', ssh's and the host's shell.
WORDS = ["publish", "a  b", "it's", 'say "so"', "$HOME `id`", "{{ 1 + 1 }}", "{% raw %}", "ä\\n", "", "--", "--on", "*"]


#: Lines that earlier releases would have read as Ansible's, and as the end of the command.
MARKERS = """\
pub1 | CHANGED | rc=0 >>
ended 0
pub1 | UNREACHABLE! => {"msg": "gone", "unreachable": true}
absent /usr/local/bin/appliance
{"rc": 0}
"""
#: A banner that looks like an answer. Ansible itself fails when a host prints JSON before the answer.
BANNER = "Welcome to pub1\npub1 | CHANGED | rc=0 >>\nended 0\n"


class Cluster:
    """A publishing host that ssh can be told to reach, and the inventory that says how."""

    def __init__(self, folder: Path, host: FrontEnd) -> None:
        self.host = host
        self.command = folder / "the appliance"
        self.command.write_text(COMMAND)
        self.command.chmod(0o755)
        self.inventory = folder / "inventory.yml"
        self._known_hosts = folder / "known_hosts"
        write_known_hosts(self._known_hosts, [host])

    def write(self, *names: str, port: int = 0, **variables: object) -> None:
        """The publishing hosts: those called gone cannot be reached, the others are all the one there is."""
        options = f"-F none -o UserKnownHostsFile={self._known_hosts} -o IdentitiesOnly=yes -o ControlMaster=no"
        shared = {
            "ansible_host": "127.0.0.1",
            "ansible_ssh_private_key_file": str(self.host.key),
            "ansible_ssh_args": f"{options} -o StrictHostKeyChecking=yes",
            "ansible_pipelining": True,
            "ansible_python_interpreter": sys.executable,
            "appliance_command": str(self.command),
            **variables,
        }
        ports = {name: free_port() if name.startswith("gone") else port or self.host.ssh_port for name in names}
        hosts = {name: {"ansible_port": number} for name, number in ports.items()}
        self.inventory.write_text(json.dumps({"publishers": {"hosts": hosts, "vars": shared}}))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    folder = tmp_path_factory.mktemp("publisher")
    found = FrontEnd(folder / "host", folder / "key", forced='/bin/sh -c "$SSH_ORIGINAL_COMMAND"')
    try:
        found.start(http=False)
        yield found
    finally:
        found.stop()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: FrontEnd) -> Cluster:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    return Cluster(tmp_path, host)


def test_words_output_and_status_arrive_as_they_are(
    cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    cluster.write("pub1")
    assert remote_commands.run(RemoteCommand(cluster.inventory, None, WORDS)) == 7
    console, err = capsysbinary.readouterr()
    assert console == "".join(f"[{word}]" for word in WORDS).encode() + b"\xff\xc3\xa9\r\n\n\n"
    assert err == b"trouble  \n\n"


def test_a_command_that_reads_is_given_what_is_typed_here(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    cluster.write("pub1")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\x00a text\n")))
    remote_commands.run(RemoteCommand(cluster.inventory, None, ["content.add", "--file", "-"]))
    assert capsysbinary.readouterr().out.endswith(b"\n\n\n\x00a text\n")


def test_the_host_is_told_who_gives_the_command_here(
    cluster: Cluster, command_line: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the audit. Whatever the name, no shell on the way takes it for anything else."""
    cluster.write("pub1")
    cluster.command.write_text('#!/bin/sh\nprintf "[%s]" "$APPLIANCE_USER"\n')
    monkeypatch.setenv("APPLIANCE_USER", "ada; {{ 1 + 1 }} it's")
    assert command_line(f"--inventory {cluster.inventory} status") == "[ada; {{ 1 + 1 }} it's]"


def test_the_first_that_can_be_reached_is_asked_and_the_others_are_told(cluster: Cluster, command_line: Typed) -> None:
    cluster.write("gone1", "pub1", "pub2")
    told = command_line(f"--inventory {cluster.inventory} status --json", status=7)
    assert "[status][--json]" in told
    assert "gone1 cannot be reached: ssh: connect to host 127.0.0.1 port" in told


def test_one_can_be_chosen(cluster: Cluster, command_line: Typed) -> None:
    cluster.write("gone1", "pub1")
    assert "gone1" not in command_line(f"status --inventory={cluster.inventory} --on pub1", status=7)
    told = command_line(f"drain --inventory {cluster.inventory} --on=gone1", status=3)
    assert "None of gone1 ran the command; make sure that a publishing host is up." in told
    told = command_line(f"drain --inventory {cluster.inventory} --on=www1", status=3)
    assert "www1 is not a host of its group publishers; correct --on." in told


def test_a_host_that_prints_a_banner(
    cluster: Cluster, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    forced = tmp_path / "forced"
    forced.write_text(f'#!/bin/sh\nprintf %s {shlex.quote(BANNER)}\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"\n')
    forced.chmod(0o755)
    noisy = FrontEnd(tmp_path / "noisy", tmp_path / "noisy-key", forced=str(forced))
    try:
        noisy.start(http=False)
        noisy_cluster = Cluster(tmp_path, noisy)
        noisy_cluster.write("pub1")
        assert remote_commands.run(RemoteCommand(noisy_cluster.inventory, None, ["status"])) == 7
    finally:
        noisy.stop()
    out, err = capsysbinary.readouterr()
    assert (out, err) == (b"[status]", b"trouble  \n\n")


def test_output_like_that_of_ansible_arrives_as_it_is(
    cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    cluster.command.write_text(f"#!/bin/sh\nprintf %s {shlex.quote(MARKERS)}\nprintf %s {shlex.quote(MARKERS)} >&2\n")
    cluster.write("pub1")
    assert remote_commands.run(RemoteCommand(cluster.inventory, None, ["status"])) == 0
    assert capsysbinary.readouterr() == (MARKERS.encode(), MARKERS.encode())


@pytest.mark.parametrize("script", ["", "echo words", "echo trouble >&2"])
def test_a_command_may_print_nothing(cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes], script: str) -> None:
    cluster.command.write_text(f"#!/bin/sh\n{script}\n")
    cluster.write("pub1")
    assert remote_commands.run(RemoteCommand(cluster.inventory, None, ["status"])) == 0
    assert capsysbinary.readouterr() == (
        b"words\n" if "words" in script else b"",
        b"trouble\n" if "trouble" in script else b"",
    )


def test_hosts_of_groups_below_are_tried_until_none_is_left(cluster: Cluster, command_line: Typed) -> None:
    cluster.write("gone1", "gone2")
    inventory = json.loads(cluster.inventory.read_text())
    inventory = {"publishers": {"children": {"north": inventory["publishers"]}}}
    cluster.inventory.write_text(json.dumps(inventory))
    told = command_line(f"status --inventory {cluster.inventory}", status=3)
    assert "gone2 cannot be reached: ssh: connect to host 127.0.0.1 port" in told
    assert "None of gone1, gone2 ran the command; make sure that a publishing host is up." in told


def test_a_host_key_that_is_not_the_known_one_ends_it(cluster: Cluster, command_line: Typed) -> None:
    cluster.write("pub1", "pub2", ansible_host="localhost")
    told = command_line(f"status --inventory {cluster.inventory}", status=3)
    assert "pub1: its host key is unknown here or differs from the known one; compare it" in told


def test_a_key_that_is_not_let_in_ends_it(cluster: Cluster, tmp_path: Path, command_line: Typed) -> None:
    cluster.write("pub1", "pub2", ansible_ssh_private_key_file=str(tmp_path / "none"))
    told = command_line(f"status --inventory {cluster.inventory}", status=3)
    assert "pub1: it rejects this account's key (" in told


def test_a_host_without_the_appliance_is_told(cluster: Cluster, command_line: Typed) -> None:
    cluster.write("pub1", appliance_command="/usr/local/bin/no-appliance")
    told = command_line(f"status --inventory {cluster.inventory}", status=3)
    assert "pub1: the appliance is not installed there (/usr/local/bin/no-appliance); run site.yml first." in told


def test_a_connection_that_breaks_is_not_tried_elsewhere(cluster: Cluster, command_line: Typed) -> None:
    # The host's command ends the sshd it came through: ssh has begun by then, and nobody knows what was done.
    cluster.command.write_text(BREAKS.format(folder=cluster.command.parent))
    cluster.write("pub1", "pub2")
    told = command_line(f"publish --inventory {cluster.inventory}", status=2)
    assert "pub1: the connection broke, so the result of the command is unknown; check with status" in told
    assert (cluster.command.parent / "begun").read_text() == "begun\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no file inventory.yml; correct it"),
        ("frontends: {hosts: {www1: }}", "its group publishers has no host"),
        ("publishers: [", "ansible cannot use it"),
    ],
)
def test_an_inventory_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("inventory.yml").write_text(text)
    with pytest.raises(ClusterError, match=sentence):
        remote_commands.run(RemoteCommand(Path("inventory.yml"), None, ["status"]))


def test_without_ansible_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    (tmp_path / "inventory.yml").touch()
    with pytest.raises(ClusterError, match=r"ansible is not installed here, and --inventory needs it; install"):
        remote_commands.run(RemoteCommand(tmp_path / "inventory.yml", None, ["status"]))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["test", "--inventory", "x.yml"],
            "test does not act on an installation, so it cannot be run",
        ),
        (["work", "--inventory=x.yml"], "work does not act on an installation"),
        (["--inventory", "x.yml"], "--inventory needs a task to run there"),
        (["status", "--inventory"], "--inventory has no value; give the inventory's file"),
        (["status", "--on", "--inventory=x.yml"], "--on has no value; give a publishing host"),
    ],
)
def test_command_lines_that_make_no_sense(words: list[str], sentence: str) -> None:
    with pytest.raises(ClusterError, match=sentence):
        remote_commands.parse(words)


def test_a_name_that_is_a_pattern_is_no_host(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"--on all:pub1: that is not a host name"):
        remote_commands.run(RemoteCommand(tmp_path, "all:pub1", ["status"]))


def test_only_what_stands_before_two_dashes_is_an_option() -> None:
    assert remote_commands.parse(["publish", "--", "--inventory", "x.yml"]) is None
    assert remote_commands.parse(["publish", "--on", "a"]) is None
    asked = remote_commands.parse(["publish", "--on", "a", "b", "--inventory", "x.yml", "--", "--on"])
    assert asked == RemoteCommand(Path("x.yml"), "a", ["publish", "b", "--", "--on"])


def test_an_answer_that_was_cut_off_is_not_taken_for_an_end() -> None:
    with pytest.raises(ConnectionLost, match="the answer cannot be read"):
        remote_commands._parse_output("pub1", "ended")
