"""The demonstration's folder: whose it is, and that one run has it at a time.

Guarantees that no folder is written which a demonstration did not make or find empty. The lock is shared by all
processes of a run, so that who gets it after a run was killed knows that they are gone as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance import clock
from appliance.errors import DemoError

#: Lies in every folder a demonstration has made.
_MARK = ".demo"

#: Seconds in which the processes of a killed run have ended.
_PATIENCE = 10.0

#: Characters of a folder that ssh's sockets fit below.
_LONGEST = 60


@contextmanager
def claim(folder: Path) -> Iterator[int]:
    """Have `folder`, made if need be, until the block ends; yields the descriptor of the lock for child processes.

    Raises:
        DemoError: it holds other things, cannot be written, or another run has it.
    """
    _make(folder)
    with (folder / _MARK).open("a") as lock:
        if not _locked(lock.fileno()):
            raise DemoError(f"another demo runs in {folder}; end it, or name another folder with --folder")
        yield lock.fileno()


@contextmanager
def temporary(folder: Path) -> Iterator[Path]:
    """A private folder for ssh's sockets, empty at first and gone in the end: in `folder` if its name is short enough.

    Call it with the folder claimed: what a killed run left in it is removed.
    """
    place = folder / "tmp"
    if len(os.fsencode(place)) > _LONGEST:
        # Always the same one, so that what a killed run left in it is found.
        name = hashlib.blake2b(os.fsencode(folder), digest_size=6).hexdigest()
        place = Path(tempfile.gettempdir(), f"demo-{name}")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / _MARK).exists():
            raise DemoError(f"{folder} holds other things than a demo; name an empty folder with --folder")
        (folder / _MARK).touch()
    except FileExistsError as error:
        raise DemoError(f"{folder} is a file; name another folder with --folder") from error
    except OSError as error:
        raise DemoError(f"{folder} cannot be written ({error.strerror}); name another folder with --folder") from error


def _locked(lock: int) -> bool:
    deadline = clock.monotonic() + _PATIENCE
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if clock.monotonic() > deadline:
            return False
        clock.sleep(0.02)
