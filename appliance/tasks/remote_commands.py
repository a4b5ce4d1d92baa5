"""`--inventory FILE`: run a command on a publishing host of an Ansible inventory.

The host runs the same arguments, however they are quoted. Its output arrives byte for byte, and its exit status
becomes ours. A command that may have started is never started again on another host: the next host is tried only when
connecting to the one before failed.

`ansible-playbook` runs in a child process and takes user, key, jump host and become from the inventory. What it prints
is for people and is not read. Instead the last task of the playbook writes the registered results to a file here, as
JSON. Ansible changes line ends and invalid characters of a command's output, so the host sends it in base64.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.errors import ClusterError, ConnectionLost
from appliance.tasks import remote_playbook
from appliance.tasks.caller import find_caller
from appliance.tasks.command_line import warn

#: Tasks and collections that act on an installation. All others need a checkout or a terminal.
_TASKS: Final = {"publish", "drain", "status", "top", "why", "periodic"}
_COLLECTIONS: Final = {"audit", "content", "docroot", "jobs", "pages", "processes", "targets"}

#: The group of the inventory with the publishing hosts, which are tried in order.
GROUP: Final = "publishers"
# ssh reports these two only as text. They are not tried elsewhere, since only a person can fix them.
_HOST_KEY_REFUSED: Final = re.compile(
    r"Host key verification failed|HOST IDENTIFICATION HAS CHANGED|host key is known for"
)
_KEY_REFUSED: Final = re.compile(r"Permission denied \(|Too many authentication failures")


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """A command line to run on a cluster."""

    inventory: Path
    #: The publishing host to run it on; None for the first that can be reached.
    on: str | None
    words: list[str]


@dataclass(frozen=True, slots=True)
class RemoteResult:
    """The exit status and the output of a command that ran on a host."""

    status: int
    out: bytes
    err: bytes


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A host to which no connection could be made, and why."""

    host: str
    reason: str


def parse(words: Sequence[str]) -> RemoteCommand | None:
    """Parse a command line, without the program's name. Returns None when it has no --inventory before `--`.

    Raises:
        ClusterError: an option has no value, or the task does not act on an installation.
    """
    end = words.index("--") if "--" in words else len(words)
    options, others = _split_options(list(words[:end]))
    if "inventory" not in options:
        return None
    task = next((word for word in others if not word.startswith("-")), "")
    if not task:
        raise ClusterError("--inventory needs a task to run there, such as: status --inventory inventory.yml")
    if task not in _TASKS and task.partition(".")[0] not in _COLLECTIONS:
        raise ClusterError(f"{task} does not act on an installation, so it cannot be run with --inventory.")
    return RemoteCommand(Path(options["inventory"]).expanduser(), options.get("on"), [*others, *words[end:]])


def _split_options(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the values of --inventory and --on, and all other words. Without --inventory, --on is another word."""
    options: dict[str, str] = {}
    others: list[str] = []
    remaining = iter(words)
    has_inventory = any(word.split("=")[0] == "--inventory" for word in words)
    for word in remaining:
        option, _, value = word.partition("=")
        if not has_inventory or option not in ("--inventory", "--on"):
            others.append(word)
            continue
        value = value if "=" in word else next(remaining, "")
        if not value or value.startswith("-"):
            expected = "the inventory's file" if option == "--inventory" else "a publishing host of the inventory"
            raise ClusterError(f"{option} has no value; give {expected}.")
        options[option[2:]] = value
    return options, others


def run(remote: RemoteCommand) -> int:
    """Run a command on a publishing host, print its output, and return its exit status.

    Raises:
        ClusterError: the command was started nowhere.
        ConnectionLost: the command may have started, and its result is unknown.
    """
    if not remote.inventory.exists():
        raise ClusterError(f"--inventory: there is no file {remote.inventory}; correct it.")
    if remote.on is not None and not re.fullmatch(r"\w[\w.-]*", remote.on):
        raise ClusterError(f"--on {remote.on}: that is not a host name; give one of the group {GROUP}.")
    unreachable: list[str] = []
    while True:
        pattern = f"{GROUP}[{len(unreachable)}]" if remote.on is None else f"{remote.on}:&{GROUP}"
        outcome = _run_on(remote, pattern)
        if isinstance(outcome, RemoteResult):
            return _print(outcome)
        if isinstance(outcome, str):
            _check_hosts(remote, len(unreachable), outcome)
            break
        warn(f"{outcome.host} cannot be reached: {outcome.reason}.")
        unreachable.append(outcome.host)
        if remote.on is not None:
            break
    raise ClusterError(f"None of {', '.join(unreachable)} ran the command; make sure that a publishing host is up.")


def _print(result: RemoteResult) -> int:
    for stream, text in ((sys.stdout, result.out), (sys.stderr, result.err)):
        stream.flush()
        stream.buffer.write(text)
        stream.flush()
    return result.status


def _run_on(remote: RemoteCommand, pattern: str) -> RemoteResult | Unreachable | str:
    """Run the command on the one host that matches. Returns Ansible's error message if it ran on none."""
    with tempfile.TemporaryDirectory(prefix="appliance-") as folder:
        playbook, variables, result = (Path(folder, name) for name in ("play.json", "variables.json", "result.json"))
        playbook.write_text(
            json.dumps([{"hosts": pattern, "gather_facts": False, "tasks": remote_playbook.TASKS}]), "utf-8"
        )
        variables.write_text(json.dumps(_variables(remote, result)), "utf-8")
        try:
            ran = _ansible("ansible-playbook", "-i", str(remote.inventory), "-e", f"@{variables}", str(playbook))
        except KeyboardInterrupt:
            raise ConnectionLost(
                "Interrupted; if the command has started on the publishing host, it goes on."
            ) from None
        if not result.exists():
            return _summarize(ran.stderr.decode("utf-8", "replace"))
        return _read(json.loads(result.read_bytes()))


def _variables(remote: RemoteCommand, result: Path) -> dict[str, object]:
    reads_input = any(word == "-" or word.endswith("=-") for word in remote.words)
    return {
        "appliance_remote_script": remote_playbook.SCRIPT,
        "appliance_remote_words": base64.b64encode(json.dumps(remote.words).encode()).decode(),
        "appliance_remote_input": base64.b64encode(sys.stdin.buffer.read() if reads_input else b"").decode(),
        "appliance_remote_result": str(result),
        "appliance_remote_user": base64.b64encode(find_caller().name.encode()).decode(),
        # Otherwise Ansible would start the command again after a connection that broke.
        "ansible_ssh_retries": 0,
    }


def _ansible(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    if not (found := shutil.which(program, path=path)):
        raise ClusterError("ansible is not installed here, and --inventory needs it; install ansible-core 2.19.")
    # An output plugin or colors that the user configured must not fail or change an error message.
    environ = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_VERBOSITY": "0",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
    }
    return subprocess.run([found, *arguments], env=environ, capture_output=True, check=False)


def _check_hosts(remote: RemoteCommand, tried: int, message: str) -> None:
    """Explain why Ansible ran the command on no host. Returns if all hosts of the group have been tried.

    Raises:
        ClusterError: the inventory is invalid or has no such host, or Ansible failed for another reason.
    """
    listed = _ansible("ansible-inventory", "-i", str(remote.inventory), "--list")
    if listed.returncode:
        problem = _summarize(listed.stderr.decode("utf-8", "replace"))
        raise ClusterError(f"{remote.inventory}: ansible cannot use it: {problem}")
    hosts = _hosts_of(json.loads(listed.stdout), GROUP)
    if remote.on is not None and remote.on not in hosts:
        raise ClusterError(f"{remote.inventory}: {remote.on} is not a host of its group {GROUP}; correct --on.")
    if not hosts:
        raise ClusterError(f"{remote.inventory}: its group {GROUP} has no host; add the publishing hosts to it.")
    if tried < len(hosts):
        raise ClusterError(f"{remote.inventory}: ansible could not run the command: {message}")


def _hosts_of(groups: Mapping[str, Any], name: str) -> set[str]:
    """Return the hosts of a group and of the groups below it."""
    group = groups.get(name, {})
    return {
        *group.get("hosts", []),
        *(host for child in group.get("children", []) for host in _hosts_of(groups, child)),
    }


def _read(results: Mapping[str, Any]) -> RemoteResult | Unreachable:
    """Read the results that the playbook has written.

    Raises:
        ClusterError: the command did not start, and another host must not be tried.
        ConnectionLost: the command may have started.
    """
    host, probe, ran = results["host"], results["probe"], results["run"]
    if probe.get("unreachable"):
        return _refused_or_unreachable(host, str(probe.get("msg", "")))
    if ran.get("unreachable"):
        raise ConnectionLost(
            f"{host}: the connection broke, so the result of the command is unknown; check with status"
            f" ({_summarize(str(ran.get('msg', '')))})"
        )
    if "stdout" not in ran or ran.get("rc"):
        raise ClusterError(f"{host}: ansible could not run the command: {_summarize(str(ran.get('msg', '')))}")
    return _parse_output(host, ran["stdout"])


def _refused_or_unreachable(host: str, message: str) -> Unreachable:
    summary = _summarize(message)
    if _HOST_KEY_REFUSED.search(message):
        raise ClusterError(
            f"{host}: its host key is unknown here or differs from the known one; compare it with the one on its "
            "console and correct the file of known hosts that the inventory or ssh names."
        )
    if _KEY_REFUSED.search(message):
        raise ClusterError(f"{host}: it rejects this account's key ({summary}); check ansible_user and the key.")
    return Unreachable(host, summary)


def _parse_output(host: str, output: str) -> RemoteResult:
    """Parse what `remote_playbook.SCRIPT` printed."""
    lines = output.split("\n")
    kind, _, value = lines[0].partition(" ")
    if kind == "absent":
        raise ClusterError(f"{host}: the appliance is not installed there ({value}); run site.yml first.")
    if kind != "ended" or lines[3:] != ["complete"]:
        raise ConnectionLost(f"{host}: the answer cannot be read, so whether the command ran is unknown.")
    return RemoteResult(int(value), base64.b64decode(lines[1]), base64.b64decode(lines[2]))


def _summarize(message: str) -> str:
    """Shorten an error message of Ansible or ssh to one line for people."""
    text = re.sub(r"^\[(?:ERROR|WARNING)\]: ", "", message.strip())
    text = re.sub(r"^.*(?=ssh: connect to host|ssh: Could not resolve)", "", text, flags=re.DOTALL)
    for prefix in ("Task failed: ", "Module failed: ", "Failed to connect to the host via ssh: "):
        text = text.removeprefix(prefix)
    return re.sub(r"\s+", " ", text.split("\nOrigin:")[0]).strip()[:300].rstrip(". ")
