"""One warm ssh connection to a front end, shared by every rsync that goes there.

Guarantees that no prompt can ever block a push (BatchMode), that a host key is known beforehand or the
connection is refused (never learned on first use), and that no ssh process outlives the courier: the shared
connection is closed with it, and closes itself after a while without use should the courier have been killed.

The options stand in a generated ssh configuration file, since rsync splits the command it is given at spaces.
Pushes themselves never become the shared connection (`ControlMaster no`): without it they connect on their
own.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO

from appliance.config import DeliverySettings
from appliance.delivery.targets import Target
from appliance.errors import DeliveryError

#: Seconds without use after which a shared connection closes by itself.
PERSIST = 120

#: A socket's address holds 108 bytes; ssh binds a temporary name 17 longer, and a socket of ours is called
#: m999.
_LONGEST_FOLDER = 107 - 17 - len("/m999")


class PrivateFolder:
    """A folder that only this user enters, for the sockets and settings of ssh."""

    def __init__(self, settings: DeliverySettings) -> None:
        above = settings.temp_path or Path(tempfile.gettempdir())
        try:
            self.path = Path(tempfile.mkdtemp(prefix="appliance-", dir=above))
        except OSError as error:
            raise DeliveryError(
                f"the temporary folder {above} cannot be used ({error.strerror}); make it writable for this "
                "user, or set delivery.temp_path to one that is"
            ) from error
        if len(os.fsencode(self.path)) > _LONGEST_FOLDER:
            self.remove()
            raise DeliveryError(
                f"the temporary folder {above} has too long a name for ssh's sockets; set "
                "delivery.temp_path to a shorter one"
            )

    def remove(self) -> None:
        """Remove it with all in it."""
        shutil.rmtree(self.path, ignore_errors=True)


class Channel:
    """The shared connection to one target. `number` tells it from the others in the same private folder."""

    def __init__(self, target: Target, folder: Path, number: int) -> None:
        self._target = target
        self._settings = folder / f"c{number}"
        self._socket = folder / f"m{number}"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._settings.write_text(configuration(target, self._socket), "utf-8")

    @property
    def shell(self) -> str:
        """The remote shell as rsync's `-e` takes it."""
        quoted = str(self._settings).replace("'", "''")
        return f"ssh -F '{quoted}'"

    def warm(self) -> None:
        """Open the shared connection unless it stands.

        Raises:
            DeliveryError: the front end could not be reached, is not the one pinned, or refuses the key.
        """
        if self._stands():
            return
        self._socket.unlink(missing_ok=True)
        # A file and not a pipe: the connection stays in the background and would hold a pipe open.
        with tempfile.TemporaryFile() as errors:
            process = self._connect(errors)
            code = process.wait()
            with self._lock:
                self._process = None
            if code:
                errors.seek(0)
                raise DeliveryError(sentence(errors.read().decode(errors="replace"), self._target))

    def _stands(self) -> bool:
        """Whether the shared connection's process listens: one that was killed leaves its socket behind."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            return probe.connect_ex(os.fspath(self._socket)) == 0

    def _connect(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise DeliveryError(f"{self._target}: the push was stopped")
            self._process = subprocess.Popen(
                [*self._ssh(), "-o", "ControlMaster=yes", "-f", "-N", "--", self._host],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
            return self._process

    def stop(self) -> None:
        """End a connection attempt that is under way, from another thread, and allow no other."""
        with self._lock:
            self._stopped = True
            if self._process and self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGTERM)

    def close(self) -> None:
        """Close the shared connection and wait until its process is gone."""
        if pid := self._pid():
            with contextlib.suppress(ProcessLookupError):
                _end(pid, [*self._ssh(), "-O", "exit", "--", self._host])
        self._socket.unlink(missing_ok=True)

    def _pid(self) -> int | None:
        if not self._socket.exists():
            return None
        command = [*self._ssh(), "-O", "check", "--", self._host]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            return None
        found = re.search(r"pid=(\d+)", said.stderr + said.stdout)
        return int(found[1]) if found else None

    def _ssh(self) -> list[str]:
        return ["ssh", "-F", str(self._settings)]

    @property
    def _host(self) -> str:
        return self._target.host or ""


def _end(pid: int, ask: list[str]) -> None:
    """Run `ask`, which ends the process `pid`, and see that it is gone; kill it when it will not go."""
    handle = os.pidfd_open(pid)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(ask, capture_output=True, timeout=2, check=False)
        if not select.select([handle], [], [], 2)[0]:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 2)
    finally:
        os.close(handle)


def configuration(target: Target, place: Path) -> str:
    """The ssh configuration for `target`. What stands first wins: nothing below weakens what is above."""
    delivery = target.delivery
    lines = [
        "Host *",
        "BatchMode yes",
        "StrictHostKeyChecking yes",
        "UpdateHostKeys no",
        "VerifyHostKeyDNS no",
        f"ConnectTimeout {delivery.connect_timeout}",
        # A connection that hangs is given up after three: rsync would wait for a greeting for ever.
        f"ServerAliveInterval {max(1, min(5, delivery.timeout // 3))}",
        "ServerAliveCountMax 3",
        "ControlMaster no",
        f"ControlPath {_quoted(place)}",
        f"ControlPersist {PERSIST}",
        "ForwardAgent no",
        "ForwardX11 no",
        "ClearAllForwardings yes",
        "RequestTTY no",
        "PermitLocalCommand no",
        "LogLevel ERROR",
    ]
    if delivery.known_hosts:
        lines += [f"UserKnownHostsFile {_quoted(delivery.known_hosts)}", "GlobalKnownHostsFile /dev/null"]
    if delivery.ssh_key:
        lines += [f"IdentityFile {_quoted(delivery.ssh_key)}", "IdentitiesOnly yes"]
    if target.settings.port != 22:  # an alias may have a port of its own
        lines.append(f"Port {target.settings.port}")
    lines += [option.replace("\n", " ") for option in target.settings.ssh_options]
    # With -F ssh reads nothing else, and a target may be an alias of the user's.
    lines += ["Include ~/.ssh/config", "Include /etc/ssh/ssh_config"]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    text = str(path).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def sentence(stderr: str, target: Target) -> str:
    """What ssh said, as a sentence with its mend."""
    said = " ".join(stderr.split())
    for sign, mend in _SIGNS:
        if re.search(sign, said, re.IGNORECASE):
            return f"{target}: {mend} (ssh said: {said[-300:]})"
    return f"{target}: ssh could not connect: {said[-300:] or 'it said nothing'}; try it by hand with ssh -v"


_SIGNS = (
    (
        r"host key verification failed|host identification has changed|no .* host key is known",
        "its host key is not the pinned one; compare it there, then put it into the known hosts file",
    ),
    (
        r"permission denied",
        "it refuses the key; put the public key into authorized_keys there, or name the right ssh_key",
    ),
    (r"connection refused", "nothing listens there; start sshd on the front end or correct the port"),
    (r"could not resolve", "its name is unknown; correct the address or the name service"),
    (r"timed out|timeout", "it does not answer; see whether the host is up and the way to it is open"),
    (r"no route|unreachable", "there is no way to it; see to the network"),
    (
        r"kex_exchange_identification|closed by remote host",
        "it hangs up at once; see whether its sshd runs and takes more connections (MaxStartups)",
    ),
    (
        r"connection unexpectedly closed|broken pipe|connection reset|file has vanished",
        "the connection broke; see whether the host is up, and to the network",
    ),
)
