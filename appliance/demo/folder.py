"""The folder of the demo, which one run uses at a time.

The demo only writes to a folder that it created or found empty. All processes of a run share the lock on the folder,
so once a new run gets the lock, all processes of a killed run are gone.
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

#: A file in every folder that a demo has created.
_MARKER = ".demo"

#: Seconds within which the processes of a killed run have ended.
_LOCK_TIMEOUT = 10.0

#: The longest path of a folder in which ssh can create sockets, in bytes.
_LONGEST_PATH = 60


@contextmanager
def lock_folder(folder: Path) -> Iterator[int]:
    """Create `folder` if needed and lock it until the block ends. Yields the lock's descriptor, for child processes.

    Raises:
        DemoError: the folder holds other files, cannot be written, or is used by another run.
    """
    _make(folder)
    with (folder / _MARKER).open("a") as lock:
        if not _acquire(lock.fileno()):
            raise DemoError(f"another demo is running in {folder}; stop it, or choose another folder with --folder")
        yield lock.fileno()


@contextmanager
def socket_folder(folder: Path) -> Iterator[Path]:
    """Create an empty private folder for ssh's sockets, in `folder` if its path is short enough. Removed at the end.

    The caller must hold the lock on `folder`, since remains of a killed run are deleted.
    """
    place = folder / "tmp"
    if len(os.fsencode(place)) > _LONGEST_PATH:
        # The name is always the same, so the remains of a killed run are found.
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
        if any(folder.iterdir()) and not (folder / _MARKER).exists():
            raise DemoError(f"{folder} holds other files than a demo; choose an empty folder with --folder")
        (folder / _MARKER).touch()
    except FileExistsError as error:
        raise DemoError(f"{folder} is a file; choose another folder with --folder") from error
    except OSError as error:
        raise DemoError(
            f"{folder} cannot be written ({error.strerror}); choose another folder with --folder"
        ) from error


def _acquire(lock: int) -> bool:
    deadline = clock.monotonic() + _LOCK_TIMEOUT
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if clock.monotonic() > deadline:
            return False
        clock.sleep(0.02)
