"""Notify the other processes of a host of commits, where the database itself cannot (SQLite).

Each listener creates a named pipe in a folder beside the database, and a writer that has committed writes one byte into
every pipe there. Waiting takes no processor time, and a notification arrives within a fraction of a millisecond.

A notification between a query and the wait is not missed, since its byte stays in the pipe. Notifying never blocks and
never fails the commit before it. The next writer removes the pipes of dead processes.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import count
from pathlib import Path

from appliance import clock

#: Seconds after which a wait checks `until`, and looks for commits of other programs, which notify nobody.
_LOOK = 0.1
_READ = 65_536

_numbers = count(1)


class FifoNotifier:
    """The pipes of all listeners, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def notify(self, topics: Collection[str]) -> None:
        """Write a byte into every pipe of a listener to one of these topics."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - after every commit: names will do
        except FileNotFoundError:
            return
        for name in names:
            if not name.startswith(".") and name.partition(".")[2] in topics:
                _notify(f"{self.folder}/{name}")


def _notify(fifo: str) -> None:
    try:
        pipe = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no reader: its process died
            with suppress(OSError):
                os.unlink(fifo)  # noqa: PTH108
        return
    try:
        with suppress(OSError):  # the pipe is full: the listener has notifications enough
            os.write(pipe, b"!")
    finally:
        os.close(pipe)


class FifoListener:
    """A listener of this process, with its own pipe. The pipe is removed when the listener is closed or collected."""

    def __init__(self, folder: Path, commits: Callable[[], int], topic: str = "") -> None:
        """Create the pipe.

        Args:
            folder: the folder of the pipes, created if it is missing.
            commits: returns a number that changes with each commit; it is checked now and then.
            topic: what the writers must notify of; it ends the name of the pipe.
        """
        with suppress(FileExistsError):
            folder.mkdir()
            shutil.copymode(folder.parent, folder)  # accounts that share the database's folder may listen and notify
        place = folder / f"{os.getpid()}-{next(_numbers)}{f'.{topic}' if topic else ''}"
        # Hidden until it has a reader: a pipe without one looks like that of a dead process.
        unread = folder / f".{place.name}"
        unread.unlink(missing_ok=True)
        os.mkfifo(unread)
        unread.chmod(folder.parent.stat().st_mode & 0o666)
        # Opened for writing too: a pipe without writers would read as ended.
        self._pipe = os.open(unread, os.O_RDWR | os.O_NONBLOCK)
        unread.rename(place)
        self._commits = commits
        self._seen = commits()
        self.close = weakref.finalize(self, _remove_fifo, os.getpid(), self._pipe, place)

    def wait(self, timeout: float, until: Callable[[], bool]) -> bool:
        """Wait at most `timeout` seconds, or until `until` returns true, for a commit; returns whether one came."""
        end = clock.monotonic() + timeout
        while not self._notified(min(max(0.0, end - clock.monotonic()), _LOOK)):
            if until() or clock.monotonic() >= end:
                return False
        return True

    def _notified(self, timeout: float) -> bool:
        notified = bool(select.select([self._pipe], [], [], timeout)[0])
        if notified:
            os.read(self._pipe, _READ)
        seen, self._seen = self._seen, self._commits()
        return notified or seen != self._seen


def _remove_fifo(owner: int, pipe: int, place: Path) -> None:
    os.close(pipe)
    if os.getpid() == owner:  # a forked child has only a copy of the descriptor
        place.unlink(missing_ok=True)
