"""`--inventory FILE`: a command is run on a publishing host of that cluster, over Ansible's own connection.

Guarantees that the host runs the same words, however they are quoted; that its output arrives byte for byte and its
exit status is ours; and that a command which may have begun is not begun again elsewhere: another publishing host is
asked only where ssh itself says that the first was never reached.

`ansible` runs in a child process (the documented command line, which reads user, key, jump host and become from the
inventory). What it prints of a command is text, with line ends and characters changed, so the host sends base64.
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ClusterError, ConnectionLost
from appliance.tasks.console import warn

#: Tasks that act on an installation, and collections of which all do; the others belong to a checkout or a terminal.
_TASKS = {"publish", "drain", "status", "why", "periodic"}
_COLLECTIONS = {"content", "docroot", "jobs", "processes", "targets"}

#: The group of the inventory whose hosts are asked, in its order.
GROUP = "publishers"
#: Where site.yml puts the command; the variable `appliance_command` of the inventory names another place.
_COMMAND = "/usr/local/bin/appliance"

# Run by the host's shell with the command and its words. The folder is gone afterwards, whatever happened.
_SCRIPT = """\
command -v "$1" >/dev/null || { echo "absent $1"; exit; }
folder=$(mktemp -d) || exit
trap 'rm -rf "$folder"' EXIT
base64 -d >"$folder/in"
"$@" <"$folder/in" >"$folder/out" 2>"$folder/err"
echo "ended $?"
base64 -w 0 "$folder/out"; echo
base64 -w 0 "$folder/err"; echo
"""

# A template whose result is not read as a template again, so that braces among the words stay what they are.
_ARGUMENTS = {
    "argv": "{{ ['/bin/sh', '-c', appliance_remote_script, 'appliance', appliance_command | "
    f"default('{_COMMAND}')] + (appliance_remote_words | b64decode | from_json) }}}}",
    "stdin": "{{ appliance_remote_input }}",
    "expand_argument_vars": False,
}

#: What ssh says when it never got as far as running anything.
_NEVER_THERE = re.compile(
    r"ssh: connect to host|Could not resolve|banner exchange|kex_exchange_identification|stdio forwarding failed"
    r"|Connection closed by UNKNOWN|open failed: connect failed"
)
_REFUSED_HOST_KEY = re.compile(r"Host key verification failed|HOST IDENTIFICATION HAS CHANGED|host key is known for")
_REFUSED_KEY = re.compile(r"Permission denied \(|Too many authentication failures")

_HEAD = re.compile(r"^(\S+) \| (?:(CHANGED|SUCCESS) \| rc=0 >>|(UNREACHABLE!|FAILED!?)(?: \| rc=-?\d+ >>| => ))", re.M)


@dataclass(frozen=True, slots=True)
class Asked:
    """A command line that is for a cluster."""

    inventory: Path
    #: The publishing host that was named; else the first that can be reached.
    on: str | None
    words: list[str]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended there."""

    status: int
    out: bytes
    err: bytes


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A host on which nothing was begun, and why."""

    host: str
    said: str


def aside(words: Sequence[str]) -> Asked | None:
    """A command line without the program's name, if it has --inventory before any --; None if it has not.

    Raises:
        ClusterError: an option has no value, or the task acts on no installation.
    """
    end = words.index("--") if "--" in words else len(words)
    ours, kept = _taken(list(words[:end]))
    if "inventory" not in ours:
        return None
    task = next((word for word in kept if not word.startswith("-")), "")
    if not task:
        raise ClusterError("--inventory needs a task to run there, such as: status --inventory inventory.yml")
    if task not in _TASKS and task.partition(".")[0] not in _COLLECTIONS:
        raise ClusterError(f"{task} acts on no installation, so --inventory is not for it; leave the option out.")
    return Asked(Path(ours["inventory"]).expanduser(), ours.get("on"), [*kept, *words[end:]])


def _taken(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The values of --inventory and --on, and the words without them; --on is ours only beside --inventory."""
    ours: dict[str, str] = {}
    kept: list[str] = []
    left = iter(words)
    has_inventory = any(word.split("=")[0] == "--inventory" for word in words)
    for word in left:
        option, _, value = word.partition("=")
        if not has_inventory or option not in ("--inventory", "--on"):
            kept.append(word)
            continue
        value = value if "=" in word else next(left, "")
        if not value or value.startswith("-"):
            what = "the inventory's file" if option == "--inventory" else "a publishing host of the inventory"
            raise ClusterError(f"{option} has no value; give {what}.")
        ours[option[2:]] = value
    return ours, kept


def run(asked: Asked) -> int:
    """Run the command on a publishing host, print what it printed, and return its exit status.

    Raises:
        ClusterError: nothing was begun anywhere.
        ConnectionLost: it may have been begun, and how it ended is not known.
    """
    if not asked.inventory.exists():
        raise ClusterError(f"--inventory: there is no file {asked.inventory}; correct it.")
    away: list[str] = []
    for pattern in _patterns(asked):
        match _ask(asked, pattern):
            case Ended() as ended:
                return _relay(ended)
            case Unreachable(host, said):
                warn(f"{host} cannot be reached: {said}.")
                away.append(host)
            case None if not away:
                raise _nobody(asked)
            case None:
                break
    raise ClusterError(f"None of {', '.join(away)} ran the command; see that a publishing host is up.")


def _patterns(asked: Asked) -> Iterator[str]:
    """Ansible's patterns for the hosts to ask, each for one."""
    if asked.on is not None:
        if not re.fullmatch(r"\w[\w.-]*", asked.on):
            raise ClusterError(f"--on {asked.on}: that is no host's name; give one of the group {GROUP}.")
        yield f"{asked.on}:&{GROUP}"
        return
    number = 0
    while True:
        yield f"{GROUP}[{number}]"
        number += 1


def _nobody(asked: Asked) -> ClusterError:
    if asked.on is not None:
        return ClusterError(f"{asked.inventory}: {asked.on} is no host of its group {GROUP}; correct --on.")
    return ClusterError(
        f"{asked.inventory}: its group {GROUP} has no host, so nobody could be asked; put the publishing hosts there."
    )


def _relay(ended: Ended) -> int:
    for stream, text in ((sys.stdout, ended.out), (sys.stderr, ended.err)):
        stream.flush()
        stream.buffer.write(text)
        stream.flush()
    return ended.status


def _ask(asked: Asked, pattern: str) -> Ended | Unreachable | None:
    """Run the command on the one host of `pattern`; None if there is no such host."""
    with tempfile.TemporaryDirectory(prefix="appliance-") as folder:
        variables = Path(folder, "variables.json")
        variables.write_text(json.dumps(_variables(asked)), "utf-8")
        command = [
            _program(), pattern, "-i", str(asked.inventory), "-m", "ansible.builtin.command",
            "-a", json.dumps(_ARGUMENTS), "-e", f"@{variables}",
        ]  # fmt: skip
        try:
            ran = subprocess.run(command, env=_environment(), capture_output=True, check=False)
        except KeyboardInterrupt:
            raise ConnectionLost("Interrupted; if the command has begun on the publishing host, it goes on.") from None
    return _read(asked, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"))


def _variables(asked: Asked) -> dict[str, object]:
    reads = any(word == "-" or word.endswith("=-") for word in asked.words)
    return {
        "appliance_remote_script": _SCRIPT,
        "appliance_remote_words": base64.b64encode(json.dumps(asked.words).encode()).decode(),
        "appliance_remote_input": base64.b64encode(sys.stdin.buffer.read() if reads else b"").decode(),
        # Ansible would begin the command once more after a connection that broke.
        "ansible_ssh_retries": 0,
    }


def _program() -> str:
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = shutil.which("ansible", path=beside)
    if not found:
        raise ClusterError("ansible is not installed here, and --inventory needs it; install ansible-core 2.19.")
    return found


def _environment() -> dict[str, str]:
    """That of this process, with what decides how ansible prints; the rest is as its own settings say."""
    return {
        **os.environ,
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "0",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_VERBOSITY": "0",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
    }


def _read(asked: Asked, printed: str, complained: str) -> Ended | Unreachable | None:
    head = _HEAD.search(printed)
    if head is None:
        if complained and not re.search(r"No hosts matched", complained):
            raise ClusterError(f"{asked.inventory}: ansible cannot use it: {_gist(complained)}")
        return None
    host, rest = head[1], printed[head.end() :]
    if head[2]:
        return _ended(host, rest)
    said = rest
    if rest.lstrip().startswith("{"):
        said = str(json.JSONDecoder().raw_decode(rest.lstrip())[0].get("msg", rest))
    return _failure(host, said, reached=head[3] != "UNREACHABLE!")


def _ended(host: str, printed: str) -> Ended:
    lines = printed.lstrip("\n").split("\n")
    kind, _, what = lines[0].partition(" ")
    if kind == "absent":
        raise ClusterError(f"{host}: the appliance is not installed there ({what}); run site.yml first.")
    if kind != "ended" or len(lines) < 3:
        raise ConnectionLost(f"{host}: the answer cannot be read, so whether the command ran is not known.")
    return Ended(int(what), base64.b64decode(lines[1]), base64.b64decode(lines[2]))


def _failure(host: str, said: str, *, reached: bool) -> Unreachable:
    """What a host that ran nothing says of it, if another may be asked.

    Raises:
        ClusterError, ConnectionLost: another may not.
    """
    gist = _gist(said)
    if _REFUSED_HOST_KEY.search(said):
        raise ClusterError(
            f"{host}: its host key is not the one that is known here, or none is; compare it with the one on its "
            "console and correct the file of known hosts that the inventory or ssh names."
        )
    if _REFUSED_KEY.search(said):
        raise ClusterError(f"{host}: it does not let this account's key in ({gist}); see to ansible_user and the key.")
    if reached:
        raise ClusterError(f"{host}: ansible could not run the command: {gist}")
    if _NEVER_THERE.search(said):
        return Unreachable(host, gist)
    raise ConnectionLost(
        f"{host}: the connection broke, so how the command ended is not known; see with status ({gist})"
    )


def _gist(said: str) -> str:
    """The sentence of ansible's that tells most, on one line."""
    text = re.sub(r"^\[(?:ERROR|WARNING)\]: ", "", said.strip())
    text = re.sub(r"^.*(?=ssh: connect to host|ssh: Could not resolve)", "", text, flags=re.DOTALL)
    for lead in ("Task failed: ", "Module failed: ", "Failed to connect to the host via ssh: "):
        text = text.removeprefix(lead)
    return re.sub(r"\s+", " ", text.split("\nOrigin:")[0]).strip()[:300].rstrip(". ")
