"""The marker of a shared docroot: a file that says whose it is, and so that it is really there.

Guarantees that nothing is published to a docroot on a shared file system while its mount is missing, stale, silent,
read-only, or somebody else's. The file lies in the docroot itself, so a mount that is missing hides it, and a folder
left below the mount point does not have it. Looking is done by a child with a time limit: a file server that
does not answer holds up whoever asks for as long as it likes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import tomllib
from dataclasses import dataclass
from pathlib import Path

from appliance import clock, telemetry
from appliance.config import Config
from appliance.errors import ConfigError, DocrootAway, DocrootError

#: The marker's name. It begins with a dot, so that front ends do not serve it.
FILE = ".appliance-docroot"

#: Seconds a look may take, and for how long what it found is taken for true.
LIMIT = 3.0
FRESH = 1.0

log = telemetry.logger("docroot")

_TEXT = """\
# This docroot belongs to the installation named here. Without this file nothing is published to it.
name = "{name}"
"""

#: Exit status for a folder that cannot be written: no status of cat's.
_NOT_WRITABLE = 9
#: What cat and test are told may be the kernel's memory of a file server that is silent; the figures of a file system
#: (stat -f) are asked of it each time.
_LOOK = f'cat -- "$1/{FILE}" && stat -f -- "$1" >/dev/null || exit 1; test -w "$1" || exit {_NOT_WRITABLE}'


class Guard:
    """Watches over one shared docroot for one process."""

    def __init__(self, folder: Path, name: str, limit: float = LIMIT, fresh: float = FRESH) -> None:
        self._folder = folder
        self._name = name
        self._limit = limit
        self._fresh = fresh
        self._looked = float("-inf")
        self._fault: str | None = None
        self._place: tuple[int, int] | None = None

    def check(self) -> None:
        """Look whether the docroot is there and ours; what was found holds for a second.

        Raises:
            DocrootAway: it is not; says what to do.
        """
        if clock.monotonic() - self._looked >= self._fresh:
            fault = self.fault()
            if fault and fault != self._fault:
                log.warning("nothing is published for now", reason=fault)
            elif self._fault and not fault:
                log.info("the docroot is back", folder=str(self._folder))
            self._fault, self._looked = fault, clock.monotonic()
        if self._fault:
            raise DocrootAway(self._fault)

    def still(self) -> None:
        """Look whether it is the same folder as at the last check; costs next to nothing.

        Raises:
            DocrootAway: another one has taken its place, or none.
        """
        with contextlib.suppress(OSError):
            if self._place == _place(self._folder):
                return
        self._looked = float("-inf")
        self.check()
        raise DocrootAway(f"the docroot {self._folder} was mounted anew this moment; it is tried again")

    def reason(self, error: Exception) -> Exception:
        """Why something failed: that the docroot is away, if it is; else `error` itself."""
        if not isinstance(error, OSError):
            return error
        self._looked = float("-inf")
        try:
            self.check()
        except DocrootAway as away:
            return away
        return error

    def fault(self) -> str | None:
        """Look now; a sentence when something is wrong."""
        try:
            found = look(self._folder, self._limit)
            if found != self._name:
                return (
                    f"the docroot {self._folder} is that of “{found}”, as {FILE} there says, and not of “{self._name}”;"
                    " mount the right file system, or correct `shared`"
                )
            self._place = _place(self._folder)
        except DocrootError as error:
            return str(error)
        except OSError as error:
            return f"the docroot {self._folder} cannot be looked at ({error.strerror}); see to its mount"
        return None


def guard(config: Config) -> Guard | None:
    """What watches over the docroot; None for one that is this host's own."""
    return Guard(config.docroot, config.shared) if config.shared else None


def fault(config: Config) -> str | None:
    """Why nothing can be published to a shared docroot now; None when it can, or the docroot is this host's own."""
    watching = guard(config)
    return watching.fault() if watching else None


def _place(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def look(folder: Path, limit: float = LIMIT) -> str:
    """The name in the marker of a docroot that can be written.

    Raises:
        DocrootAway: there is no marker, or the docroot cannot be used.
    """
    process = subprocess.Popen(
        ["sh", "-c", _LOOK, "sh", str(folder)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"}, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        # It may not even heed being killed while the file server is silent: somebody else waits for that.
        process.kill()
        threading.Thread(target=process.communicate, name="docroot", daemon=True).start()
        raise DocrootAway(
            f"the docroot {folder} did not answer within {limit:g} s; see to its file server and the network"
        ) from None
    if process.returncode == _NOT_WRITABLE:
        raise DocrootAway(f"the docroot {folder} cannot be written; mount it for writing, as this account may")
    if process.returncode:
        raise DocrootAway(_mend(folder, errors))
    return _name_in(output, folder)


def _mend(folder: Path, said: str) -> str:
    reason = said.strip().rpartition(": ")[2] or "it said nothing"
    if "stale" in reason.lower():
        return f"the docroot {folder} is stale: its file server has another one now; unmount it and mount it anew"
    if "no such file" in reason.lower() or "not a directory" in reason.lower():
        return (
            f"the docroot {folder} has no marker {FILE}: its file system is not mounted, or was never made ours; mount"
            " it, or run docroot.init once if it is mounted and new"
        )
    return f"the docroot {folder} cannot be read ({reason}); see to its mount"


def _name_in(text: str, folder: Path) -> str:
    try:
        name = tomllib.loads(text)["name"]
    except (tomllib.TOMLDecodeError, KeyError):
        name = None
    if not isinstance(name, str) or not name:
        raise DocrootAway(f'the marker {folder / FILE} names nobody; write name = "…" into it, as in `shared`')
    return name


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: its mount point, kind and source."""

    point: Path
    kind: str
    source: str

    def __str__(self) -> str:
        return f"{self.kind} {self.source}, mounted at {self.point}"


def mount_of(folder: Path) -> Mount:
    """The file system that `folder` is on, or would be."""
    best = Mount(Path("/"), "?", "?")
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].encode().decode("unicode_escape"))
        # A later line of the same point lies above an earlier one.
        if folder.is_relative_to(point) and len(point.parts) >= len(best.point.parts):
            kind, source = after.split()[:2]
            best = Mount(point, kind, source)
    return best


def mark(config: Config, *, anyway: bool = False) -> Mount:
    """Make the docroot of a shared file system this installation's own; returns where it is.

    Args:
        config: the installation; `shared` has the name.
        anyway: also a docroot on the file system of /, or one that holds files.

    Raises:
        ConfigError: the docroot is not shared.
        DocrootError: it is somebody else's, or not what it seems; nothing was done.
    """
    folder, name = config.docroot, config.shared
    if not name:
        raise ConfigError(
            ['shared is not set: the docroot is this host\'s own and needs no marker; write shared = "NAME" if front'
             " ends mount it"], config.path,
        )  # fmt: skip
    mount = mount_of(folder)
    if (found := _present(folder)) is not None:
        if found != name:
            raise DocrootError(f"{folder} is the docroot of “{found}” already; mount another, or remove {FILE} there")
        return mount
    if not anyway:
        _refuse_doubtful(folder, mount)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        with (folder / FILE).open("x", encoding="utf-8") as file:
            file.write(_TEXT.format(name=name))
        (folder / FILE).chmod(0o644)
    except OSError as error:
        raise DocrootError(
            f"{folder / FILE} cannot be written ({error.strerror}); give the docroot to this account"
        ) from error
    return mount


def _present(folder: Path) -> str | None:
    """The name in the marker; None when there is none."""
    try:
        return look(folder)
    except DocrootAway as error:
        if "has no marker" in str(error):
            return None
        raise


def _refuse_doubtful(folder: Path, mount: Mount) -> None:
    if mount.point == Path("/"):
        raise DocrootError(
            f"{folder} is on this host's own file system ({mount}), which no front end mounts; mount the shared one"
            " first, or give --anyway"
        )
    if folder.is_dir() and (held := next(folder.iterdir(), None)):
        raise DocrootError(
            f"{folder} holds files already, such as {held.name}; if they are this installation's, give --anyway"
        )
