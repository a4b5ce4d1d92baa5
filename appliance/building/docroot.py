"""Files in the docroot: made aside, put in place by rename, never edited.

Guarantees that a reader never meets a torn or temporary file: a file is written whole in the staging folder,
outside the docroot, and renamed. A killed worker leaves at most a staged file, which the next start sweeps
away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from appliance import clock
from appliance.config import Config
from appliance.delivery import marker
from appliance.delivery.marker import Guard
from appliance.errors import DocrootAway, DocrootError

_TRIES = 5
#: Versions that runs killed one after another may have left.
_NEAR = 60


@dataclass(frozen=True, slots=True)
class File:
    """A file to be published as it is, instead of bytes."""

    path: Path
    digest: str
    size: int


class Docroot:
    """The docroot of this host and the staging folder beside it."""

    def __init__(self, folder: Path, staging: Path, guard: Guard | None = None) -> None:
        self.folder = folder
        self.staging = staging
        self._guard = guard

    @classmethod
    def of(cls, config: Config) -> Docroot:
        """The docroot of the settings, as it is."""
        return cls(config.docroot, config.staging_folder, marker.guard(config))

    @classmethod
    def prepare(cls, config: Config) -> Docroot:
        """Make the folders and check that they can be used.

        Raises:
            DocrootAway: it is a shared one that is not there, or not ours; nothing was made in its place.
            DocrootError: one is a file, cannot be written, or they are on different file systems.
        """
        if away := marker.fault(config):
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
        """Look whether a shared docroot is there and ours, at most once a second.

        Raises:
            DocrootAway: it is not.
        """
        if self._guard:
            self._guard.check()

    def still(self) -> None:
        """Look whether it is yet the one that was checked; to be called before what was written is committed.

        Raises:
            DocrootAway: it is not.
        """
        if self._guard:
            self._guard.still()

    def reason(self, error: Exception) -> Exception:
        """Why something failed: that a shared docroot is away, if it is; else `error` itself."""
        return self._guard.reason(error) if self._guard else error

    def sweep(self, older_than: float = 3600.0) -> None:
        """Remove what killed workers left in the staging folder: files that have waited so many seconds."""
        for left in self.staging.iterdir():
            # A staged file bears its version as mtime; the inode's change time says when it was really made.
            with contextlib.suppress(FileNotFoundError):
                if left.name[0] != "." and left.stat().st_ctime < clock.now() - older_than:
                    left.unlink()

    def holds(self, path: str, size: int | None, version: int) -> bool:
        """Whether the file at `path` is there as it was published, by size and mtime."""
        try:
            stat = (self.folder / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        # Ours have whole seconds: what anybody else writes within the same second differs all the same.
        return stat.st_size == size and stat.st_mtime_ns == version * 1_000_000_000

    def above(self, path: str, version: int) -> int:
        """`version`, or a higher one when the file at `path` bears it already.

        A run that was killed between rename and commit left it there, and a courier may have sent it since.
        """
        try:
            there = int((self.folder / path).stat().st_mtime)
        except (FileNotFoundError, NotADirectoryError):
            return version
        # Far above is no run of ours but somebody's touch.
        return there + 1 if version <= there < version + _NEAR else version

    def stage(self, content: bytes | File, version: int) -> Path:
        """Write a file aside, world-readable, with `version` as its mtime; returns where it waits."""
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
            DocrootError: a folder on the way is a symbolic link: what is published stays in the docroot.
        """
        final = self.folder / path
        if link := self._link_to(final):
            raise DocrootError(
                f"{link} is a symbolic link, and what is published there would lie outside the docroot;"
                " remove it, or mount the other place there"
            )
        for _ in range(_TRIES):
            try:
                staged.replace(final)
            except FileNotFoundError:
                # Its folder is not there, or another worker has just removed it as emptied.
                self._make_way(final)
            else:
                return
        staged.replace(final)

    def delete(self, path: str) -> None:
        """Remove a file and the folders that are empty without it; it may be gone already."""
        final = self.folder / path
        if self._link_to(final):
            return  # what lies behind a symbolic link is not ours
        try:
            final.unlink(missing_ok=True)
        except (NotADirectoryError, IsADirectoryError):
            # A file has taken the place of its folder, or a folder its own: then it is gone.
            return
        for parent in final.parents:
            if parent == self.folder:
                return
            try:
                parent.rmdir()
            except OSError:  # not empty, or gone already
                return

    def _make_way(self, final: Path) -> None:
        """Make the folders from the docroot to `final`, as readable for all as the file, whatever the umask."""
        for parent in reversed(final.parents):
            if self.folder in (parent, *parent.parents):
                # There already, or gone again with the folder above it.
                with contextlib.suppress(FileExistsError, FileNotFoundError):
                    parent.mkdir()
                    parent.chmod(0o755)

    def _link_to(self, final: Path) -> Path | None:
        """The folder on the way from the docroot to `final` that is a symbolic link, if one is."""
        for parent in final.parents:
            if parent == self.folder:
                return None
            if parent.is_symlink():
                return parent
        return None
