"""One push: the changes of a stretch of the journal, brought to one target by rsync.

Guarantees
- that what travels is an explicit list, compared by content (`--checksum`: the quick check would miss a
  change of the same size in the same second), with the version as mtime and the receiver refusing an older
  one (`--update`);
- that new and changed files of a push appear together (`--delay-updates`), and that files vanish only
  afterwards, in a run of their own: an index stops linking a page before the page goes;
- that a file which left the docroot between list and run never becomes a deletion, and holds up no other
  file;
- that nothing but regular files below the docroot is sent: no link is followed or copied;
- that rsync and its ssh end with the courier: they are one process group.

A folder on the target that stands where a file is published makes way with all in it; any other folder goes
only when it is empty.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance import clock
from appliance.config import DeliverySettings
from appliance.delivery import exits
from appliance.delivery.journal import Change
from appliance.delivery.lists import Lists, select
from appliance.delivery.ssh import Channel
from appliance.delivery.targets import Target
from appliance.errors import DeliveryError

#: The first rsync that does all of it on both ends.
OLDEST = (3, 2, 3)

#: Times a push is listed anew when files leave the docroot under it.
_LISTINGS = 3


@dataclass(frozen=True, slots=True)
class Push:
    """What one push did."""

    #: Files whose bytes were sent, and those bytes as they travelled.
    files: int = 0
    bytes: int = 0
    #: Files and emptied folders removed.
    deleted: int = 0
    seconds: float = 0.0
    #: Paths whose file had left the docroot; their deletion follows in the journal.
    vanished: tuple[str, ...] = ()


class Rsync:
    """Pushes to one target, one at a time. `channel` is None for a folder on this host."""

    def __init__(self, target: Target, channel: Channel | None) -> None:
        self._target = target
        self._channel = channel
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def push(self, changes: Sequence[Change], *, sweep: bool = False) -> Push:
        """Bring the target to what the docroot has of `changes`; `sweep` clears what a broken push left.

        Raises:
            TargetBusy: another writer is at work there.
            DeliveryError: with a sentence; some of the changes may have arrived.
        """
        started = clock.monotonic()
        if not self._target.docroot.is_dir():
            raise DeliveryError(f"the docroot {self._target.docroot} is not a folder; mount or make it")
        if self._channel:
            self._channel.warm()
        lists, output = self._send(changes)
        output += self._remove(lists.deletes)
        for folders in lists.emptied:
            output += self._remove(folders)
        if sweep:
            output += self._remove(lists.leftovers, "--force")
        files, bytes_sent, deleted = _count(output)
        return Push(files, bytes_sent, deleted, clock.monotonic() - started, lists.vanished)

    def stop(self) -> None:
        """End a push that is under way, from another thread; it raises DeliveryError there."""
        with self._lock:
            self._stopped = True
            if self._process:
                _end_group(self._process)
        if self._channel:
            self._channel.stop()

    def _send(self, changes: Sequence[Change]) -> tuple[Lists, list[bytes]]:
        output: list[bytes] = []
        lists = select(changes, self._target.docroot)
        for _ in range(_LISTINGS):
            if not lists.puts:
                return lists, output
            code, said, errors = self._run(lists.puts, "--delay-updates", "--force")
            output += said
            if not code:
                return lists, output
            again = select(changes, self._target.docroot)
            if code not in exits.PARTIAL or (code == exits.FAILED_SOME and again.puts == lists.puts):
                break
            lists = again
        raise exits.error(code, errors, self._target)

    def _remove(self, paths: Sequence[str], *options: str) -> list[bytes]:
        if not paths:
            return []
        code, output, errors = self._run(paths, "--delete-missing-args", *options)
        # Parents that are missing here too count as vanished; what had to go is gone all the same.
        if code not in (0, exits.VANISHED):
            raise exits.error(code, errors, self._target)
        return output

    def _run(self, paths: Sequence[str], *options: str) -> tuple[int, list[bytes], str]:
        with self._lock:
            if self._stopped:
                raise DeliveryError(f"{self._target}: the push was stopped")
            self._process = process = subprocess.Popen(
                self.command(*options),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
        try:
            # ./ keeps names that begin with # or ; from being read as comments.
            listed = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)
            output, errors = process.communicate(listed)
        finally:
            with self._lock:
                self._process = None
                _end_group(process)
        if self._stopped:
            raise DeliveryError(f"{self._target}: the push was stopped")
        return process.returncode, output.splitlines(), errors.decode(errors="replace")

    def command(self, *options: str) -> list[str]:
        """The argument list of one run."""
        target = self._target
        shell = ["-e", self._channel.shell] if self._channel else []
        # Only where the front end does not choose the folder itself.
        path = [] if target.is_confined else ["--mkpath"]
        return [
            target.delivery.rsync,
            *_BASE,
            f"--timeout={target.delivery.timeout}",
            *shell,
            *path,
            *options,
            *target.delivery.rsync_options,
            *target.settings.rsync_options,
            "--",
            f"{target.docroot}/",
            target.destination,
        ]


_BASE = (
    "--from0",
    "--files-from=-",
    "--times",
    "--omit-dir-times",
    "--checksum",
    "--update",
    "--perms",
    "--chmod=D755,F644",
    "--no-links",
    "--no-recursive",
    "--no-human-readable",
    "--out-format=%i %b",
)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the process group: rsync cleans up on SIGTERM, its ssh goes with it."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)


def _count(output: Sequence[bytes]) -> tuple[int, int, int]:
    """Files sent, their bytes, and things deleted, of lines of `%i %b`."""
    sent = [line for line in output if line[:2] in (b"<f", b">f")]
    # A dot instead of an arrow is a change of attributes alone.
    return (
        len(sent),
        sum(int(line.rsplit(b" ", 1)[1]) for line in sent),
        sum(line.startswith(b"*deleting") for line in output),
    )


@lru_cache
def version(program: str) -> tuple[int, ...]:
    """The version of an rsync, such as (3, 2, 7).

    Raises:
        DeliveryError: it is not there or does not say.
    """
    command = [program, "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except FileNotFoundError as error:
        raise DeliveryError(
            f"rsync is not on this host (“{program}” was not found); install it (apt-get install rsync) or "
            "correct delivery.rsync"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise DeliveryError(f"“{program} --version” failed ({error}); correct delivery.rsync") from error
    found = re.match(r"rsync +version v?(\d+)\.(\d+)\.(\d+)", said)
    if not found:
        raise DeliveryError(f"“{program}” names no version of rsync; correct delivery.rsync")
    return tuple(map(int, found.groups()))


def preflight(settings: DeliverySettings, find_version: Callable[[str], tuple[int, ...]] = version) -> None:
    """Refuse to start with an rsync that is missing or too old.

    Raises:
        DeliveryError: with the sentence that mends it.
    """
    found = find_version(settings.rsync)
    if found < OLDEST:
        raise DeliveryError(
            f"“{settings.rsync}” is rsync {'.'.join(map(str, found))}, which is too old; install "
            f"{'.'.join(map(str, OLDEST))} or newer, or name another in delivery.rsync"
        )
