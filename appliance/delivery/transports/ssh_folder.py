"""The private folder that holds the ssh configuration files and sockets of couriers.

Guarantees that only this user can enter it, that it lies where no cleaner of temporary files looks if the system offers
such a place, that it is made again when somebody removes it, and that the next process removes what a killed one left.
A process locks its folder as long as it lives. systemd-tmpfiles skips locked folders, and a marked folder of this user
without a lock belonged to a process that is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from appliance.config import DeliverySettings
from appliance.errors import DeliveryError

_PREFIX = "appliance-"

#: A file in each folder of this kind. A folder without it is never removed.
_MARK = ".ssh-folder"

#: A socket's address holds 108 bytes; ssh binds a temporary name 17 longer, and a socket of ours is called m999.
_LONGEST = 107 - 17 - len("/m999")


class SshFolder:
    """A folder that only this user can enter."""

    def __init__(self, settings: DeliverySettings) -> None:
        """Make the folder, and remove those that killed processes left beside it.

        Raises:
            DeliveryError: there is no place for it.
        """
        self._settings = settings
        self._mutex = threading.Lock()
        self._lock, self.path = _make_in_first_place(settings)
        for above in {self.path.parent, *_places(settings)}:
            remove_abandoned(above)

    def ensure(self) -> None:
        """Make another folder if somebody has removed this one; `path` changes then.

        Raises:
            DeliveryError: there is no place for it.
        """
        with self._mutex:
            if not self._exists():
                os.close(self._lock)
                self._lock, self.path = _make_in_first_place(self._settings)

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        with self._mutex:
            if self._exists():
                shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    def _exists(self) -> bool:
        """Whether the folder at `path` is the one that was made, and not one that somebody put there since."""
        try:
            return os.path.samestat(os.lstat(self.path), os.fstat(self._lock))
        except OSError:
            return False


def remove_abandoned(above: Path) -> list[Path]:
    """Remove the private folders in `above` that killed processes of this user left. Returns their paths."""
    removed = []
    with contextlib.suppress(OSError):
        for folder in above.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if _is_marked(folder) and _remove_unlocked(folder):
                    removed.append(folder)
    return removed


def _places(settings: DeliverySettings) -> Iterator[Path]:
    """Yield places for the folder, the best first: cleaners leave the folders of a service or session alone."""
    if settings.temp_path:
        yield settings.temp_path
        return
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        place = Path(os.environ.get(name, "").partition(":")[0])
        with contextlib.suppress(OSError):
            if place.is_absolute() and place.stat().st_uid == os.geteuid():
                yield place
    yield Path(tempfile.gettempdir())


def _make_in_first_place(settings: DeliverySettings) -> tuple[int, Path]:
    """Make a locked folder in the first place that can be used."""
    fault: DeliveryError | None = None
    for above in _places(settings):
        try:
            return _make(above)
        except DeliveryError as error:
            fault = error
    raise fault or DeliveryError("there is no temporary folder; set delivery.temp_path to one")


def _make(above: Path) -> tuple[int, Path]:
    try:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
        if len(os.fsencode(path)) > _LONGEST:
            path.rmdir()
            raise DeliveryError(
                f"the temporary folder {above} has too long a name for ssh's sockets; set "
                "delivery.temp_path to a shorter one"
            )
        # Locked before it is marked: a marked folder without a lock is taken for an abandoned one.
        lock = _open(path)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (path / _MARK).touch(mode=0o600)
    except OSError as error:
        raise DeliveryError(
            f"the temporary folder {above} cannot be used ({error.strerror}); make it writable for this "
            "user, or set delivery.temp_path to one that is"
        ) from error
    return lock, path


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _is_marked(folder: Path) -> bool:
    found = os.lstat(folder)
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    return private and found.st_uid == os.geteuid() and stat.S_ISREG(os.lstat(folder / _MARK).st_mode)


def _remove_unlocked(folder: Path) -> bool:
    lock = _open(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for place in folder.glob("m*"):
            _close_connection(place)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _close_connection(place: Path) -> None:
    """Close the shared connection that listens at the socket `place`, if there is one."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["ssh", "-F", "none", "-o", f"ControlPath={quote_path(place)}", "-O", "exit", "--", "abandoned"]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2, check=False)


def quote_path(path: Path) -> str:
    """Quote a path for an ssh configuration file."""
    text = str(path).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
