"""The program of a web process that runs by itself, and its replacement by a newer release in the same process.

Guarantees that only a release that starts replaces one that runs, and that nobody is refused meanwhile: the sockets
stay open, and connections wait in them. The process keeps its id, so systemd need not be told.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import gunicorn

import appliance

#: Seconds in which a release must say its version.
_STARTS_WITHIN: Final = 30.0
#: Signals that wait until the new program has handlers for them.
_HELD: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@dataclass(frozen=True)
class Program:
    """How this process was started."""

    #: The command, such as /opt/appliance/current/bin/appliance, or Python and its options.
    command: tuple[str, ...]
    arguments: tuple[str, ...]

    @classmethod
    def of_task(cls, task: str) -> Program:
        """The program of this process, which runs the task with this name."""
        words = sys.orig_argv
        begins = words.index(task)
        command = [sys.executable, *words[1:begins]]
        script = sys.argv[0]
        if script in words[:begins] and os.access(script, os.X_OK):
            # Its first line names the Python of the release that is there by then.
            command = words[words.index(script) : begins]
        return cls(tuple(command), tuple(words[begins:]))

    def release(self) -> object:
        """What changes with a release, or with a library of it."""
        code = [Path(appliance.__file__), Path(gunicorn.__file__).parents[1]]
        return stamp_of([*code, *(Path(word) for word in self.command if "/" in word)])

    def why_not(self) -> str:
        """Start it to see whether it runs; returns its complaint if it does not."""
        try:
            ended = subprocess.run(
                [*self.command, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", timeout=_STARTS_WITHIN, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        said = (ended.stderr.strip() or "it says nothing").splitlines()
        return f"{said[-1]} (exit status {ended.returncode})" if ended.returncode else ""

    def replace(self) -> NoReturn:
        """Run the program anew in this process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(self.command[0], [*self.command, *self.arguments])  # noqa: S606 - our own command line


def stamp_of(paths: Iterable[Path]) -> object:
    """What changes when a file is replaced, changed, removed, or led to by another link."""
    return [_stamp(path) for path in paths]


def _stamp(path: Path) -> object:
    try:
        real = path.resolve(strict=True)
        about = real.stat()
    except OSError:
        return None
    return str(real), about.st_ino, about.st_mtime_ns, about.st_size
