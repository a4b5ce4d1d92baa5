"""Compares changes of the journal with the docroot, and lists the files to send and to remove.

Guarantees that a list contains only regular files below the docroot, not what lies behind a link, a device, or a folder
in the place of a file, and that a path is listed for removal only if the docroot really lacks it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.delivery.journal import Delete, PublishedChange, Put


@dataclass(frozen=True, slots=True)
class FileLists:
    """Paths below the docroot. Each list is without duplicates and in the order of the journal."""

    #: Regular files to send.
    puts: list[str]
    #: Files to remove.
    deletes: list[str]
    #: Paths to send that the docroot no longer has.
    vanished: tuple[str, ...]


def are_applied(changes: Sequence[PublishedChange], docroot: Path, *, check_digest: bool = False) -> list[bool]:
    """Return for each change whether the docroot shows it, or something newer at its path.

    Files are compared by size and time, with `check_digest` also by their bytes. That is needed for changes of another
    host: a killed process of this host may have left a different file of the same version.
    """
    view = _DocrootView(docroot)
    return [_is_applied(view, change, docroot, check_digest) for change in changes]


def _is_applied(view: _DocrootView, change: PublishedChange, docroot: Path, check_digest: bool) -> bool:
    file = view.file(change.path)
    if isinstance(change, Delete):
        return file is None or int(file.st_mtime) > change.version
    if file is None or int(file.st_mtime) < change.version:
        return False
    if int(file.st_mtime) > change.version:
        return True
    return file.st_size == change.size and (not check_digest or _digest(docroot / change.path) == change.digest)


def select_current(changes: Sequence[PublishedChange], docroot: Path) -> list[PublishedChange]:
    """Return the changes that the docroot shows exactly, by size and time, and nothing newer."""
    view = _DocrootView(docroot)
    return [change for change in changes if _is_current(view, change)]


def select_absent(paths: Iterable[str], docroot: Path) -> list[str]:
    """Return those of `paths` where the docroot has nothing."""
    view = _DocrootView(docroot)
    return [path for path in paths if view.is_absent(path)]


def nearest_folders(names: Iterable[str], docroot: Path) -> list[str]:
    """Return the nearest existing folder above each name, ending with a slash; "" is the docroot itself."""
    view = _DocrootView(docroot)
    return list(dict.fromkeys(view.nearest_folder(name.rstrip("/")) for name in names))


def _is_current(view: _DocrootView, change: PublishedChange) -> bool:
    if isinstance(change, Delete):
        return view.is_absent(change.path)
    file = view.file(change.path)
    return file is not None and (int(file.st_mtime), file.st_size) == (change.version, change.size)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
    except OSError:
        return ""


def list_files(changes: Sequence[PublishedChange], docroot: Path) -> FileLists:
    """List the files of `changes` to send and to remove, as the docroot is now."""
    view = _DocrootView(docroot)
    wanted = {change.path for change in changes if isinstance(change, Put)}
    puts = [path for path in dict.fromkeys(change.path for change in changes) if path in wanted and view.file(path)]
    deletes = [c.path for c in changes if isinstance(c, Delete) and view.is_absent(c.path)]
    return FileLists(puts, deletes, vanished=tuple(sorted(wanted.difference(puts))))


class _DocrootView:
    """Reads the docroot without following links. The kind of each folder is read once."""

    def __init__(self, docroot: Path) -> None:
        self._docroot = os.fspath(docroot)
        self._folders: dict[str, int | None] = {"": stat.S_IFDIR}

    def file(self, path: str) -> os.stat_result | None:
        """Return the status of the regular file at `path`, or None. A file behind a link does not count."""
        if not is_clean(path) or not stat.S_ISDIR(self._parent_mode(path) or 0):
            return None
        found = self._stat(path)
        return found if found is not None and stat.S_ISREG(found.st_mode) else None

    def is_absent(self, path: str) -> bool:
        """Whether nothing is at `path`, and nothing but folders above it.

        A file above it is published in its own right, and replaces the folder on the target.
        """
        if not is_clean(path):
            return False
        parent = self._parent_mode(path)
        return parent is None or (stat.S_ISDIR(parent) and self._mode(path) is None)

    def nearest_folder(self, path: str) -> str:
        """Return the nearest existing folder above `path` with no link above it, and a slash; "" for the docroot."""
        folder = path.rpartition("/")[0]
        while folder and not stat.S_ISDIR(self._parent_mode(f"{folder}/") or 0):
            folder = folder.rpartition("/")[0]
        return f"{folder}/" if folder else ""

    def _parent_mode(self, path: str) -> int | None:
        """Return the mode of the folder of `path`, or of whatever is above it in the place of a folder, or None."""
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            above = self._parent_mode(folder)
            self._folders[folder] = self._mode(folder) if above is not None and stat.S_ISDIR(above) else above
        return self._folders[folder]

    def _mode(self, path: str) -> int | None:
        found = self._stat(path)
        return None if found is None else found.st_mode

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(os.path.join(self._docroot, path))  # noqa: PTH118 - names that are not UTF-8
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return None
            raise


def is_clean(path: str) -> bool:
    """Whether a path stays below the docroot, judged by its text alone."""
    return all(part not in ("", ".", "..") for part in path.split("/")) and "\0" not in path
