"""A probe: a small file that is sent to a target as couriers send, looked at there, and removed again.

Guarantees that nothing of it is served (its name begins with a dot) and that every command ends within its time.
What the target holds is also found out where its key may only write: a dry run of rsync names what differs there
from a file here, and so tells content, mode and time.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from appliance import clock
from appliance.delivery import exits
from appliance.delivery.lists import HOLDING
from appliance.delivery.rsync import Rsync
from appliance.delivery.ssh import Channel
from appliance.delivery.targets import Target
from appliance.errors import DeliveryError

_CHUNK = 16 * 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    output: str
    errors: str


class Runner:
    """Runs commands about one target, within a time for all of them together."""

    def __init__(self, target: Target, limit: float, told: Callable[[str], None]) -> None:
        self._target = target
        self._limit = limit
        self._end = clock.monotonic() + limit
        self._told = told

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._end - clock.monotonic())

    def more(self, seconds: float) -> None:
        """Allow at least so many more seconds."""
        self._end = max(self._end, clock.monotonic() + seconds)

    def run(self, command: Sequence[str], given: bytes = b"") -> Ran:
        """Run a command to its end.

        Raises:
            DeliveryError: it could not be started, or took too long and was ended.
        """
        began = clock.monotonic()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise DeliveryError(f"“{command[0]}” could not be started ({error.strerror}); install it") from error
        try:
            output, errors = process.communicate(given, timeout=self.left)
        except subprocess.TimeoutExpired:
            end_group(process)
            self._told(f"{self._target.name}: {_shown(command)}: ended after {clock.monotonic() - began:.3f} s")
            raise DeliveryError(
                f"{command[0]} came to no end within the {self._limit:g} s there were for all; see to the host and"
                " the way to it, or give more time"
            ) from None
        seconds = clock.monotonic() - began
        self._told(f"{self._target.name}: {_shown(command)}: {seconds:.3f} s, exit status {process.returncode}")
        return Ran(process.returncode, output.decode(errors="replace"), errors.decode(errors="replace"))


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all it started. Its pipes are not read to their end: a shared connection may hold them."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def _shown(command: Sequence[str]) -> str:
    """A command line for people: the script of an inspection is known, and long."""
    return shlex.join("…" if "\n" in word else word for word in command)[:1000]


class Probe:
    """Files of one check, in `folder` here and in the docroot of the target."""

    def __init__(self, target: Target, channel: Channel | None, runner: Runner, folder: Path) -> None:
        token = uuid.uuid4().hex[:12]
        #: Sent like a page, and sent without its time so that it bears the target's.
        self.page, self.clock = f".appliance-probe-{token}", f".appliance-probe-{token}-clock"
        self._folder = folder
        self._runner = runner
        self._target = target
        host = target.settings.host
        place = f"{host}:{target.folder}" if host else str(target.folder)
        settings = target.settings.model_copy(update={"address": place, "other_path": True})
        self._rsync = Rsync(replace(target, docroot=folder, settings=settings), channel)

    def write(self, name: str, content: bytes, mtime: int) -> None:
        """Write a file here."""
        file = self._folder / name
        file.write_bytes(content)
        file.chmod(0o644)
        os.utime(file, (mtime, mtime))

    def touch(self, name: str, mtime: int) -> None:
        """Give a file here another time."""
        os.utime(self._folder / name, (mtime, mtime))

    def push(self, name: str, *options: str) -> None:
        """Send a file.

        Raises:
            DeliveryError: with rsync's reason.
        """
        self._run([name], "--delay-updates", *options)

    def differs(self, name: str, *options: str) -> str:
        """How the file on the target differs from that here, in rsync's letters; empty when it does not.

        `c` stands for content, `t` for time, `p` for mode; `+` says that it is not there at all.
        """
        ran = self._run([name], "--dry-run", "--times", *options)
        lines = [line.split(" ")[0] for line in ran.output.splitlines() if line[:2] in ("<f", ">f", ".f")]
        return lines[0][2:].replace(".", "") if lines else ""

    def remove(self) -> None:
        """Remove the files from the target, and the folder in which a push that failed has kept them.

        Raises:
            DeliveryError: with rsync's reason.
        """
        for name in (self.page, self.clock):
            (self._folder / name).unlink(missing_ok=True)
        held = [f"{HOLDING}/{name}" for name in (self.page, self.clock)]
        # A courier may be at work there: the folder goes only when it is empty.
        for names in ([self.page, self.clock], held, [HOLDING]):
            self._run(names, "--delete-missing-args", gone=True)

    def protocol(self) -> int | None:
        """The version of its protocol that the target's rsync speaks; None when it does not say."""
        try:
            ran = self._run([self.page], "--dry-run", "--debug=PROTO1")
        except DeliveryError:  # the push will tell why
            return None
        _, found, rest = ran.output.partition("remote=")
        number = rest.partition(",")[0]
        return int(number) if found and number.isdigit() else None

    def _run(self, names: Sequence[str], *options: str, gone: bool = False) -> Ran:
        command = self._rsync.command()
        # After the settings' own options, so that these count.
        command[command.index("--") : command.index("--")] = options
        if "--dry-run" in options:  # it would pass over what is newer there, instead of naming it
            command.remove("--update")
        ran = self._runner.run(command, b"".join(b"./" + os.fsencode(name) + b"\0" for name in names))
        if ran.code and not (gone and ran.code == exits.VANISHED):
            raise exits.error(ran.code, ran.errors, self._target)
        return ran


def content() -> bytes:
    """Bytes for a probe: enough to notice a full disk, and never the same."""
    return os.urandom(_CHUNK)
