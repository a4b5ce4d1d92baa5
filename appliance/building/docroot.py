"""Writes and deletes files in the docroot.

Guarantees that no reader meets a torn or temporary file: a file is written whole in the staging folder, outside the
docroot, and then renamed into place. A killed worker leaves at most a staged file, which the next start sweeps away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance import clock
from appliance.config import Config
from appliance.delivery import shared_docroot
from appliance.delivery.shared_docroot import DocrootGuard
from appliance.errors import DocrootAway, DocrootError

_RENAME_TRIES = 5
#: Versions up to this much higher may come from runs that were killed one after another.
_MAX_LEFTOVER_VERSIONS = 60


@dataclass(frozen=True, slots=True)
class File:
    """A file that is published unchanged, in place of bytes in memory."""

    path: Path
    digest: str
    size: int


class Docroot:
    """The docroot of this host, and the staging folder beside it."""

    def __init__(self, folder: Path, staging: Path, guard: DocrootGuard | None = None) -> None:
        self.folder = folder
        self.staging = staging
        self._guard = guard
        self._below = f"{folder}/"
        self._staged_prefix = f"{staging}/{uuid.uuid4().hex}-"
        self._staged = 0

    @classmethod
    def of(cls, config: Config) -> Docroot:
        """The docroot that the settings name, unchecked."""
        return cls(config.docroot, config.staging_folder, shared_docroot.create_guard(config))

    @classmethod
    def prepare(cls, config: Config) -> Docroot:
        """Create the folders and check that they can be used.

        Raises:
            DocrootAway: the docroot is a shared one that is away, or not ours; nothing was created.
            DocrootError: one is a file or cannot be written, or they are on different file systems.
        """
        if away := shared_docroot.find_fault(config):
            raise DocrootAway(away)
        made = cls.of(config)
        for key, folder in (("docroot", made.folder), ("staging", made.staging)):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o755 if key == "docroot" else 0o700)
            except FileExistsError as error:
                raise DocrootError(f"{key}: {folder} is a file; move it away or name another folder") from error
            except OSError as error:
                raise DocrootError(
                    f"{key}: {folder} cannot be made ({error.strerror}); make it and give it to this account"
                ) from error
            if not os.access(folder, os.W_OK | os.X_OK):
                raise DocrootError(f"{key}: {folder} cannot be written by this account; give it to this account")
        if made.folder.stat().st_dev != made.staging.stat().st_dev:
            raise DocrootError(
                f"staging: {made.staging} is on another file system than the docroot {made.folder},"
                " so files could not be renamed into place; set staging to a folder on the docroot's file system"
            )
        return made

    def check(self) -> None:
        """Check that a shared docroot is there and belongs to this installation, at most once a second.

        Raises:
            DocrootAway: it is not.
        """
        if self._guard:
            self._guard.check()

    def confirm(self) -> None:
        """Check that the docroot is still the one that was checked; call it before committing what was written.

        Raises:
            DocrootAway: it is not.
        """
        if self._guard:
            self._guard.confirm()

    def explain(self, error: Exception) -> Exception:
        """The reason for a failure: that a shared docroot is away, if it is, else `error` itself."""
        return self._guard.explain(error) if self._guard else error

    def sweep(self, older_than: float = 3600.0) -> None:
        """Remove files that killed workers left in the staging folder more than `older_than` seconds ago."""
        for left in self.staging.iterdir():
            # The mtime of a staged file is its version; the inode's change time says when it was really written.
            with contextlib.suppress(FileNotFoundError):
                if left.name[0] != "." and left.stat().st_ctime < clock.now() - older_than:
                    left.unlink()

    def holds(self, path: str, size: int | None, version: int) -> bool:
        """Whether the file at `path` is as it was published, by size and mtime."""
        found = _lstat(self._below + path)
        # Published files have whole seconds, so that a file that anybody else writes in the same second still differs.
        return found is not None and found.st_size == size and found.st_mtime_ns == version * 1_000_000_000

    def has_leftover(self, path: str) -> bool:
        """Whether the file at `path` looks like one of ours, though none is published there."""
        found = _lstat(self._below + path)
        return found is not None and stat.S_ISREG(found.st_mode) and not found.st_mtime_ns % 1_000_000_000

    def version_above(self, path: str, version: int) -> int:
        """`version`, or a higher one if the file at `path` has that version or one just above.

        A run that was killed between rename and commit left that file, and a courier may have sent it since.
        """
        try:
            there = int(os.stat(self._below + path).st_mtime)
        except (FileNotFoundError, NotADirectoryError):
            return version
        # A version far above comes from no run of ours but from somebody's touch.
        return there + 1 if version <= there < version + _MAX_LEFTOVER_VERSIONS else version

    def stage(self, content: bytes | File, version: int) -> str:
        """Write a world-readable file to the staging folder, with `version` as its mtime; return its path."""
        self._staged += 1
        staged = f"{self._staged_prefix}{os.getpid()}-{self._staged:x}"
        try:
            if isinstance(content, File):
                shutil.copyfile(content.path, staged)
                os.chmod(staged, 0o644)
                os.utime(staged, (version, version))
            else:
                _write(staged, content, version)
        except OSError:
            self.unstage(staged)
            raise
        return staged

    def unstage(self, staged: str) -> None:
        """Remove a staged file, which may be gone already."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)

    def put(self, staged: str, path: str) -> None:
        """Rename a staged file into place.

        Raises:
            DocrootError: a folder on the way is a symbolic link, so the file would lie outside the docroot.
        """
        if link := self._symbolic_link_to(path):
            raise DocrootError(
                f"{link} is a symbolic link, and what is published there would lie outside the docroot;"
                " remove it, or mount the other place there"
            )
        for _ in range(_RENAME_TRIES):
            try:
                os.rename(staged, self._below + path)
            except FileNotFoundError:
                # Its folder does not exist, or another worker has just removed it because it was empty.
                self._make_folders(path)
            else:
                return
        os.rename(staged, self._below + path)

    def delete(self, path: str) -> None:
        """Delete a file, which may be gone already, and the folders that this leaves empty."""
        final = self.folder / path
        if self._symbolic_link_to(path):
            return  # what lies behind a symbolic link was not published here
        try:
            final.unlink(missing_ok=True)
        except (NotADirectoryError, IsADirectoryError):
            # A file is where its folder was, or a folder where the file was: the file itself is gone.
            return
        for parent in final.parents:
            if parent == self.folder:
                return
            try:
                parent.rmdir()
            except OSError:  # not empty, or gone already
                return

    def _make_folders(self, path: str) -> None:
        """Create the folders from the docroot down to the file at `path`, world-readable whatever the umask is.

        They are group-writable if the docroot is.
        """
        shared = os.stat(self.folder).st_mode & (stat.S_ISGID | stat.S_IWGRP)
        for folder in folders_above(path):
            # The folder exists, or is gone again together with the folder above it.
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.mkdir(self._below + folder)
                os.chmod(self._below + folder, 0o755 | shared)

    def _symbolic_link_to(self, path: str) -> str | None:
        """The first folder between the docroot and the file at `path` that is a symbolic link, or None."""
        for folder in folders_above(path):
            found = _lstat(self._below + folder)
            if found is None:
                return None
            if stat.S_ISLNK(found.st_mode):
                return self._below + folder
        return None


def find_in_the_way(gone: Collection[str], wanted: Collection[str]) -> set[str]:
    """The paths among `gone` that must be deleted before all of `wanted` can be put in place.

    They are files where a folder is needed, and files in a folder where a file is needed.
    """
    if not gone:
        return set()
    needed = {folder for path in wanted for folder in folders_above(path)}
    taken = set(wanted)
    return {path for path in gone if path in needed or not taken.isdisjoint(folders_above(path))}


def folders_above(path: str) -> Iterator[str]:
    """The folders that the file at `path` is in, from the outermost."""
    end = path.find("/")
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write(path: str, content: bytes, version: int) -> None:
    """Write a new world-readable file with `version` as its mtime."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
        os.fchmod(file, 0o644)  # whatever the umask
        os.utime(file, (version, version))
    finally:
        os.close(file)
