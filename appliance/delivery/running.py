"""One rsync at a time, run to its end or ended at once.

Guarantees that rsync and its ssh end together (they are one process group), that they are killed within a fraction of a
second when what they do is no longer permitted, and by the system when the thread that started them is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import IO

from appliance.errors import DeliveryError

#: Seconds between two looks whether a run is still permitted.
_LOOK = 0.2

#: What has rsync end when the thread that started it is gone, killed or not.
_SETPRIV = shutil.which("setpriv")
_MORTAL = [_SETPRIV, "--pdeathsig", "KILL", "--"] if _SETPRIV else []

#: Says why a run may not begin or go on; None while it may.
Permit = Callable[[], DeliveryError | None]


def always() -> DeliveryError | None:
    """The permission of who needs none."""
    return None


class Running:
    """What runs towards one target; `name` is the target's, for errors."""

    def __init__(self, name: str, permit: Permit) -> None:
        self._name = name
        self._permit = permit
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, command: Sequence[str], given: bytes = b"") -> tuple[int, list[bytes], str]:
        """Run a command to its end: exit code, lines of output, and what it said besides.

        Raises:
            DeliveryError: it was stopped, or not permitted any longer.
        """
        # A file, not a pipe: a pipe holds 64 KiB, and communicate() called again after a timeout writes no more of it.
        with tempfile.TemporaryFile() as words:
            words.write(given)
            words.seek(0)
            process = self._start(command, words)
        try:
            output, errors, refusal = self._attend(process)
        finally:
            with self._lock:
                self._process = None
                _end_group(process)
        if refusal := refusal or self._refusal():
            raise refusal
        return process.returncode, output.splitlines(), errors.decode(errors="replace")

    def _start(self, command: Sequence[str], words: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if refusal := self._refusal():
                raise refusal
            self._process = subprocess.Popen(
                [*_MORTAL, *command],
                stdin=words,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            return self._process

    def stop(self) -> None:
        """End what is under way, from another thread, and allow no other; it raises DeliveryError there."""
        with self._lock:
            self._stopped = True
            if self._process:
                _end_group(self._process)

    def _attend(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes, DeliveryError | None]:
        refusal: DeliveryError | None = None
        while True:
            try:
                output, errors = process.communicate(timeout=_LOOK)
            except subprocess.TimeoutExpired:
                # Killed and not asked: another courier may begin at any moment.
                if refusal := refusal or self._permit():
                    _end_group(process, signal.SIGKILL)
            else:
                return output, errors, refusal

    def _refusal(self) -> DeliveryError | None:
        return DeliveryError(f"{self._name}: the push was stopped") if self._stopped else self._permit()


def _end_group(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    """End what is left of the process group: rsync cleans up on SIGTERM, its ssh goes with it."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
