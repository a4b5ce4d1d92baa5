"""What a stretch of the journal means for a target, seen against the docroot as it is now.

Guarantees that a list names regular files below the docroot only: a path with a link on its way, a device or
a folder where a file should be is left out, and a path is listed for removal only when the docroot truly
lacks it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from appliance.delivery.journal import Change, Delete, Put

#: Where a receiving rsync keeps new files until all have arrived (`--delay-updates`).
HOLDING = ".~tmp~"


@dataclass(frozen=True, slots=True)
class Lists:
    """Paths below the docroot, each list without doubles and in journal order."""

    #: Regular files to send.
    puts: list[str]
    #: Files to remove.
    deletes: list[str]
    #: Folders the docroot lacks, to remove when empty: one list a depth, deepest first, since a receiver
    #: comes to a folder before what is in it.
    emptied: list[list[str]]
    #: What should have been sent but has left the docroot.
    vanished: tuple[str, ...]


def held(changes: Sequence[Change], docroot: Path, *, foreign: bool = False) -> list[bool]:
    """Whether the docroot shows each change, or something newer in its place.

    A file is known by size and time; with `foreign`, for what another host made, by its bytes as well: a run of this
    host that was killed may have left one of the same version.
    """
    look = _Look(docroot)
    return [_holds(look, change, docroot, foreign) for change in changes]


def _holds(look: _Look, change: Change, docroot: Path, foreign: bool) -> bool:
    there = look.file(change.path)
    if isinstance(change, Delete):
        return there is None or int(there.st_mtime) > change.version
    if there is None or int(there.st_mtime) < change.version:
        return False
    if int(there.st_mtime) > change.version:
        return True
    return there.st_size == change.size and (not foreign or _digest(docroot / change.path) == change.digest)


def exact(changes: Sequence[Change], docroot: Path) -> list[Change]:
    """Those changes that the docroot shows as they are, nothing newer: by size and time."""
    look = _Look(docroot)
    return [change for change in changes if _is_exact(look, change)]


def absent(paths: Iterable[str], docroot: Path) -> list[str]:
    """Those of `paths` where the docroot has nothing."""
    look = _Look(docroot)
    return [path for path in paths if look.is_absent(path)]


def _is_exact(look: _Look, change: Change) -> bool:
    if isinstance(change, Delete):
        return look.is_absent(change.path)
    there = look.file(change.path)
    return there is not None and (int(there.st_mtime), there.st_size) == (change.version, change.size)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
    except OSError:
        return ""


def select(changes: Sequence[Change], docroot: Path) -> Lists:
    """Sort `changes` by what the docroot has of them now."""
    look = _Look(docroot)
    wanted = {change.path for change in changes if isinstance(change, Put)}
    puts = [path for path in dict.fromkeys(change.path for change in changes) if path in wanted and look.is_file(path)]
    deletes = [c.path for c in changes if isinstance(c, Delete) and look.is_absent(c.path)]
    folders = {folder for path in deletes for folder in _above(path) if look.is_absent(folder)}
    depths = sorted({folder.count("/") for folder in folders}, reverse=True)
    return Lists(
        puts=puts,
        deletes=deletes,
        emptied=[sorted(f for f in folders if f.count("/") == depth) for depth in depths],
        vanished=tuple(sorted(wanted.difference(puts))),
    )


def _above(path: str) -> list[str]:
    return [str(folder) for folder in PurePosixPath(path).parents if str(folder) != "."]


class _Look:
    """A look at the docroot; folders are looked at once."""

    def __init__(self, docroot: Path) -> None:
        self._docroot = os.fspath(docroot)
        self._folders: dict[str, int | None] = {"": stat.S_IFDIR}

    def is_file(self, path: str) -> bool:
        """A regular file stands there, and only folders on the way to it."""
        return self.file(path) is not None

    def file(self, path: str) -> os.stat_result | None:
        """What `is_file` means, told more of; None when it is not."""
        if not _is_clean(path) or not stat.S_ISDIR(self._way(path) or 0):
            return None
        there = self._stat(path)
        return there if there is not None and stat.S_ISREG(there.st_mode) else None

    def is_absent(self, path: str) -> bool:
        """Nothing stands there, nor anything but folders on the way to it.

        A file on the way is published in its own right, and takes the folder's place on the target.
        """
        if not _is_clean(path):
            return False
        way = self._way(path)
        return way is None or (stat.S_ISDIR(way) and self._mode(path) is None)

    def _way(self, path: str) -> int | None:
        """The kind of what is no folder on the way to `path`, else of its folder; None if missing."""
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            above = self._way(folder)
            self._folders[folder] = self._mode(folder) if above is not None and stat.S_ISDIR(above) else above
        return self._folders[folder]

    def _mode(self, path: str) -> int | None:
        there = self._stat(path)
        return None if there is None else there.st_mode

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(os.path.join(self._docroot, path))  # noqa: PTH118 - names that are not UTF-8
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return None
            raise


def _is_clean(path: str) -> bool:
    return all(part not in ("", ".", "..") for part in path.split("/")) and "\0" not in path
