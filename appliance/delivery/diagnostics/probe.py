"""Sends a small file, the probe, to a target as couriers do, inspects it there, and removes it.

Guarantees that the probe is never served (its name begins with a dot) and that every command ends in time. The probe
can be inspected even if the key may only write: a dry run of rsync says how content, mode and time differ from a local
file.
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
from appliance.delivery.targets import Target
from appliance.delivery.transports import rsync_command, rsync_errors, rsync_removals
from appliance.delivery.transports.rsync_command import STAGING_FOLDER, RsyncCommand
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.subprocess_runner import command_environment
from appliance.errors import DeliveryError

_CONTENT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The exit code and output of a command."""

    code: int
    output: str
    errors: str


class CommandRunner:
    """Runs the commands of one target's check, within one time limit for all of them."""

    def __init__(self, target: Target, limit: float, log: Callable[[str], None]) -> None:
        self._target = target
        self._limit = limit
        self._end = clock.monotonic() + limit
        self._log = log

    @property
    def time_left(self) -> float:
        """Seconds until the limit."""
        return max(0.0, self._end - clock.monotonic())

    def extend(self, seconds: float) -> None:
        """Allow at least this many more seconds."""
        self._end = max(self._end, clock.monotonic() + seconds)

    def run(self, command: Sequence[str], stdin: bytes = b"") -> CommandResult:
        """Run a command to its end.

        Raises:
            DeliveryError: it could not be started, or took too long and was ended.
        """
        began = clock.monotonic()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**command_environment(), "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError as error:
            raise DeliveryError(f"“{command[0]}” could not be started ({error.strerror}); install it") from error
        try:
            output, errors = process.communicate(stdin, timeout=self.time_left)
        except subprocess.TimeoutExpired:
            kill_group(process)
            self._log(f"{self._target.name}: {_shown(command)}: ended after {clock.monotonic() - began:.3f} s")
            raise DeliveryError(
                f"{command[0]} did not end within the {self._limit:g} s for the whole check; check the host"
                " and the connection to it, or allow more time"
            ) from None
        seconds = clock.monotonic() - began
        self._log(f"{self._target.name}: {_shown(command)}: {seconds:.3f} s, exit status {process.returncode}")
        return CommandResult(process.returncode, output.decode(errors="replace"), errors.decode(errors="replace"))


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all it started. Its pipes are not read to the end: a shared connection may hold them open."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()


def _shown(command: Sequence[str]) -> str:
    """Return a command line for people, without the long script of an inspection."""
    return shlex.join("…" if "\n" in word else word for word in command)[:1000]


class Probe:
    """The files of one check, in the local `folder` and in the docroot of the target."""

    def __init__(self, target: Target, connection: SshConnection | None, runner: CommandRunner, folder: Path) -> None:
        token = uuid.uuid4().hex[:12]
        #: The names of a file that is sent like a page, and of one that is sent without its time and gets the target's.
        self.page, self.clock_file = f".appliance-probe-{token}", f".appliance-probe-{token}-clock"
        self._folder = folder
        self._runner = runner
        self._target = target
        host = target.settings.host
        place = f"{host}:{target.folder}" if host else str(target.folder)
        settings = target.settings.model_copy(update={"address": place, "other_path": True})
        self._command = RsyncCommand(replace(target, docroot=folder, settings=settings), connection)

    def write(self, name: str, content: bytes, mtime: int) -> None:
        """Write a local file."""
        file = self._folder / name
        file.write_bytes(content)
        file.chmod(0o644)
        os.utime(file, (mtime, mtime))

    def set_mtime(self, name: str, mtime: int) -> None:
        """Set the time of a local file."""
        os.utime(self._folder / name, (mtime, mtime))

    def push(self, name: str, *options: str) -> None:
        """Send a file.

        Raises:
            DeliveryError: rsync failed.
        """
        self._run([name], "--delay-updates", *options)

    def compare(self, name: str, *options: str) -> str:
        """Return how the file on the target differs from the local one, in rsync's letters; empty if it does not.

        `c` stands for content, `t` for time, `p` for mode, and `+` for a file that is missing on the target.
        """
        result = self._run([name], "--dry-run", "--times", *options)
        lines = [line.split(" ")[0] for line in result.output.splitlines() if line[:2] in ("<f", ">f", ".f")]
        return lines[0][2:].replace(".", "") if lines else ""

    def remove(self) -> None:
        """Remove the files from the target, also those that a failed push left in the staging folder.

        Raises:
            DeliveryError: rsync failed.
        """
        for name in (self.page, self.clock_file):
            (self._folder / name).unlink(missing_ok=True)
        names = [self.page, self.clock_file]
        # A courier may be using the staging folder: it is removed only if it is empty.
        staged = [f"{STAGING_FOLDER}/{name}" for name in names]
        rules = rsync_removals.removal_rules([*names, *staged], self._folder, [])
        self._check(self._runner.run(self._command.removal(rules.folders), rules.rules))

    def protocol(self) -> int | None:
        """Return the protocol version of the target's rsync; None if it does not tell."""
        try:
            result = self._run([self.page], "--dry-run", "--debug=PROTO1")
        except DeliveryError:  # the push will tell why
            return None
        _, found, rest = result.output.partition("remote=")
        number = rest.partition(",")[0]
        return int(number) if found and number.isdigit() else None

    def _run(self, names: Sequence[str], *options: str) -> CommandResult:
        command = self._command.transfer()
        # After the options of the settings, so that these win.
        command[command.index("--") : command.index("--")] = options
        if "--dry-run" in options:  # with --update it would skip newer files instead of naming them
            command.remove("--update")
        return self._check(self._runner.run(command, rsync_command.paths_input(names)))

    def _check(self, result: CommandResult) -> CommandResult:
        if result.code:
            raise rsync_errors.delivery_error(result.code, result.errors, self._target)
        return result


def random_content() -> bytes:
    """Return content for a probe: enough to notice a full disk, and different each time."""
    return os.urandom(_CONTENT_BYTES)
