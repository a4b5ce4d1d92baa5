"""The folder of a preview: what an earlier one left is taken away, what anybody else put there never is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from appliance.building.docroot import Docroot, File
from appliance.config import Config
from appliance.errors import ContentError
from appliance.planning.paths import fault_of
from appliance.planning.theme import Theme

#: Lists the files of the preview; a folder without it is somebody else's.
_LIST: Final = ".preview"


class PreviewFolder:
    """A folder whose files previews may replace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def prepare(cls, config: Config, theme: Theme, folder: Path | None) -> PreviewFolder:
        """The folder, once it is clear that it may be used; `preview` beside the settings when none is named.

        Raises:
            ContentError: it is a file, it is where something is published or kept, or it holds other files.
        """
        wanted = (folder or config.path.parent / "preview").expanduser().absolute()
        for what, other in _used(config, theme):
            if _overlap(wanted.resolve(), other.resolve()):
                raise ContentError(f"{wanted}: overlaps {what}, {other}; name a folder of its own with --to")
        if wanted.exists() and not wanted.is_dir():
            raise ContentError(f"{wanted}: is a file; name a folder with --to")
        if wanted.is_dir() and any(wanted.iterdir()) and not (wanted / _LIST).is_file():
            raise ContentError(f"{wanted}: holds files that are no preview; empty it, or name another folder with --to")
        return cls(wanted)

    def write(self, files: Mapping[str, bytes | File]) -> list[str]:
        """Put these files, by path below the folder, in place of those of an earlier preview; returns their paths.

        Raises:
            ContentError: they cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._clear()
            (self.folder / _LIST).write_text("".join(f"{path}\n" for path in files), "utf-8")
            for path, content in files.items():
                self._put(self.folder / path, content)
        except OSError as error:
            raise ContentError(
                f"{self.folder}: cannot be written ({error.strerror}); mend that or name another folder with --to"
            ) from error
        return list(files)

    def _clear(self) -> None:
        listed = self.folder / _LIST
        docroot = Docroot(self.folder, self.folder)  # it removes emptied folders too
        for path in listed.read_text("utf-8").splitlines() if listed.is_file() else ():
            if fault_of(path) is None:
                docroot.delete(path)

    @staticmethod
    def _put(file: Path, content: bytes | File) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, File):
            shutil.copyfile(content.path, file)
        else:
            file.write_bytes(content)


def _used(config: Config, theme: Theme) -> Iterator[tuple[str, Path]]:
    """Folders that previews must stay out of, each with what it is."""
    yield "the docroot", config.docroot
    yield "the staging folder", config.staging_folder
    yield "the uploads", config.assets_folder
    yield "the theme", theme.folder
    for target in config.targets:
        if target.host is None:
            yield f"the target {target.name}", target.path(config.docroot)


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
