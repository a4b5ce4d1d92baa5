"""Compares a folder with what the database has of it, and finds which texts must be read. Nothing is written.

A text is read when its digest has changed. A text that did not change is read again only when it mentions the name of
a file that came, went or moved, since its links may lead elsewhere now.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from appliance.content.entries import EntryData, day_and_week
from appliance.content.models import Site
from appliance.errors import ContentError, UnpublishedSource
from appliance.importing.existing_entries import AddressKey, ExistingEntry, address_key
from appliance.importing.markdown.existing_content import ExistingContent
from appliance.importing.markdown.folder_files import FolderFiles
from appliance.importing.markdown.layout import Layout
from appliance.importing.markdown.references import ReferenceIndex, reference_name
from appliance.importing.markdown.text_files import TextFile
from appliance.importing.markdown.text_reader import TextReader
from appliance.importing.markdown.text_spool import TextSpool
from appliance.importing.report import Report

#: When more names than this came, went or moved, every text is read again rather than searched for them.
_MANY_NAMES = 300


class Scan:
    """One folder compared with the database. `run` fills `texts`."""

    def __init__(self, site: Site, root: Path, source: str, layout: Layout, now: float) -> None:
        """Walk the folder.

        Raises:
            ContentError: as `FolderFiles`.
        """
        self.site = site
        self.root = root
        self.source = source
        self.layout = layout
        self.now = now
        self.report = Report(source=source)
        self.existing = ExistingContent(site, source)
        self.files = FolderFiles(root, layout)
        self.reader = TextReader(site, self.files, source, now)
        self.spool = TextSpool()
        self.index = ReferenceIndex(layout, find_category=self.existing.category_id)
        #: Texts that are imported, by path.
        self.texts: dict[str, TextFile] = {}
        #: Former paths of texts that were renamed, by path.
        self.renamed: dict[str, str] = {}
        #: Files that are not imported, and whether their author keeps them back. Files that belong to such a text are
        #: not imported either.
        self.refused: dict[str, bool] = {}
        #: Files that are in the folder and not kept back.
        self._present: set[str] = set()

    def run(self) -> None:
        """Compare all files.

        Raises:
            ContentError: there is no room for what was read.
        """
        try:
            self._run()
        except OSError as error:
            place = tempfile.gettempdir()
            raise ContentError(f"{self.root}: cannot be read: {place}: {error.strerror}; make room there") from error

    def _run(self) -> None:
        files = self.files
        self.existing.load()
        self.report.files = files.total
        self._present = {*files.texts, *files.sections, *files.assets, *files.comments}
        for file in files.rejected:
            if file.unreadable:
                self._present.add(file.path)
                self.skip(file.path, file.unreadable)
            else:
                self.exclude(file.path, file.excluded)
        self._find_renamed()
        for path in files.texts:
            self._compare(path)
        unchanged = [path for path, text in self.texts.items() if text.position is None]
        names = self._moved_names() if unchanged else frozenset()
        for path in unchanged if names else ():
            if len(names) > _MANY_NAMES or self._mentions(path, names):
                self._compare(path, always_read=True)

    def skip(self, path: str, reason: str) -> None:
        """Account for a file that cannot be imported; what an earlier import made of it stays."""
        self.texts.pop(path, None)
        self.refused.setdefault(path, False)
        stays = self.existing.has(path) or path in self.renamed
        self.report.skipped.append((path, reason + ("; what was imported from it before stays" if stays else "")))

    def exclude(self, path: str, reason: str) -> None:
        """Account for a file that its author keeps back; what an earlier import made of it is deleted."""
        self.texts.pop(path, None)
        self._present.discard(path)
        self.renamed.pop(path, None)
        self.refused[path] = True
        self.report.skipped.append((path, reason))

    def changed_texts(self) -> list[TextFile]:
        """The texts that were read."""
        return [text for text in self.texts.values() if text.position is not None]

    def missing_entries(self) -> list[int]:
        """Ids of entries with a file that is no longer there."""
        kept = set(self.renamed.values())
        rows = self.existing.entries.items()
        return [row.id for path, row in rows if path not in self._present and path not in kept]

    def missing_assets(self) -> list[int]:
        """Ids of assets with a file that is no longer there."""
        return [row.id for path, row in self.existing.assets.items() if path not in self._present]

    def missing_sections(self) -> list[int]:
        """Ids of categories with a section file that is no longer there."""
        return [key for path, key in self.existing.sections.items() if path not in self._present]

    def row_of(self, path: str) -> ExistingEntry | None:
        """The entry that the text at `path` was at the last import."""
        return self.existing.entries.get(self.renamed.get(path, path))

    def read_whole(self, text: TextFile) -> EntryData:
        """The whole entry of a text, which `texts` has without its text, as it was scanned."""
        assert text.position is not None  # noqa: S101 - only texts that were read are saved
        return replace(self.spool.read(text.position), aliases=text.aliases)

    def _claim(self, data: EntryData) -> AddressKey:
        day, _ = day_and_week(data.published_at, self.site.timezone, self.site.week_starts)
        return address_key(data.kind, data.slug, sys.intern(day), data.folder, data.address)

    def _find_renamed(self) -> None:
        """Match files that came with files that went, by their bytes."""
        gone: dict[str, list[str]] = {}
        for path, row in sorted(self.existing.entries.items(), reverse=True):
            if path not in self._present:
                gone.setdefault((row.digest or "").partition(":")[0], []).append(path)
        for path in self.files.texts if gone else ():
            if path not in self.existing.entries and (former := gone.get(self.reader.file_digest(path))):
                self.renamed[path] = former.pop()

    def _compare(self, path: str, *, always_read: bool = False) -> None:
        try:
            self.texts[path] = self._text(path, always_read=always_read)
        except UnpublishedSource as error:
            self.exclude(path, str(error))
        except ContentError as error:
            self.skip(path, str(error))

    def _text(self, path: str, *, always_read: bool) -> TextFile:
        raw = self.reader.read_bytes(path)
        text = TextFile(path, self.reader.digest(path, raw))
        row = self.row_of(path)
        if row is not None:
            text.id, text.is_new, text.is_renamed = row.id, row.is_reserved, path in self.renamed
            text.address = row.address
            if row.digest == text.digest and not text.is_renamed and not always_read:
                text.digest = row.digest  # one string in place of two
                return text
        found = self.reader.read(text, raw, row)
        if found.draft_reason and not always_read:
            self.report.drafts.append((path, found.draft_reason))
        text.position = self.spool.add(found.data)
        text.claim = self._claim(found.data)
        text.address, text.aliases = found.data.address, tuple(found.data.aliases)
        return text

    def _moved_names(self) -> frozenset[bytes]:
        """The names, as texts may mention them, of files that came, went or moved."""
        existing = self.existing
        gone = {path for path in (*existing.entries, *existing.assets, *existing.sections) if path not in self._present}
        came = {path for path, text in self.texts.items() if text.is_new or text.is_renamed}
        came |= {path for path in self.files.assets if path not in existing.assets}
        came |= {p for p in self.files.sections if p not in existing.sections and self.layout.segments(p)}
        moved = gone | came
        names = {reference_name(path) for path in moved} | {PurePosixPath(path).name for path in moved}
        return frozenset(name.encode() for name in names if name)

    def _mentions(self, path: str, names: frozenset[bytes]) -> bool:
        try:
            raw = self.reader.read_bytes(path)
        except ContentError:
            return True  # reading it again says why
        return any(name in raw for name in names)
