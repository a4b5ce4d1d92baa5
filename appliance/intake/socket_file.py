"""The intake's Unix socket: who may connect, and that one intake answers on it.

Guarantees that the file appears with its final group and mode, and already listening; that the socket of a dead
process is replaced, and that of a living one is not; and that only the accounts named may talk to the intake, even if
others can reach the file. A lock beside the socket tells a living intake from a dead one, since a killed process leaves
its socket behind.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import socket
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from appliance.config import WebSettings
from appliance.errors import ConfigError

#: The longest path of a Unix socket, without its end.
_LONGEST: Final = 107
_BACKLOG: Final = 256
_PEER: Final = struct.Struct("3i")


class SocketInUseError(Exception):
    """Another intake answers on this socket."""


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A socket that this process listens on, and the lock that goes with it."""

    path: Path
    listening: socket.socket
    lock: IO[str]
    #: The accounts that may connect.
    accounts: frozenset[int]

    def allows(self, connection: socket.socket) -> bool:
        """Whether the process at the other end may talk to the intake."""
        return peer_of(connection)[1] in self.accounts

    def close(self) -> None:
        """Stop listening: remove the file, then let the next intake have its place."""
        with suppress(FileNotFoundError):
            self.path.unlink()
        self.listening.close()
        self.lock.close()


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """The process id and the account of the process that connected, as the kernel knows them."""
    process, account, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return process, account


def listen(path: Path, settings: WebSettings) -> ListeningSocket:
    """Listen on `path`, with the group and for the account in the settings.

    Raises:
        ConfigError: the account, the group or the folder cannot be used.
        SocketInUseError: another intake of this host answers there.
    """
    if len(os.fsencode(path)) + 4 > _LONGEST:
        raise ConfigError([f"web.intake: the path {path} is too long for a socket; choose one of at most 100 bytes"])
    group = _find_group(settings.intake_group)
    accounts = frozenset({os.geteuid(), 0, *_find_account(settings.intake_user)})
    _make_folder(path.parent, group)
    lock = _lock(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Made beside its place and renamed: whoever finds it finds it with its mode, and listening.
    fresh = path.with_name(f".{path.name}.of")
    try:
        fresh.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            made.bind(str(fresh))
        finally:
            os.umask(before)
        if group is not None:
            os.chown(fresh, -1, group)
            fresh.chmod(0o660)
        made.listen(_BACKLOG)
        fresh.rename(path)
    except OSError as error:
        made.close()
        lock.close()
        raise ConfigError(
            [f"web.intake: {path} cannot be made ({error.strerror}); choose a place this account may write to"]
        ) from error
    return ListeningSocket(path, made, lock, accounts)


def _find_group(name: str) -> int | None:
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError([f"web.intake_group: there is no group “{name}”; add it, or name another"]) from None


def _find_account(name: str) -> list[int]:
    if not name:
        return []
    try:
        return [pwd.getpwnam(name).pw_uid]
    except KeyError:
        raise ConfigError([f"web.intake_user: there is no account “{name}”; add it, or name another"]) from None


def _make_folder(folder: Path, group: int | None) -> None:
    """Make the folder of the socket, and refuse one in which other accounts could put a socket of theirs."""
    try:
        folder.mkdir(mode=0o750 if group is not None else 0o700, parents=True)
        if group is not None:
            os.chown(folder, -1, group)
    except FileExistsError:
        found = folder.stat()
        open_to_all = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
        if found.st_uid not in (0, os.geteuid()) or open_to_all:
            told = f"web.intake: other accounts may change the folder {folder}; choose one that only this account may"
            raise ConfigError([told]) from None
    except OSError as error:
        told = f"web.intake: the folder {folder} cannot be made ({error.strerror}); make it, or choose another"
        raise ConfigError([told]) from error


def _lock(path: Path) -> IO[str]:
    place = path.with_name(f".{path.name}.lock")
    try:
        lock = os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "w")
    except OSError as error:
        told = f"web.intake: {place} cannot be opened ({error.strerror}); choose a place this account may write to"
        raise ConfigError([told]) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SocketInUseError(
            f"another intake answers at {path}; stop it, or run this one for another installation"
        ) from None
    return lock
