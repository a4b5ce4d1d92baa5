"""Section files (`_index.md`): each makes its folder a category with a page of its own."""

from __future__ import annotations

import html
from pathlib import PurePosixPath
from typing import Any

from appliance import db
from appliance.content import markup
from appliance.content.changes import record
from appliance.content.models import Category, EntryCategory
from appliance.content.terms import Terms, describe_category
from appliance.errors import ContentError
from appliance.importing import frontmatter
from appliance.importing.addresses import clean_address
from appliance.importing.frontmatter import Document
from appliance.importing.layout import HTML_TEXTS
from appliance.importing.metadata import section_name
from appliance.importing.scan import Scan, read_bytes

_USED = frozenset({"title", "description", "path", "url"})
#: Keys of a section file as the appliance itself writes it.
_OWN = frozenset({"title", "address", "always"})


class Sections:
    """The sections of a scanned folder."""

    def __init__(self, scan: Scan, terms: Terms) -> None:
        self.scan = scan
        self.terms = terms

    def save(self) -> None:
        """Make or describe the categories of all section files."""
        seen: dict[int, str] = {}
        for path in sorted(self.scan.sections):
            try:
                self._save_one(path, seen)
            except ContentError as error:
                self.scan.skip(path, str(error))

    def retire(self) -> int:
        """Take back what section files said that are gone; returns how many."""
        gone = self.scan.gone_sections()
        for key in gone:
            with db.write():
                self._retire_one(key)
        return len(gone)

    def _save_one(self, path: str, seen: dict[int, str]) -> None:
        document = frontmatter.split(read_bytes(self.scan.root / path))
        segments = self.scan.layout.segments(path)
        is_own = self.scan.layout.is_own
        used = _OWN if is_own else _USED
        unused = sorted(key for key in document.meta if key.lower() not in used)
        if not segments:
            kept = "; ".join(filter(None, ["not used: " + ", ".join(document.meta) if document.meta else ""]))
            raise ContentError("describes the home page, which the theme makes" + (f"; {kept}" if kept else ""))
        key = self.terms.category(segments if is_own else [section_name(segment) for segment in segments])
        if key in seen:
            raise ContentError(f"describes the same category as {seen[key]}; keep one of them")
        seen[key] = path
        self.scan.index.sections[path] = key
        changed = describe_category(
            key,
            name=str(document.meta.get("title") or section_name(segments[-1])).strip(),
            address=_own_address(document.meta) if is_own else _address(document.meta, segments),
            description=_description(document, path),
            always=not is_own or document.meta.get("always") is not False,
            source=self.scan.source,
            source_path=path,
            actor="import",
        )
        is_new = path not in self.scan.known_sections
        self.scan.report.texts["added" if is_new else "changed" if changed else "unchanged"] += 1
        if unused:
            self.scan.report.notes.append(f"{path}: not used: {', '.join(unused)}")

    def _retire_one(self, key: int) -> None:
        category = Category.get_by_id(key)
        has_entries = EntryCategory.select().where(EntryCategory.category == key).exists()
        if has_entries or Category.select().where(Category.parent == key).exists():
            name = section_name(PurePosixPath(category.source_path or category.path + "/_index.md").parent.name)
            describe_category(key, name=name, address=None, description="", always=False, actor="import")
        else:
            Category.delete().where(Category.id == key).execute()
            record(category.site_id, "category removed", "category", key, actor="import")


def _address(meta: dict[str, Any], segments: list[str]) -> str:
    given = meta.get("path") or meta.get("url")
    own = clean_address(given) if isinstance(given, str) and "://" not in given and "{" not in given else ""
    return own or clean_address("/".join(segments))


def _own_address(meta: dict[str, Any]) -> str | None:
    given = meta.get("address")
    return clean_address(given) if isinstance(given, str) and given else None


def _description(document: Document, path: str) -> str:
    if PurePosixPath(path).suffix.lower() in HTML_TEXTS:
        return document.text
    if document.text.strip():
        return markup.text_html(document.text)
    given = document.meta.get("description")
    return f"<p>{html.escape(given, quote=False)}</p>" if isinstance(given, str) and given.strip() else ""
