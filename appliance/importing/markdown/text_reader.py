"""Reads a text file into an entry: its front matter, and what its place in the folder says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.importing.existing_entries import ExistingEntry
from appliance.importing.markdown import frontmatter, metadata, native_metadata
from appliance.importing.markdown.folder_files import FolderFiles
from appliance.importing.markdown.layout import comments_path
from appliance.importing.markdown.metadata import EntryMetadata, TextContext
from appliance.importing.markdown.text_files import TextFile, digest, read_bytes


class TextReader:
    """Reads the texts of one folder."""

    def __init__(self, site: Site, files: FolderFiles, source: str, now: float) -> None:
        self.files = files
        self.layout = files.layout
        self.source = source
        self.now = now
        self.zone = ZoneInfo(site.timezone)
        #: The context that was asked for last: it is needed for the digest of a text and again to read it.
        self._last: TextContext | None = None

    def read(self, text: TextFile, raw: bytes, row: ExistingEntry | None) -> EntryMetadata:
        """The whole entry of a text. `row` is the entry that it was at the last import.

        Raises:
            UnpublishedSource: it is not a page at its source.
            ContentError: its front matter cannot be read, or there is neither a title nor a text.
        """
        document = frontmatter.split(raw)
        read = native_metadata.read if self.layout.is_native else metadata.read
        found = read(document, self.context(text.path), self.now)
        if not document.text.strip() and not any(key.lower() == "title" for key in document.meta):
            template = "; it is there for a template of the other system" if document.meta else ""
            raise ContentError("has neither a title nor a text" + template)
        if PurePosixPath(text.path).stem.lower() == "index" and text.path not in self.files.bundles.values():
            raise ContentError("is the home page, which the theme makes; give it another name to keep it as a page")
        data = replace(found.data, source=self.source, source_path=text.path, source_digest=text.digest)
        if not found.is_dated:
            modified = int((self.files.root / text.path).stat().st_mtime)
            data = replace(data, published_at=row.published_at if row else modified)
        return replace(found, data=data)

    def context(self, path: str) -> TextContext:
        """What the place of a text says of it."""
        if self._last is None or self._last.path != path:
            self._last = self._context(path)
        return self._last

    def _context(self, path: str) -> TextContext:
        segments = self.layout.segments(path)
        folder = PurePosixPath(path).parent
        if self.layout.kind(path)[0] == "bundle":
            segments, folder = segments[:-1], folder.parent
        is_jekyll = bool(segments) and folder.name == "_posts"
        names = tuple(metadata.section_name(segment) for segment in segments)
        is_described = is_jekyll or str(folder) in self.files.described_folders
        return TextContext(path, self.layout, self.zone, names, is_described, self.inherited(path))

    def inherited(self, path: str) -> dict[str, Any]:
        """Front matter that settings and folders give to the text or section at `path`."""
        return self.files.inherited_metadata.for_path(path)

    def digest(self, path: str, raw: bytes) -> str:
        """A value that differs when the entry of a text would: two digests, of its bytes and of all else."""
        context = self.context(path)
        place = f"{metadata.VERSION} {self.zone} {self.layout.system} {context.section} {context.is_described}"
        if context.inherited:
            place += f" {sorted(context.inherited.items())!r}"
        comments = comments_path(path)
        if comments in self.files.comments:
            place += " " + self.file_digest(comments)
        return f"{digest(raw)}:{digest(place.encode())[:16]}"

    def file_digest(self, path: str) -> str:
        """The digest of a file's bytes; `unreadable` where reading it will say why."""
        try:
            return digest((self.files.root / path).read_bytes())
        except OSError:
            return "unreadable"

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file of the folder: see `text_files.read_bytes`."""
        return read_bytes(self.files.root / path)
