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
        try:
            found = (self.folder / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        # Published files have whole seconds, so that a file that anybody else writes in the same second still differs.
        return found.st_size == size and found.st_mtime_ns == version * 1_000_000_000

    def has_leftover(self, path: str) -> bool:
        """Whether the file at `path` looks like one of ours, though none is published there."""
        try:
            found = (self.folder / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return stat.S_ISREG(found.st_mode) and not found.st_mtime_ns % 1_000_000_000

    def version_above(self, path: str, version: int) -> int:
        """`version`, or a higher one if the file at `path` has that version or one just above.

        A run that was killed between rename and commit left that file, and a courier may have sent it since.
        """
        try:
            there = int((self.folder / path).stat().st_mtime)
        except (FileNotFoundError, NotADirectoryError):
            return version
        # A version far above comes from no run of ours but from somebody's touch.
        return there + 1 if version <= there < version + _MAX_LEFTOVER_VERSIONS else version

    def stage(self, content: bytes | File, version: int) -> Path:
        """Write a world-readable file to the staging folder, with `version` as its mtime; return its path."""
        staged = self.staging / uuid.uuid4().hex
        try:
            if isinstance(content, File):
                shutil.copyfile(content.path, staged)
            else:
                staged.write_bytes(content)
            staged.chmod(0o644)
            os.utime(staged, (version, version))
        except OSError:
            staged.unlink(missing_ok=True)
            raise
        return staged

    def put(self, staged: Path, path: str) -> None:
        """Rename a staged file into place.

        Raises:
            DocrootError: a folder on the way is a symbolic link, so the file would lie outside the docroot.
        """
        final = self.folder / path
        if link := self._symbolic_link_to(final):
            raise DocrootError(
                f"{link} is a symbolic link, and what is published there would lie outside the docroot;"
                " remove it, or mount the other place there"
            )
        for _ in range(_RENAME_TRIES):
            try:
                staged.replace(final)
            except FileNotFoundError:
                # Its folder does not exist, or another worker has just removed it because it was empty.
                self._make_folders(final)
            else:
                return
        staged.replace(final)

    def delete(self, path: str) -> None:
        """Delete a file, which may be gone already, and the folders that this leaves empty."""
        final = self.folder / path
        if self._symbolic_link_to(final):
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

    def _make_folders(self, final: Path) -> None:
        """Create the folders from the docroot down to `final`, world-readable whatever the umask is.

        They are group-writable if the docroot is.
        """
        shared = self.folder.stat().st_mode & (stat.S_ISGID | stat.S_IWGRP)
        for parent in reversed(final.parents):
            if self.folder in (parent, *parent.parents):
                # The folder exists, or is gone again together with the folder above it.
                with contextlib.suppress(FileExistsError, FileNotFoundError):
                    parent.mkdir()
                    parent.chmod(0o755 | shared)

    def _symbolic_link_to(self, final: Path) -> Path | None:
        """The first folder between `final` and the docroot that is a symbolic link, or None."""
        for parent in final.parents:
            if parent == self.folder:
                return None
            if parent.is_symlink():
                return parent
        return None
