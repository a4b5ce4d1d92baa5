"""The files by which the workers of a web process share their measures, in a private folder of the process.

Guarantees that the files do not grow in number: those of a worker that has ended are added to those of all who ended
before, under a lock that keeps readers from counting anything twice or not at all. The folder of a process that was
killed is removed by the next one, once its workers have ended too.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import struct
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from prometheus_client.mmap_dict import MmapedDict

from appliance import clock

#: The variable by which the workers find the folder.
VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX: Final = "appliance-web-"
#: Locked for as long as the process or one of its workers lives.
_ALIVE: Final = "alive"
#: Locked by whoever reads or changes all files.
_ACCESS: Final = "access"
#: Files of workers that have ended bear this instead of a process id.
_ENDED: Final = "0"
#: Seconds after which a folder without a lock was left behind by a process that died while it made the folder.
_ABANDONED: Final = 60.0


class MeasureFolder:
    """The folder of one web process. Its workers inherit the lock that keeps it."""

    def __init__(self, path: Path, alive: IO[str]) -> None:
        self.path = path
        self._alive = alive

    @classmethod
    def create(cls) -> MeasureFolder:
        """Create a private folder, in that of the service if systemd made one, and remove what dead processes left."""
        above = Path(os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or tempfile.gettempdir())
        sweep(above)
        while True:
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
            alive = (path / _ALIVE).open("w")
            fcntl.flock(alive, fcntl.LOCK_EX)
            if (path / _ALIVE).exists():  # else another process took the new folder for one that was left
                return cls(path, alive)
            alive.close()

    def fold(self, living: Collection[int]) -> None:
        """Add the measures of workers that are not among the `living` to those of all who ended, and drop their files.

        If somebody is reading just now, that is left to the next time.
        """
        files = [(file, *file.stem.rpartition("_")[::2]) for file in self.path.glob("*_*.db")]
        ended = [(file, kind) for file, kind, process in files if process != _ENDED and int(process) not in living]
        if not ended:
            return
        with (self.path / _ACCESS).open("w") as access, suppress(BlockingIOError):
            fcntl.flock(access, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for file, kind in ended:
                if not kind.startswith("gauge"):  # which says how it is now
                    _add(file, self.path / f"{kind}_{_ENDED}.db")
                file.unlink()

    def total(self, metric: str) -> int:
        """Return the sum of a counter over all labels and workers."""
        entries = (entry for file in self.path.glob("counter_*.db") for entry in _entries(file))
        return int(sum(value for key, value, _ in entries if json.loads(key)[1] == metric))

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._alive.close()


@contextmanager
def reading(folder: str) -> Iterator[None]:
    """While the block runs, the files in `folder` are those of all workers, each once."""
    with Path(folder, _ACCESS).open("w") as access:
        fcntl.flock(access, fcntl.LOCK_SH)
        yield


def sweep(above: Path) -> None:
    """Remove the folders below `above` that processes of this account left when they were killed."""
    for path in above.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, or in use
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            try:
                alive = os.open(path / _ALIVE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                if clock.now() - found.st_mtime > _ABANDONED:
                    shutil.rmtree(path)
                continue
            try:
                fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
            finally:
                os.close(alive)


def _entries(file: Path) -> list[tuple[str, float, float]]:
    with suppress(FileNotFoundError, struct.error):  # its worker has just ended, or was killed as it made the file
        return [entry[:3] for entry in MmapedDict.read_all_values_from_file(str(file))]  # type: ignore[no-untyped-call]
    return []


def _add(file: Path, sums: Path) -> None:
    """Add the values in a file to those in another, which is created if need be."""
    total = MmapedDict(str(sums))  # type: ignore[no-untyped-call]
    try:
        for key, value, moment in _entries(file):
            before, _ = total.read_value(key)  # type: ignore[no-untyped-call]
            total.write_value(key, before + value, moment)  # type: ignore[no-untyped-call]
    finally:
        total.close()  # type: ignore[no-untyped-call]
