"""The folder that previews are written to. Each preview replaces the files of the last one and touches no others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from appliance.building.docroot import Docroot, File
from appliance.config import Config
from appliance.errors import ContentError
from appliance.planning.paths import path_fault
from appliance.planning.theme import Theme

#: The file that lists the files of a preview. A folder with files but without this list is never written to.
_LIST: Final = ".preview"


class PreviewFolder:
    """A folder that was checked and may be used for previews."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def prepare(cls, config: Config, theme: Theme, folder: Path | None) -> PreviewFolder:
        """Check that a folder may be used for previews. The default is `preview` next to the settings file.

        Raises:
            ContentError: the path is a file, or the folder overlaps one that the appliance uses or has other files.
        """
        path = (folder or config.path.parent / "preview").expanduser().absolute()
        for name, used in _used_folders(config, theme):
            if _overlap(path.resolve(), used.resolve()):
                raise ContentError(f"{path}: overlaps {name}, {used}; choose a separate folder with --to")
        if path.exists() and not path.is_dir():
            raise ContentError(f"{path}: is a file; choose a folder with --to")
        if path.is_dir() and any(path.iterdir()) and not (path / _LIST).is_file():
            raise ContentError(f"{path}: contains files of others; empty it, or choose another folder with --to")
        return cls(path)

    def write(self, files: Mapping[str, bytes | File]) -> list[str]:
        """Replace the files of the last preview with `files`, a mapping from path below the folder to content.

        Returns the paths of the new files, in the same order.

        Raises:
            ContentError: the files cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._clear()
            (self.folder / _LIST).write_text("".join(f"{path}\n" for path in files), "utf-8")
            for path, content in files.items():
                self._put(self.folder / path, content)
        except OSError as error:
            raise ContentError(
                f"{self.folder}: cannot be written ({error.strerror}); fix that or choose another folder with --to"
            ) from error
        return list(files)

    def _clear(self) -> None:
        listed = self.folder / _LIST
        docroot = Docroot(self.folder, self.folder)  # removes empty folders too
        for path in listed.read_text("utf-8").splitlines() if listed.is_file() else ():
            if path_fault(path) is None:
                docroot.delete(path)

    @staticmethod
    def _put(file: Path, content: bytes | File) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, File):
            shutil.copyfile(content.path, file)
        else:
            file.write_bytes(content)


def _used_folders(config: Config, theme: Theme) -> Iterator[tuple[str, Path]]:
    """Yield the name and path of each folder that a preview must not overlap."""
    yield "the docroot", config.docroot
    yield "the staging folder", config.staging_folder
    yield "the uploads", config.assets_folder
    yield "the theme", theme.folder
    for target in config.targets:
        if target.host is None:
            yield f"the target {target.name}", target.path(config.docroot)


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
