"""A docroot on a shared file system, and the marker file that tells which installation it belongs to.

Guarantees that nothing is published to a shared docroot while its mount is missing, stale, silent, read-only, or
belongs to another installation. The marker is in the docroot itself: while the mount is missing the marker is hidden,
and the folder below the mount point has none. A child process with a time limit reads it, since a file server that does
not answer can block a process for ever.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from appliance import clock, logging
from appliance.config import Config, toml
from appliance.errors import ConfigError, DocrootAway, DocrootError

#: The name of the marker. It begins with a dot, so that front ends do not serve it.
MARKER = ".appliance-docroot"

#: Seconds that a check may take, and for which its result counts.
CHECK_TIMEOUT = 3.0
CHECK_LIFETIME = 1.0

log = logging.get_logger("docroot")

_TEXT = """\
# This docroot belongs to the installation named here. Without this file nothing is published to it.
name = "{name}"
"""

#: The exit status for a folder that cannot be written, which cat does not use.
_NOT_WRITABLE = 9
#: The kernel may answer cat and test from its cache although the file server is silent. It asks the file server each
#: time for the figures of the file system (stat -f).
_CHECK = f'cat -- "$1/{MARKER}" && stat -f -- "$1" >/dev/null || exit 1; test -w "$1" || exit {_NOT_WRITABLE}'


class DocrootGuard:
    """Checks one shared docroot for one process."""

    def __init__(
        self, folder: Path, name: str, timeout: float = CHECK_TIMEOUT, lifetime: float = CHECK_LIFETIME
    ) -> None:
        self._folder = folder
        self._name = name
        self._timeout = timeout
        self._lifetime = lifetime
        self._checked_at = float("-inf")
        self._fault: str | None = None
        #: Device and inode of the folder at the last check.
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Check that the docroot is there and belongs to this installation. The result counts for a second.

        Raises:
            DocrootAway: it is not; says what to do.
        """
        if clock.monotonic() - self._checked_at >= self._lifetime:
            fault = self.find_fault()
            if fault and fault != self._fault:
                log.warning("nothing is published for now", reason=fault)
            elif self._fault and not fault:
                log.info("the docroot is back", folder=str(self._folder))
            self._fault, self._checked_at = fault, clock.monotonic()
        if self._fault:
            raise DocrootAway(self._fault)

    def confirm(self) -> None:
        """Check that the docroot is the same folder as at the last check. This is much cheaper than `check`.

        Raises:
            DocrootAway: it is gone, or another folder has taken its place.
        """
        with contextlib.suppress(OSError):
            if self._identity == _identity(self._folder):
                return
        self._checked_at = float("-inf")
        self.check()
        raise DocrootAway(f"the docroot {self._folder} has just been remounted; it is tried again")

    def explain(self, error: Exception) -> Exception:
        """Return why something failed: the fault of the docroot if there is one, else `error` itself."""
        if not isinstance(error, OSError):
            return error
        self._checked_at = float("-inf")
        try:
            self.check()
        except DocrootAway as away:
            return away
        return error

    def find_fault(self) -> str | None:
        """Check the docroot now. Returns a sentence if something is wrong."""
        try:
            found = read_marker(self._folder, self._timeout)
            if found != self._name:
                return (
                    f"the docroot {self._folder} is that of “{found}”, as {MARKER} there says, and not of"
                    f" “{self._name}”; mount the right file system, or correct `shared`"
                )
            self._identity = _identity(self._folder)
        except DocrootError as error:
            return str(error)
        except OSError as error:
            return f"the docroot {self._folder} cannot be accessed ({error.strerror}); check its mount"
        return None


def create_guard(config: Config) -> DocrootGuard | None:
    """Return a guard for the docroot; None if it is not shared."""
    return DocrootGuard(config.docroot, config.shared) if config.shared else None


def find_fault(config: Config) -> str | None:
    """Return why nothing can be published to a shared docroot now; None if nothing is wrong or it is not shared."""
    guard = create_guard(config)
    return guard.find_fault() if guard else None


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def read_marker(folder: Path, timeout: float = CHECK_TIMEOUT) -> str:
    """Return the name in the marker of a docroot, which must be writable.

    Raises:
        DocrootAway: there is no marker, or the docroot cannot be used.
    """
    process = subprocess.Popen(
        ["sh", "-c", _CHECK, "sh", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"},
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        # It may not even end when killed while the file server is silent, so another thread waits for it.
        process.kill()
        threading.Thread(target=process.communicate, name="docroot", daemon=True).start()
        raise DocrootAway(
            f"the docroot {folder} did not answer within {timeout:g} s; check its file server and the network"
        ) from None
    if process.returncode == _NOT_WRITABLE:
        raise DocrootAway(f"the docroot {folder} cannot be written; mount it for writing, as this account may")
    if process.returncode:
        raise DocrootAway(_describe(folder, errors))
    return _parse(output, folder)


def _describe(folder: Path, errors: str) -> str:
    reason = errors.strip().rpartition(": ")[2] or "no message"
    if "stale" in reason.lower():
        return f"the docroot {folder} is stale: its file server has replaced it; unmount it and mount it again"
    if "no such file" in reason.lower() or "not a directory" in reason.lower():
        return (
            f"the docroot {folder} has no marker {MARKER}: its file system is not mounted, or was never initialized;"
            " mount it, or run docroot.init once if it is mounted and new"
        )
    return f"the docroot {folder} cannot be read ({reason}); check its mount"


def _parse(text: str, folder: Path) -> str:
    try:
        name = toml.loads(text)["name"]
    except (toml.TOMLDecodeError, KeyError):
        name = None
    if not isinstance(name, str) or not name:
        raise DocrootAway(f'the marker {folder / MARKER} has no name; write name = "…" into it, as in `shared`')
    return name


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: its mount point, type and source."""

    point: Path
    kind: str
    source: str

    def __str__(self) -> str:
        return f"{self.kind} {self.source}, mounted at {self.point}"


def mount_of(folder: Path) -> Mount:
    """Return the file system that `folder` is on, or would be on."""
    best = Mount(Path("/"), "?", "?")
    for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].encode().decode("unicode_escape"))
        # A later mount at the same point hides an earlier one.
        if folder.is_relative_to(point) and len(point.parts) >= len(best.point.parts):
            kind, source = after.split()[:2]
            best = Mount(point, kind, source)
    return best


def create_marker(config: Config, *, anyway: bool = False) -> Mount:
    """Mark a shared docroot as that of this installation. Returns the file system that it is on.

    Args:
        config: the installation; `shared` has its name.
        anyway: even if the docroot is on the file system of /, or contains files.

    Raises:
        ConfigError: the docroot is not shared.
        DocrootError: it belongs to another installation, or looks wrong; nothing was changed.
    """
    folder, name = config.docroot, config.shared
    if not name:
        message = (
            'shared is not set: the docroot is this host\'s own and needs no marker; write shared = "NAME" if front'
            " ends mount it"
        )
        raise ConfigError([message], config.path)
    mount = mount_of(folder)
    if (found := _existing_marker(folder)) is not None:
        if found != name:
            raise DocrootError(f"{folder} is the docroot of “{found}” already; mount another, or remove {MARKER} there")
        return mount
    if not anyway:
        _check_plausible(folder, mount)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        with (folder / MARKER).open("x", encoding="utf-8") as file:
            file.write(_TEXT.format(name=name))
        (folder / MARKER).chmod(0o644)
    except OSError as error:
        raise DocrootError(
            f"{folder / MARKER} cannot be written ({error.strerror}); give the docroot to this account"
        ) from error
    return mount


def _existing_marker(folder: Path) -> str | None:
    """Return the name in the marker; None if there is no marker."""
    try:
        return read_marker(folder)
    except DocrootAway as error:
        if "has no marker" in str(error):
            return None
        raise


def _check_plausible(folder: Path, mount: Mount) -> None:
    if mount.point == Path("/"):
        raise DocrootError(
            f"{folder} is on this host's own file system ({mount}), which no front end mounts; mount the shared one"
            " first, or give --anyway"
        )
    if folder.is_dir() and (held := next(folder.iterdir(), None)):
        raise DocrootError(
            f"{folder} holds files already, such as {held.name}; if they are this installation's, give --anyway"
        )
