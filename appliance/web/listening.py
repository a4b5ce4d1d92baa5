"""The sockets that the web process listens on: opened as the settings say, or passed by systemd.

Guarantees that a Unix socket appears with its final group and mode and already listening, so nobody is refused who
comes just then. A socket that was passed stays open while the process is replaced, and connections wait in it.
"""

from __future__ import annotations

import fcntl
import grp
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.errors import WebError
from appliance.web.served import ServerSettings

#: Requests that wait while all threads are busy.
BACKLOG: Final = 512
#: The longest path of a socket in bytes, so that its first name is short enough as well.
_LONGEST: Final = 95
#: The first number of the sockets that are passed, as systemd has it.
_FIRST: Final = 3
#: The variable that names where we listen, for a socket of ours that is passed on. A socket cannot tell: it knows the
#: name that its file had at first.
_OWN: Final = "APPLIANCE_WEB_LISTEN"


class Listening:
    """The sockets of one web process."""

    def __init__(self, sockets: list[socket.socket], opened_as: str = "") -> None:
        self.sockets = sockets
        #: The setting by which we opened the socket; empty if somebody else did, who closes it as well.
        self._opened_as = opened_as

    def close(self) -> None:
        """Close a socket of ours, and remove its file unless another process has put its own there."""
        if not self._opened_as:
            return
        for each in self.sockets:
            with suppress(OSError):  # gunicorn has closed it
                each.close()
        path = Path(self._opened_as.removeprefix("unix:"))
        if self._opened_as.startswith("unix:") and not _answers(path):
            path.unlink(missing_ok=True)

    def pass_on(self) -> None:
        """Prepare the sockets for the program that replaces this one in the same process."""
        # Away from the numbers that they get, which may be those of each other.
        copies = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, _FIRST + len(self.sockets)) for each in self.sockets]
        for number, copy in enumerate(copies, _FIRST):
            os.dup2(copy, number)
            os.close(copy)
        os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(copies))}
        if self._opened_as:
            os.environ[_OWN] = self._opened_as


def open_sockets(settings: ServerSettings, section: str = "web") -> Listening:
    """The sockets that were passed to this process; otherwise that of the settings in a section, opened now.

    Raises:
        WebError: it cannot be opened.
    """
    own = os.environ.pop(_OWN, "")
    passed = _take_passed()
    if own and own != settings.listen:  # the settings have changed since
        Listening(passed, own).close()
    elif passed:
        return Listening(passed, own)
    return Listening([listen(settings, section)], settings.listen)


def listen(settings: ServerSettings, section: str = "web") -> socket.socket:
    """Open the socket that the settings in a section name.

    A Unix socket gets its group and mode before anybody can connect.

    Raises:
        WebError: it cannot be opened.
    """
    if not settings.listen.startswith("unix:"):
        host, _, port = settings.listen.rpartition(":")
        try:
            return socket.create_server((host.strip("[]"), int(port)), backlog=BACKLOG,
                                        family=socket.AF_INET6 if ":" in host else socket.AF_INET)  # fmt: skip
        except OSError as error:
            raise WebError(
                f"{settings.listen}: {error.strerror}; choose another address for [{section}] listen"
            ) from error
    path = Path(settings.listen.removeprefix("unix:"))
    if len(os.fsencode(path)) > _LONGEST:
        raise WebError(
            f"{path} is too long for a socket; choose a path of at most {_LONGEST} bytes for [{section}] listen"
        )
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under a name of its own at first: whoever connects to the old one, or too early, is not refused for the mode.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_is_ours(path, section)
        _sweep(path)
        opened.bind(str(beside))
        if settings.socket_group:
            os.chown(beside, -1, _group(settings.socket_group, section))
        beside.chmod(int(settings.socket_mode, 8))
        opened.listen(BACKLOG)
        beside.rename(path)
    except WebError:
        opened.close()
        beside.unlink(missing_ok=True)
        raise
    except OSError as error:
        opened.close()
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise WebError(_mend(path, settings.socket_group, section, error)) from error
    return opened


def _take_passed() -> list[socket.socket]:
    """The sockets that were passed to this process."""
    process, number = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS", "")
    if process != str(os.getpid()):
        return []
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    sockets = [socket.socket(fileno=_FIRST + each) for each in range(int(number or 0))]
    for each in sockets:
        each.set_inheritable(False)
    return sockets


def _answers(path: Path) -> bool:
    """Whether another process listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _check_is_ours(path: Path, section: str) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise WebError(
                f"{path} is a file and no socket; move it away, or choose another path for [{section}] listen"
            )


def _sweep(path: Path) -> None:
    """Remove the sockets of processes that were killed before theirs had its name."""
    for left in path.parent.glob(f".{path.name}.*"):
        process = left.name.rpartition(".")[2]
        if process == str(os.getpid()) or (process.isdigit() and not Path("/proc", process).exists()):
            left.unlink(missing_ok=True)


def _group(name: str, section: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise WebError(f"there is no group “{name}”; create it, or correct [{section}] socket_group") from None


def _mend(path: Path, group: str, section: str, error: OSError) -> str:
    if isinstance(error, PermissionError) and group:
        return (
            f"{path}: this account may not give the socket to the group “{group}”; add the account to that group, or"
            f" correct [{section}] socket_group"
        )
    return f"{path}: {error.strerror}; correct that, or choose another path for [{section}] listen"
