"""The files of a folder, sorted by what they are. Nothing is read of texts, and nothing is written."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from appliance.errors import ContentError
from appliance.importing.markdown import layout as layouts
from appliance.importing.markdown.exclusions import Exclusions
from appliance.importing.markdown.generator_settings import GeneratorSettings
from appliance.importing.markdown.inherited_metadata import InheritedMetadata, is_data_file
from appliance.importing.markdown.layout import MANIFEST, TEXT_ENDINGS, FoundFile, Layout
from appliance.importing.markdown.layout_manifest import LayoutManifest
from appliance.importing.markdown.text_files import read_bytes

_DATA_FILE: Final = "is a data file for texts, and is not content"


class FolderFiles:
    """The files of one folder by kind, as paths in it."""

    def __init__(self, root: Path, layout: Layout) -> None:
        """Walk the folder.

        Raises:
            ContentError: settings of the other system cannot be read, or hold an expression that is not supported.
        """
        self.root = root
        self.layout = layout
        self.settings = GeneratorSettings.read(root, layout.system)
        #: Texts that become entries and pages, in order.
        self.texts: list[str] = []
        self.sections: list[str] = []
        self.assets: list[str] = []
        #: Files with the comments of a text.
        self.comments: set[str] = set()
        #: The text of each bundle by its folder.
        self.bundles: dict[str, str] = {}
        #: Files that are not imported, with the reason.
        self.rejected: list[FoundFile] = []
        found = list(layouts.walk(root, layout, Exclusions.read(layout, self.settings).reason))
        self.total = len(found)
        texts = [file.path for file in found if PurePosixPath(file.path).suffix.lower() in TEXT_ENDINGS]
        stems = frozenset(str(PurePosixPath(path).with_suffix("")) for path in texts)
        self._data_files = frozenset(file.path for file in found if is_data_file(file.path, layout, stems))
        for file in found:
            self._sort(file)
        self.texts.sort()

    @property
    def has_texts(self) -> bool:
        """Whether the folder has any text, be it only a section file."""
        return bool(self.texts or self.sections)

    @cached_property
    def inherited_metadata(self) -> InheritedMetadata:
        """What settings, section files and data files say of the texts below them.

        Raises:
            ContentError: a data file that may keep texts back cannot be read.
        """
        return InheritedMetadata(self.layout, self.settings, self.sections, self._data_files)

    @cached_property
    def described_folders(self) -> frozenset[str]:
        """Folders with a section file."""
        return frozenset(str(PurePosixPath(section).parent) for section in self.sections)

    @cached_property
    def manifest(self) -> LayoutManifest:
        """The manifest of the appliance's own layout; empty for any other.

        Raises:
            ContentError: it cannot be read.
        """
        if not self.layout.is_native:
            return LayoutManifest()
        file = self.root / MANIFEST
        try:
            return LayoutManifest.parse(read_bytes(file))
        except ContentError as error:
            raise ContentError(f"{file}: {error}") from error

    def _sort(self, file: FoundFile) -> None:
        path = file.path
        kind, reason = self.layout.kind(path)
        if file.unreadable or file.excluded:
            self.rejected.append(file)
        elif kind == "setup":
            self.rejected.append(FoundFile(path, excluded=reason))
        elif path in self._data_files:
            self.rejected.append(FoundFile(path, excluded=_DATA_FILE))
        elif kind == "section":
            self.sections.append(path)
        elif kind == "asset":
            self.assets.append(path)
        elif kind == "comments":
            self.comments.add(path)
        else:
            if kind == "bundle":
                self.bundles[str(PurePosixPath(path).parent)] = path
            self.texts.append(path)
