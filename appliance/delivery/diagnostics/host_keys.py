"""Shows the host key that a front end offers, so that a person can compare and pin it. Keys are never learned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from appliance.delivery.diagnostics.probe import CommandRunner
from appliance.delivery.targets import Target
from appliance.delivery.transports.ssh_hops import SshHop
from appliance.errors import DeliveryError

#: What ssh prints, as it appears in the errors of couriers.
_UNKNOWN = re.compile(r"host key verification failed|no .* host key is known", re.IGNORECASE)
_CHANGED = re.compile(r"identification has changed|has changed and you have requested", re.IGNORECASE)


def is_host_key_failure(message: str) -> bool:
    """Whether a failure to connect is about the host key."""
    return bool(_UNKNOWN.search(message) or _CHANGED.search(message))


def describe_fix(target: Target, hops: Sequence[SshHop], runner: CommandRunner) -> str:
    """Say what to do about a host key that is not pinned: the line to add, and what to compare it with first.

    It is about the nearest hop whose key is not pinned: nothing beyond it has been reached.
    """
    file = target.delivery.known_hosts or "~/.ssh/known_hosts"
    hop = next((hop for hop in hops[:-1] if not _is_pinned(hop, runner)), hops[-1])
    owner = "its" if hop is hops[-1] else f"the jump host {hop.name}'s"
    line = fetch_offered(hop, runner)
    if line is None:
        return f"{owner} host key is not the pinned one, and none could be fetched to show; pin it in {file}"
    host, kind, key = line.split()[:3]
    shown = f"it offers {kind} {fingerprint(line, runner)}"
    compare = f"compare that with `ssh-keygen -lf /etc/ssh/ssh_host_{_short(kind)}_key.pub` on its own console"
    pinned = runner.run(["ssh-keygen", "-F", host, "-f", str(Path(file).expanduser())])
    if pinned.output and key not in pinned.output:
        return (
            f"{owner} host key is not the one pinned in {file}: {shown}; unless the host was reinstalled, somebody may"
            f" be intercepting the connection, so {compare}, and only then replace the line there with: {line}"
        )
    return f"{owner} host key is not pinned: {shown}; {compare}, then add this line to {file}: {line}"


#: Our keys are not offered, since the host has not proved who it is.
_NO_KEYS = ("-o", "PreferredAuthentications=none", "-o", "PubkeyAuthentication=no", "-o", "ControlPath=none")


def fetch_offered(hop: SshHop, runner: CommandRunner) -> str | None:
    """Return the line of a known hosts file for the key that a host offers; None if it cannot be fetched.

    ssh writes it to a temporary file of its own.
    """
    scratch = hop.config_file.with_name("offered")
    options = [
        f"UserKnownHostsFile={scratch}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=accept-new",
        "HashKnownHosts=no",
    ]
    words = [word for option in options for word in ("-o", option)]
    try:
        runner.run(["ssh", *_NO_KEYS, *words, "-F", str(hop.config_file), "--", hop.destination, "true"])
        return scratch.read_text("utf-8").strip().split("\n")[0] or None
    except (DeliveryError, OSError):
        return None
    finally:
        scratch.unlink(missing_ok=True)


def _is_pinned(hop: SshHop, runner: CommandRunner) -> bool:
    """Whether the host key of a hop is known."""
    try:
        result = runner.run(["ssh", *_NO_KEYS, "-F", str(hop.config_file), "--", hop.destination, "true"])
    except DeliveryError:
        return True
    return not is_host_key_failure(result.errors)


def fingerprint(line: str, runner: CommandRunner) -> str:
    """Return the fingerprint (`SHA256:…`) of a line of a known hosts file."""
    result = runner.run(["ssh-keygen", "-lf", "-"], line.encode() + b"\n")
    found = re.search(r"SHA256:\S+", result.output)
    return found[0] if found else "of no fingerprint"


def _short(kind: str) -> str:
    """Return the name of a key type in the names of sshd's files, such as `ed25519` for `ssh-ed25519`."""
    return "ecdsa" if kind.startswith("ecdsa") else kind.removeprefix("ssh-").partition("@")[0]
