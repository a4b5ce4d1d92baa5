"""Runs one command of a transport at a time, and can end it at any moment.

Guarantees that the command and its ssh end together (they are one process group), that they are killed within a
fraction of a second once their permit is withdrawn, and that the kernel kills them when the thread that started them is
gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import IO

from appliance.delivery.transports.base import Permit
from appliance.errors import DeliveryError

#: Seconds between two checks of the permit.
_INTERVAL = 0.2

#: Has the kernel kill the command when the thread that started it is gone.
_SETPRIV = shutil.which("setpriv")
_DIE_WITH_PARENT = [_SETPRIV, "--pdeathsig", "KILL", "--"] if _SETPRIV else []


def command_environment() -> dict[str, str]:
    """Return the environment for commands. ssh runs ProxyCommand by SHELL, and an account may have none that works."""
    return {**os.environ, "SHELL": "/bin/sh"}


class SubprocessRunner:
    """Runs the commands of one target. `name` is the target's, for errors."""

    def __init__(self, name: str, permit: Permit) -> None:
        self._name = name
        self._permit = permit
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, command: Sequence[str], stdin: bytes = b"") -> tuple[int, list[bytes], str]:
        """Run a command to its end. Returns its exit code, the lines of its output, and its error output.

        Raises:
            DeliveryError: it was stopped, or its permit was withdrawn.
        """
        # A file, not a pipe: a pipe holds 64 KiB, and communicate() called again after a timeout writes no more of it.
        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            process = self._start(command, file)
        try:
            output, errors, refusal = self._wait(process)
        finally:
            with self._lock:
                self._process = None
                _end_group(process)
        if refusal := refusal or self._refusal():
            raise refusal
        return process.returncode, output.splitlines(), errors.decode(errors="replace")

    def _start(self, command: Sequence[str], stdin: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if refusal := self._refusal():
                raise refusal
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, *command],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=command_environment(),
            )
            return self._process

    def stop(self) -> None:
        """End the running command, which raises DeliveryError in its thread, and refuse all later ones."""
        with self._lock:
            self._stopped = True
            if self._process:
                _end_group(self._process)

    def _wait(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, DeliveryError | None]:
        refusal: DeliveryError | None = None
        while True:
            try:
                output, errors = process.communicate(timeout=_INTERVAL)
            except subprocess.TimeoutExpired:
                # Killed and not asked to end: another courier may begin at any moment.
                if refusal := refusal or self._permit():
                    _end_group(process, signal.SIGKILL)
            else:
                return output, errors, refusal

    def _refusal(self) -> DeliveryError | None:
        return DeliveryError(f"{self._name}: the push was stopped") if self._stopped else self._permit()


def _end_group(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    """Signal the process group. On SIGTERM rsync removes its temporary files; its ssh ends with it."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
