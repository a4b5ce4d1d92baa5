"""Front matter of the native layout, in which every key means exactly what it says.

A file written by hand may leave keys out. What is missing is read as in any other folder of Markdown.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from appliance.content.entries import EntryData
from appliance.content.models import EntryKind, EntryStatus
from appliance.errors import ContentError
from appliance.importing.addresses import clean_address
from appliance.importing.markdown import metadata
from appliance.importing.markdown.frontmatter import Document, lower_keys
from appliance.importing.markdown.layout import HTML_ENDINGS, PAGES
from appliance.importing.markdown.metadata import EntryMetadata, TextContext

#: Keys that are read here and not by `metadata`.
_EXACT = frozenset({"slug", "status", "address", "folder", "categories", "aliases", "excerpt", "description", "format"})


def read(document: Document, context: TextContext, now: float) -> EntryMetadata:
    """The entry or page of a document of the native layout.

    Raises:
        ContentError: a date cannot be read, or an address, a slug or a folder leaves the site.
    """
    meta = lower_keys(document.meta)
    others = {key: value for key, value in document.meta.items() if key.lower() not in _EXACT}
    found = metadata.read(Document(others, document.text, document.format), context, now)
    pure, data = PurePosixPath(context.path), found.data
    kind: EntryKind = "page" if pure.parts[0] == PAGES else "entry"
    is_html = _text(meta, "format").lower() == "html" or pure.suffix.lower() in HTML_ENDINGS
    address = _text(meta, "address") or None
    exact = replace(
        data,
        kind=kind,
        format="html" if is_html else "markdown",
        title=meta["title"] if isinstance(meta.get("title"), str) else data.title,
        slug=_slug(_text(meta, "slug")) or data.slug,
        status=_status(meta, data, now),
        address=address and _checked(address),
        folder=_folder(meta, pure) if kind == "page" else "",
        categories=[_category(one) for one in _list(meta, "categories")],
        aliases=[_checked(str(one)) for one in _list(meta, "aliases")],
        excerpt=_text(meta, "excerpt"),
        excerpt_format="html",
        summary=html.escape(_text(meta, "description"), quote=False),
    )
    return EntryMetadata(exact, found.is_dated, found.draft_reason)


def _status(meta: Mapping[str, Any], data: EntryData, now: float) -> EntryStatus:
    """The status; `status: published` publishes an entry before its date, where others would wait for it."""
    is_over = data.unpublish_at is not None and data.unpublish_at <= now
    given = _text(meta, "status").lower()
    if given == "draft" or data.status == "draft" or is_over:
        return "draft"
    return "published" if given == "published" else data.status


def _slug(given: str) -> str:
    if given.startswith(".") or "/" in given or any(ord(c) < 32 for c in given) or len(given.encode()) > 240:
        raise ContentError(f"“{given[:120]}” cannot be a slug; write one segment of an address, like hello-world")
    return given


def _folder(meta: Mapping[str, Any], pure: PurePosixPath) -> str:
    folders = pure.parts[1:-2] if pure.stem.lower() == "index" else pure.parts[1:-1]
    given = _text(meta, "folder") if "folder" in meta else "/".join(folders)
    return _checked(given) if given else ""


def _category(given: Any) -> list[str]:
    names = given if isinstance(given, list) else str(given).split("/")
    return [name for name in (str(one).strip() for one in names) if name]


def _checked(address: str) -> str:
    clean_address(address)
    return address.strip("/")


def _list(meta: Mapping[str, Any], key: str) -> list[Any]:
    given = meta.get(key)
    return [one for one in (given if isinstance(given, list) else [given]) if one not in (None, "", [])]


def _text(meta: Mapping[str, Any], key: str) -> str:
    given = meta.get(key)
    return "" if given is None or isinstance(given, (dict, list)) else str(given)
