"""How processes of one host tell each other that there is news, where the database itself cannot.

Who waits hangs a bell into a folder beside the database: a named pipe, which only this process reads. Who has committed
something that others wait for rings every bell there, by a byte. So waiting takes no time of the processor, and news
arrives within a fraction of a millisecond.

Guarantees that a bell rung between looking at the database and waiting is not missed (its byte stays in the pipe), that
ringing never blocks and never fails the commit it follows, and that the bells of processes which died are taken down
by the next who rings.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

from appliance import clock

#: Seconds after which a wait looks whether it is still wanted, and for commits of programs that ring no bell.
_LOOK = 0.1
_READ = 65_536

_numbers = count(1)


class Bells:
    """The bells in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ring(self) -> None:
        """Ring all of them."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - after every commit: names will do
        except FileNotFoundError:
            return
        for name in names:
            if not name.startswith("."):
                _ring(f"{self.folder}/{name}")


def _ring(bell: str) -> None:
    try:
        pipe = os.open(bell, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads it: its process died
            with suppress(OSError):
                os.unlink(bell)  # noqa: PTH108
        return
    try:
        with suppress(OSError):  # full: it has been rung often enough
            os.write(pipe, b"!")
    finally:
        os.close(pipe)


class Bell:
    """A bell of this process's own. It is taken down when closed or forgotten."""

    def __init__(self, folder: Path, commits: Callable[[], int]) -> None:
        """Hang it up.

        Args:
            folder: where; made when absent.
            commits: tells a number that changes with each commit, looked at now and then.
        """
        with suppress(FileExistsError):
            folder.mkdir()
            shutil.copymode(folder.parent, folder)  # who shares the database's folder may hang up and ring bells
        place = folder / f"{os.getpid()}-{next(_numbers)}"
        unread = folder / f".{place.name}"  # without a reader it would be taken for a dead process's
        unread.unlink(missing_ok=True)
        os.mkfifo(unread)
        unread.chmod(folder.parent.stat().st_mode & 0o666)
        self._pipe = os.open(unread, os.O_RDWR | os.O_NONBLOCK)  # for writing too: a pipe all have left ends
        unread.rename(place)
        self._commits = commits
        self._seen = commits()
        self.close = weakref.finalize(self, _take_down, os.getpid(), self._pipe, place)

    def wait(self, timeout: float, until: Callable[[], bool]) -> bool:
        """Wait at most `timeout` seconds, or until `until` says so, for news; returns whether there was any."""
        end = clock.monotonic() + timeout
        while not self._rung(min(max(0.0, end - clock.monotonic()), _LOOK)):
            if until() or clock.monotonic() >= end:
                return False
        return True

    def _rung(self, timeout: float) -> bool:
        rung = bool(select.select([self._pipe], [], [], timeout)[0])
        if rung:
            os.read(self._pipe, _READ)
        seen, self._seen = self._seen, self._commits()
        return rung or seen != self._seen


def _take_down(owner: int, pipe: int, place: Path) -> None:
    os.close(pipe)
    if os.getpid() == owner:  # a forked child has a copy of the pipe, not of the bell
        place.unlink(missing_ok=True)
