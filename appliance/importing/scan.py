"""The scan: every file of a folder, what it is, and which have to be read again. It writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from appliance import db
from appliance.content.entries import EntryData
from appliance.content.models import Alias, Asset, Category, Entry, Site
from appliance.content.terms import category_path
from appliance.errors import ContentError
from appliance.importing import frontmatter, metadata, own
from appliance.importing import layout as layouts
from appliance.importing.layout import COMMENTS, MARKER, Layout
from appliance.importing.metadata import Context
from appliance.importing.names import Names
from appliance.importing.noted import Noted
from appliance.importing.references import Index, name_of
from appliance.importing.report import Outcome, Report

#: More names than this came, went or moved: every file is read again rather than searched for them.
_MANY_NAMES = 300


@dataclass(slots=True)
class Text:
    """A Markdown file that is an entry or a page. `data` holds no text, and is None while nothing changed."""

    path: str
    digest: str
    id: int | None = None
    data: EntryData | None = None
    address: str | None = None
    aliases: tuple[str, ...] = ()
    is_new: bool = True
    is_renamed: bool = False

    def named(self) -> EntryData:
        """What is needed to give it an id."""
        assert self.data is not None  # noqa: S101 - only files that were read are named
        return self.data

    def outcome(self, changed: bool) -> Outcome:
        """What the report says of it."""
        if self.is_renamed:
            return "renamed"
        return "added" if self.is_new else "changed" if changed else "unchanged"


@dataclass(frozen=True, slots=True)
class Known:
    """An entry's row as far as the scan needs it."""

    id: int
    path: str
    digest: str
    kind: str
    slug: str
    day: str
    folder: str
    address: str | None
    published_at: int


class Scan:
    """A folder compared with what is known of it. `run` fills `texts`, `sections` and `assets` by path."""

    def __init__(self, site: Site, root: Path, source: str, layout: Layout, now: float) -> None:
        self.site = site
        self.root = root
        self.source = source
        self.layout = layout
        self.now = now
        self.zone = ZoneInfo(site.timezone)
        self.report = Report(source=source)
        self.index = Index(layout)
        self.texts: dict[str, Text] = {}
        self.sections: list[str] = []
        self.assets: list[str] = []
        #: Files with the comments of a text.
        self.discussions: set[str] = set()
        #: The text of a bundle by its folder.
        self.bundles: dict[str, str] = {}
        self.has_texts = False
        self._walked: set[str] = set()
        #: Where renamed texts were before, by path.
        self.renamed: dict[str, str] = {}

    def run(self) -> None:
        """Look at every file; nothing is written."""
        paths = self._sort_files()
        self._find_renamed(paths)
        for path in paths:
            self._look_at(path, always=False)
        names = self._moved_names()
        for path in [path for path, text in self.texts.items() if text.data is None] if names else ():
            if len(names) > _MANY_NAMES or self._mentions(path, names):
                self._look_at(path, always=True)
        Names(self).give()

    def skip(self, path: str, reason: str) -> None:
        """Account for a file that is not taken; what was imported from it earlier stays."""
        self.texts.pop(path, None)
        stays = path in self.known or path in self.known_assets or path in self.renamed
        self.report.skipped.append((path, reason + ("; what it said before stays" if stays else "")))

    @cached_property
    def known(self) -> dict[str, Known]:
        """Rows of this source by path."""
        rows = Entry.select(
            Entry.id, Entry.source_path, Entry.source_digest, Entry.kind, Entry.slug, Entry.day, Entry.folder,
            Entry.address, Entry.published_at,
        ).where(Entry.site == self.site, Entry.source == self.source)  # fmt: skip
        return {row[1]: Known(*row) for row in _tuples(rows)}

    @cached_property
    def known_assets(self) -> dict[str, Asset]:
        """Assets of this source by path."""
        rows: Any = Asset.select().where(Asset.site == self.site, Asset.source == self.source)
        return {row.source_path: row for row in rows}

    @cached_property
    def known_sections(self) -> dict[str, int]:
        """Ids of the categories that section files of this source describe, by path."""
        rows = Category.select(Category.source_path, Category.id)
        return dict(_tuples(rows.where(Category.site == self.site, Category.source == self.source)))

    def gone_texts(self) -> list[int]:
        """Ids of entries whose file is no longer there."""
        kept = set(self.renamed.values())
        return [row.id for path, row in self.known.items() if path not in self._walked and path not in kept]

    def gone_assets(self) -> list[int]:
        """Ids of assets whose file is no longer there."""
        return [row.id for path, row in self.known_assets.items() if path not in self._walked]

    def gone_sections(self) -> list[int]:
        """Ids of categories whose section file is no longer there."""
        return [key for path, key in self.known_sections.items() if path not in self._walked]

    def row_of(self, text: Text) -> Known | None:
        """What the database has of a text."""
        return self.known.get(self.renamed.get(text.path, text.path))

    def context(self, path: str) -> Context:
        """What the place of a text says of it."""
        segments = self.layout.segments(path)
        folder = PurePosixPath(path).parent
        if self.layout.kind(path)[0] == "bundle":
            segments, folder = segments[:-1], folder.parent
        is_jekyll = bool(segments) and folder.name == "_posts"
        names = tuple(metadata.section_name(segment) for segment in segments)
        return Context(path, self.layout, self.zone, names, is_jekyll or str(folder) in self._described)

    @cached_property
    def _described(self) -> frozenset[str]:
        return frozenset(str(PurePosixPath(section).parent) for section in self.sections)

    @cached_property
    def noted(self) -> Noted:
        """What the marker of the appliance's own layout notes.

        Raises:
            ContentError: it cannot be read.
        """
        try:
            return Noted.read(read_bytes(self.root / MARKER)) if self.layout.is_own else Noted()
        except ContentError as error:
            raise ContentError(f"{self.root / MARKER}: {error}") from error

    def category_named(self, name: str) -> int | None:
        """Id of a category of the site by its name."""
        row = Category.select(Category.id).where(Category.site == self.site, Category.path == category_path([name]))
        return next((key for (key,) in _tuples(row)), None)

    def _sort_files(self) -> list[str]:
        paths = []
        for found in layouts.walk(self.root, self.layout):
            self.report.files += 1
            self._walked.add(found.path)
            kind, reason = ("setup", found.reason) if found.reason else self.layout.kind(found.path)
            if kind == "setup":
                self.skip(found.path, reason)
            elif kind == "section":
                self.sections.append(found.path)
            elif kind == "asset":
                self.assets.append(found.path)
            elif kind == "comments":
                self.discussions.add(found.path)
            else:
                paths.append(found.path)
                if kind == "bundle":
                    self.bundles[str(PurePosixPath(found.path).parent)] = found.path
        self.has_texts = bool(paths or self.sections)
        return sorted(paths)

    def _find_renamed(self, paths: list[str]) -> None:
        """Match files that came with files that went, by their bytes."""
        gone: dict[str, list[str]] = {}
        for path, row in sorted(self.known.items(), reverse=True):
            if path not in self._walked:
                gone.setdefault((row.digest or "").partition(":")[0], []).append(path)
        for path in paths if gone else ():
            if path not in self.known and (earlier := gone.get(self._digest(path))):
                self.renamed[path] = earlier.pop()

    def _digest(self, path: str) -> str:
        try:
            return _digest((self.root / path).read_bytes())
        except OSError:
            return "unreadable"  # said when its turn comes

    def _moved_names(self) -> frozenset[bytes]:
        """Names, as texts may hold them, of files that came, went or moved."""
        gone = {path for path in (*self.known, *self.known_assets, *self.known_sections) if path not in self._walked}
        came = {path for path, text in self.texts.items() if text.is_new or text.is_renamed}
        came |= {path for path in self.assets if path not in self.known_assets}
        came |= {path for path in self.sections if path not in self.known_sections and self.layout.segments(path)}
        moved = gone | came
        names = {name_of(path) for path in moved} | {PurePosixPath(path).name for path in moved}
        return frozenset(name.encode() for name in names if name)

    def _mentions(self, path: str, names: frozenset[bytes]) -> bool:
        try:
            raw = read_bytes(self.root / path)
        except ContentError:
            return True  # reading it again says why
        return any(name in raw for name in names)

    def _look_at(self, path: str, *, always: bool) -> None:
        try:
            self.texts[path] = self._text(path, always)
        except ContentError as error:
            self.skip(path, str(error))

    def _text(self, path: str, always: bool) -> Text:
        raw = read_bytes(self.root / path)
        text = Text(path, self._full_digest(raw, self.context(path)))
        row = self.row_of(text)
        if row is not None:
            text.id, text.is_new, text.is_renamed = row.id, row.digest == "", path in self.renamed
            text.address = row.address
            if row.digest == text.digest and not text.is_renamed and not always:
                return text
        data = self.read(text, raw)
        text.data, text.address, text.aliases = (
            replace(data, text="", extra={}),
            data.address,
            tuple(data.aliases),
        )
        return text

    def read(self, text: Text, raw: bytes) -> EntryData:
        """The whole entry of a file.

        Raises:
            ContentError: its front matter cannot be read, or there is nothing in it.
        """
        document = frontmatter.split(raw)
        read = own.read if self.layout.is_own else metadata.read
        reading = read(document, self.context(text.path), self.now)
        if not document.text.strip() and not any(key.lower() == "title" for key in document.meta):
            template = "; it is there for a template of the other system" if document.meta else ""
            raise ContentError("has neither a title nor a text" + template)
        if PurePosixPath(text.path).stem.lower() == "index" and text.path not in self.bundles.values():
            raise ContentError("is the home page, which the theme makes; give it another name to keep it as a page")
        data = replace(reading.data, source=self.source, source_path=text.path, source_digest=text.digest)
        row = self.row_of(text)
        if reading.is_dated:
            return data
        return replace(data, published_at=row.published_at if row else int((self.root / text.path).stat().st_mtime))

    def _full_digest(self, raw: bytes, context: Context) -> str:
        place = f"{metadata.VERSION} {self.zone} {self.layout.system} {context.section} {context.is_described}"
        comments = str(PurePosixPath(context.path).with_suffix("")) + COMMENTS
        if comments in self.discussions:
            place += " " + self._digest(comments)
        return f"{_digest(raw)}:{_digest(place.encode())[:16]}"

    def aliases_of_rows(self, paths: list[str]) -> Iterable[tuple[str, int]]:
        """Former addresses among `paths` that entries have now, with their ids."""
        for start in range(0, len(paths), 500):
            rows = Alias.select(Alias.path, Alias.entry)
            yield from _tuples(rows.where(Alias.site == self.site, Alias.path.in_(paths[start : start + 500])))

    def drop_alias(self, path: str) -> None:
        """Take a former address from the entry that has it, for another that is about to get it."""
        with db.write():
            Alias.delete().where(Alias.site == self.site, Alias.path == path).execute()


def read_text(scan: Scan, text: Text) -> EntryData:
    """The entry of a file that the scan wants read, whole.

    Raises:
        ContentError: the file changed since the scan.
    """
    raw = read_bytes(scan.root / text.path)
    if _digest(raw) != text.digest.partition(":")[0]:
        raise ContentError("was changed while the folder was read; import again")
    return replace(scan.read(text, raw), aliases=text.aliases)


def read_bytes(file: Path) -> bytes:
    """The bytes of a content file.

    Raises:
        ContentError: it cannot be read or is too large.
    """
    try:
        size = file.stat().st_size
        if size > frontmatter.SIZE_LIMIT:
            raise ContentError(f"is {size:,} bytes long; a text may have {frontmatter.SIZE_LIMIT:,}; split it")
        return file.read_bytes()
    except OSError as error:
        raise ContentError(f"cannot be read: {error.strerror}; mend that and import again") from error


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=32).hexdigest()


def _tuples(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())
