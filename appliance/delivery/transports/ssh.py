"""The ssh connection to a front end. It stays open between pushes and is shared by every rsync that goes there.

Guarantees that no prompt can block a push (BatchMode), that a host with an unknown key is refused (keys are never
learned on first use), that an attempt to connect ends in time whatever it has started, and that no ssh process outlives
the courier: it closes the connection when it ends, and if it is killed the connection closes itself once it is idle.

The options are in generated ssh configuration files (see `ssh_hops`), since rsync splits the command it is given at
spaces. They are written again with each new connection. A push never becomes the shared connection itself
(`ControlMaster no`): if there is none it connects on its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from appliance import clock
from appliance.delivery.targets import Target
from appliance.delivery.transports import ssh_hops
from appliance.delivery.transports.ssh_folder import SshFolder, quote_path
from appliance.delivery.transports.ssh_hops import SshHop
from appliance.delivery.transports.subprocess_runner import command_environment
from appliance.errors import DeliveryError

#: Processes that one attempt to connect may have at a time: ssh for each hop, and a few of the operator's.
MAX_PROCESSES = 24

#: Seconds between two checks of an attempt to connect.
_INTERVAL = 0.2


class SshConnection:
    """The shared connection to one target. `number` tells it from the others in the same folder."""

    def __init__(self, target: Target, folder: SshFolder, number: int) -> None:
        self._target = target
        self._folder = folder
        self._number = number
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        #: The hosts on the way to the target, the nearest first, as of the last attempt to connect.
        self.hops: list[SshHop] = []

    @property
    def config_file(self) -> Path:
        """The ssh configuration for the target. It is written when the connection is opened."""
        return self._folder.path / f"c{self._number}"

    @property
    def _socket(self) -> Path:
        return self._folder.path / f"m{self._number}"

    @property
    def remote_shell(self) -> str:
        """The value of rsync's `-e`. It changes when the private folder is made again."""
        file = str(self.config_file).replace("'", "''")
        return f"ssh -F '{file}'"

    def warm(self) -> None:
        """Open the shared connection unless it is open.

        Raises:
            DeliveryError: the front end cannot be reached, has another host key than the pinned one, or refuses ours.
        """
        if self._is_open() and self.config_file.is_file():
            return
        self._folder.ensure()
        self.hops = ssh_hops.write_configuration(self._target, self.config_file, self._socket)
        if self._is_open():
            return
        self._socket.unlink(missing_ok=True)
        # A file and not a pipe: the connection stays in the background and would hold a pipe open.
        with tempfile.TemporaryFile() as errors:
            process = self._connect(errors)
            try:
                code = self._wait(process)
            finally:
                with self._lock:
                    self._process = None
            if code:
                errors.seek(0)
                messages = [hop.read_log() for hop in self.hops] + [errors.read().decode(errors="replace")]
                raise DeliveryError(failure_sentence("".join(messages), self._target, self.hops))

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for an attempt to connect. It is killed if it takes too long or keeps starting processes."""
        # ssh's own time-out covers the exchange of keys with each hop. Signing in is given as long again.
        limit = self._target.delivery.connect_timeout * (len(self.hops) + 1)
        end = clock.monotonic() + limit
        while True:
            try:
                return process.wait(timeout=min(_INTERVAL, max(0.0, end - clock.monotonic())))
            except subprocess.TimeoutExpired:
                if clock.monotonic() >= end:
                    _kill_group(process)
                    raise DeliveryError(
                        f"{self._target}: it does not answer within {limit} s; check that the host is up, can be"
                        " reached, and accepts this key"
                    ) from None
                if len(session_members(process.pid)) > MAX_PROCESSES:
                    _kill_group(process)
                    raise DeliveryError(
                        f"{self._target}: its ssh kept starting further processes and was ended; correct ProxyJump and"
                        f" ProxyCommand in ssh_options and in {ssh_hops.USER_CONFIG}, which may lead round in a circle"
                    ) from None

    def _is_open(self) -> bool:
        """Whether a process listens at the socket: one that was killed leaves its socket behind."""
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
                env=command_environment(),
            )
            return self._process

    def stop(self) -> None:
        """End an attempt to connect, from another thread, and refuse all later ones."""
        with self._lock:
            self._stopped = True
            if self._process and self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGTERM)

    def close(self) -> None:
        """Close the connection and wait until its process is gone."""
        if pid := self._pid():
            with contextlib.suppress(ProcessLookupError):
                _end_process(pid, [*self._control_command(), "exit", "--", self._host])
        self._socket.unlink(missing_ok=True)

    def _pid(self) -> int | None:
        if not self._socket.exists():
            return None
        command = [*self._control_command(), "check", "--", self._host]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            return None
        found = re.search(r"pid=(\d+)", run.stderr + run.stdout)
        return int(found[1]) if found else None

    def _ssh(self) -> list[str]:
        return ["ssh", "-F", str(self.config_file)]

    def _control_command(self) -> list[str]:
        """Return the start of a command to the shared connection, which may outlive its configuration file."""
        return ["ssh", "-F", "none", "-o", f"ControlPath={quote_path(self._socket)}", "-O"]

    @property
    def _host(self) -> str:
        return self._target.host or ""


def _end_process(pid: int, command: list[str]) -> None:
    """Run `command`, which ends the process `pid`, and kill that process if it does not end."""
    handle = os.pidfd_open(pid)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=2, check=False)
        if not select.select([handle], [], [], 2)[0]:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 2)
    finally:
        os.close(handle)


def session_members(session: int) -> list[int]:
    """Return the ids of the processes in a session."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name, in parentheses, may hold anything.
            if int(place.read_text("utf-8", "replace").rpartition(")")[2].split()[3]) == session:
                found.append(int(place.parent.name))
    return found


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill an attempt to connect and all that it started, even if that keeps starting more."""
    for _ in range(100):
        for pid in session_members(process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        process.poll()
        if not session_members(process.pid):
            break
        clock.sleep(0.01)
    process.wait()


def failure_sentence(stderr: str, target: Target, hops: Sequence[SshHop] = ()) -> str:
    """Turn the error output of ssh into a sentence that says what to do. Any of `hops` may be the one that failed."""
    message = " ".join(stderr.split())
    for phrase, remedy in _PHRASES:
        if re.search(phrase, message, re.IGNORECASE):
            return f"{target}: {_through(hops)}{remedy} (ssh said: {message[-300:]})"
    shown = message[-300:] or "it said nothing"
    return f"{target}: {_through(hops)}ssh could not connect: {shown}; try it by hand with ssh -v"


def _through(hops: Sequence[SshHop]) -> str:
    jumps = ", ".join(hop.name for hop in hops[:-1])
    return f"through {jumps}: " if jumps else ""


#: Phrases that ssh prints, and what to do; the first match counts.
_PHRASES = (
    (
        r"host key verification failed|host identification has changed|no .* host key is known",
        "its host key is not the pinned one; compare it there, then put it into the known hosts file",
    ),
    (
        r"permission denied",
        "it refuses the key; put the public key into authorized_keys there, or name the right ssh_key",
    ),
    (
        r"stdio forwarding failed|open failed",
        "the jump host does not connect to it; check that its key may forward there (permitopen), and its network",
    ),
    (r"connection refused", "nothing listens there; start sshd on the front end or correct the port"),
    (r"could not resolve", "its name is unknown; correct the address or the name service"),
    (r"timed out|timeout", "it does not answer; check that the host is up and can be reached"),
    (r"no route|unreachable", "there is no route to it; check the network"),
    (
        r"kex_exchange_identification|closed by remote host",
        "it closes the connection at once; check that its sshd is running and accepts more connections (MaxStartups)",
    ),
    (
        r"connection unexpectedly closed|broken pipe|connection reset|file has vanished",
        "the connection broke; check that the host is up, and the network",
    ),
)
