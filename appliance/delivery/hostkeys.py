"""Which host key a front end offers, for a person to compare and to pin. It is shown, never learned."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.delivery.probe import Runner
from appliance.delivery.targets import Target
from appliance.errors import DeliveryError

#: What ssh says, as a courier's error holds it.
_UNKNOWN = re.compile(r"host key verification failed|no .* host key is known", re.IGNORECASE)
_CHANGED = re.compile(r"identification has changed|has changed and you have requested", re.IGNORECASE)


def is_meant(said: str) -> bool:
    """Whether a failure to connect is about the host key."""
    return bool(_UNKNOWN.search(said) or _CHANGED.search(said))


def mend(target: Target, settings: Path, runner: Runner) -> str:
    """What to do about a host key that is not pinned: the line to add, and what to compare it with first."""
    file = target.delivery.known_hosts or "~/.ssh/known_hosts"
    line = offered(target, settings, runner)
    if line is None:
        return f"its host key is not the pinned one, and none could be fetched to show; pin it in {file}"
    host, kind, key = line.split()[:3]
    shown = f"it offers {kind} {fingerprint(line, runner)}"
    compare = f"compare that with `ssh-keygen -lf /etc/ssh/ssh_host_{_short(kind)}_key.pub` on its own console"
    pinned = runner.run(["ssh-keygen", "-F", host, "-f", str(Path(file).expanduser())])
    if pinned.output and key not in pinned.output:
        return (
            f"its host key is not the one pinned in {file}: {shown}; unless the host was made anew somebody may stand"
            f" in between, so {compare}, and only then replace the line there with: {line}"
        )
    return f"its host key is not pinned: {shown}; {compare}, then add this line to {file}: {line}"


def offered(target: Target, settings: Path, runner: Runner) -> str | None:
    """The line of a known hosts file for the key that the host offers; None when it cannot be had.

    ssh is given a file of its own to write it to, and no key of ours to show: the host proves nothing yet.
    """
    scratch = settings.with_name("offered")
    options = [
        f"UserKnownHostsFile={scratch}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=accept-new",
        "HashKnownHosts=no", "PreferredAuthentications=none", "PubkeyAuthentication=no", "ControlPath=none",
    ]  # fmt: skip
    words = [word for option in options for word in ("-o", option)]
    try:
        runner.run(["ssh", *words, "-F", str(settings), "--", target.host or "", "true"])
        return scratch.read_text("utf-8").strip().split("\n")[0] or None
    except (DeliveryError, OSError):
        return None
    finally:
        scratch.unlink(missing_ok=True)


def fingerprint(line: str, runner: Runner) -> str:
    """`SHA256:…` of a line of a known hosts file."""
    ran = runner.run(["ssh-keygen", "-lf", "-"], line.encode() + b"\n")
    found = re.search(r"SHA256:\S+", ran.output)
    return found[0] if found else "of no fingerprint"


def _short(kind: str) -> str:
    """`ed25519` of `ssh-ed25519`, as sshd's files are called."""
    return "ecdsa" if kind.startswith("ecdsa") else kind.removeprefix("ssh-").partition("@")[0]
