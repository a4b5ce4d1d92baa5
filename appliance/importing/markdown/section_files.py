"""Import of section files (`_index.md`), each of which makes its folder a category with a page of its own."""

from __future__ import annotations

import html
from pathlib import PurePosixPath
from typing import Any

from appliance import db
from appliance.content import markup
from appliance.content.changes import record
from appliance.content.models import Category, EntryCategory
from appliance.content.terms import SiteTerms, update_category
from appliance.errors import ContentError, UnpublishedSource
from appliance.importing import ACTOR
from appliance.importing.addresses import clean_address
from appliance.importing.markdown import frontmatter
from appliance.importing.markdown.frontmatter import Document, lower_keys
from appliance.importing.markdown.layout import HTML_ENDINGS
from appliance.importing.markdown.metadata import section_name
from appliance.importing.markdown.publication_status import not_rendered, publication_status
from appliance.importing.markdown.scan import Scan

#: Keys of a section file of other systems that are used.
_USED = frozenset({"title", "description", "path", "url"})
#: Keys of a section file of the native layout.
_NATIVE = frozenset({"title", "address", "always"})


class SectionFiles:
    """The section files of a scanned folder."""

    def __init__(self, scan: Scan, terms: SiteTerms) -> None:
        self.scan = scan
        self.terms = terms

    def save(self) -> None:
        """Create or update the categories of all section files."""
        seen: dict[int, str] = {}
        for path in sorted(self.scan.files.sections):
            try:
                self._save_section(path, seen)
            except UnpublishedSource as error:
                self.scan.exclude(path, str(error))
            except ContentError as error:
                self.scan.skip(path, str(error))

    def remove_missing(self) -> int:
        """Delete, or reset to their plain names, categories with a section file that is gone; returns how many."""
        missing = self.scan.missing_sections()
        for key in missing:
            with db.write():
                self._remove(key)
        return len(missing)

    def _save_section(self, path: str, seen: dict[int, str]) -> None:
        document = frontmatter.split(self.scan.reader.read_bytes(path))
        segments = self.scan.layout.segments(path)
        is_native = self.scan.layout.is_native
        if not is_native:
            self._refuse_unpublished(path, document)
        used = _NATIVE if is_native else _USED
        unused = sorted(key for key in document.meta if key.lower() not in used)
        if not segments:
            unused_keys = f"; not used: {', '.join(document.meta)}" if document.meta else ""
            raise ContentError(f"describes the home page, which the theme makes{unused_keys}")
        key = self.terms.category_id(segments if is_native else [section_name(segment) for segment in segments])
        if key in seen:
            raise ContentError(f"describes the same category as {seen[key]}; keep one of them")
        seen[key] = path
        self.scan.index.sections[path] = key
        changed = update_category(
            key,
            name=str(document.meta.get("title") or section_name(segments[-1])).strip(),
            address=_native_address(document.meta) if is_native else _section_address(document.meta, segments),
            description=_description(document, path),
            always=not is_native or document.meta.get("always") is not False,
            source=self.scan.source,
            source_path=path,
            actor=ACTOR,
        )
        is_new = path not in self.scan.existing.sections
        self.scan.report.texts["added" if is_new else "changed" if changed else "unchanged"] += 1
        if unused:
            self.scan.report.notes.append(f"{path}: not used: {', '.join(unused)}")

    def _refuse_unpublished(self, path: str, document: Document) -> None:
        """Refuse a section that has no page at its source. Its texts have a status of their own.

        Raises:
            UnpublishedSource: it has no page there.
        """
        meta = self.scan.reader.inherited(path) | lower_keys(document.meta)
        reason = not_rendered(meta, self.scan.layout.system)
        reason = reason or publication_status(meta, path, 0, None, self.scan.now).reason
        if reason:
            raise UnpublishedSource(f"describes a section that is not published: {reason}")

    def _remove(self, key: int) -> None:
        category = Category.get_by_id(key)
        has_entries = EntryCategory.select().where(EntryCategory.category == key).exists()
        if has_entries or Category.select().where(Category.parent == key).exists():
            name = section_name(PurePosixPath(category.source_path or category.path + "/_index.md").parent.name)
            update_category(key, name=name, address=None, description="", always=False, actor=ACTOR)
        else:
            Category.delete().where(Category.id == key).execute()
            record(category.site_id, "category removed", "category", key, actor=ACTOR)


def _section_address(meta: dict[str, Any], segments: list[str]) -> str:
    given = meta.get("path") or meta.get("url")
    own = clean_address(given) if isinstance(given, str) and "://" not in given and "{" not in given else ""
    return own or clean_address("/".join(segments))


def _native_address(meta: dict[str, Any]) -> str | None:
    given = meta.get("address")
    return clean_address(given) if isinstance(given, str) and given else None


def _description(document: Document, path: str) -> str:
    if PurePosixPath(path).suffix.lower() in HTML_ENDINGS:
        return document.text
    if document.text.strip():
        return markup.render_text(document.text)
    given = document.meta.get("description")
    return f"<p>{html.escape(given, quote=False)}</p>" if isinstance(given, str) and given.strip() else ""
