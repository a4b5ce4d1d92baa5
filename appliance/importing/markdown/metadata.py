"""From front matter to an entry, for the keys of all supported systems.

Keys are compared without regard to case. Unknown keys are kept in `extra`, where a theme can use them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, tzinfo
from pathlib import PurePosixPath
from typing import Any, Literal

from appliance.content.entries import EntryData
from appliance.content.models import EntryKind
from appliance.content.terms import slugify
from appliance.errors import UnpublishedSource
from appliance.importing import dates
from appliance.importing.addresses import clean_address, is_slug
from appliance.importing.markdown.frontmatter import Document, lower_keys
from appliance.importing.markdown.layout import Layout
from appliance.importing.markdown.permalinks import PatternValues, is_external, permalink
from appliance.importing.markdown.publication_status import not_rendered, publication_status

#: Part of every digest. Raise it when the same file becomes another entry, so that old files are read again.
VERSION = 2

_DATES = ("date", "publishdate", "pubdate", "published_at", "created", "created_at")
_MODIFIED = ("lastmod", "updated", "modified", "last_modified_at", "last_modified", "updated_at")
_EXPIRES = ("expirydate", "expires", "expiry", "unpublishdate")
_KNOWN = frozenset(
    {
        *_DATES, *_MODIFIED, *_EXPIRES, "title", "slug", "url", "permalink", "path", "save_as", "draft",
        "published", "status", "tags", "tag", "categories", "category", "authors", "author",
        "taxonomies", "summary", "excerpt", "description", "abstract", "aliases", "alias",
        "redirect_from", "layout", "type", "comments", "allow_comments", "extra",
    }
)  # fmt: skip
_HEADING = re.compile(r"^#[ \t]+(\S.*)$|^(\S.*)\n=+[ \t]*$", re.MULTILINE)
_MARKS = re.compile(r"[*_`]|\[([^\[\]]*)\]\([^()]*\)")
#: Characters of a heading that are read when it stands in for a title.
_TITLE_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class TextContext:
    """What the place of a text in its folder says of it."""

    path: str
    layout: Layout
    zone: tzinfo
    #: The names of its category and of those above it, the topmost first.
    section: tuple[str, ...] = ()
    #: Whether the section has a page of its own, on which the entry is expected.
    is_described: bool = False
    #: Front matter, with keys in lower case, that settings and folders give to the texts below them.
    inherited: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntryMetadata:
    """The entry that front matter and its place describe."""

    data: EntryData
    #: Whether the date is the author's own, and not the present time in its place.
    is_dated: bool
    #: Why it is a draft; empty when it is not.
    draft_reason: str = ""


def read(document: Document, context: TextContext, now: float) -> EntryMetadata:
    """The entry or page of a document.

    Raises:
        UnpublishedSource: it is not a page at its source.
        ContentError: a date cannot be read, or the address leaves the site.
    """
    meta = {**context.inherited, **lower_keys(document.meta)}
    if reason := not_rendered(meta, context.layout.system):
        raise UnpublishedSource(reason)
    _, name = dates.split_file_name(_stem(context))
    own_date = _first_date(meta, _DATES, context.zone)
    address = permalink(meta, lambda: _pattern_values(meta, context, own_date, name))
    found_date = _publication_date(meta, context, own_date, address, now)
    kind = _kind(meta, context, is_dated=found_date is not None)
    published_at = int(now) if found_date is None else found_date
    unpublish_at = _first_date(meta, _EXPIRES, context.zone)
    status = publication_status(meta, context.path, published_at, unpublish_at, now, is_listed=kind == "entry")
    section = list(context.section) if kind == "entry" else []
    data = EntryData(
        title=_title(meta, document.text, name),
        slug=_slug(meta, address, name),
        published_at=published_at,
        text=document.text,
        kind=kind,
        status=status.status,
        modified_at=_first_date(meta, _MODIFIED, context.zone),
        unpublish_at=unpublish_at,
        address=address,
        folder="/".join(slugify(part) for part in _folders(context)) if kind == "page" else "",
        excerpt=_text(meta.get("summary") or meta.get("excerpt") or meta.get("abstract")),
        summary=_text(meta.get("description")),
        allow_comments=_allow_comments(meta),
        authors=authors(meta),
        categories=_categories(meta, context, section),
        tags=tags(meta, context.layout),
        aliases=aliases(meta),
        extra=_extra(document.meta),
    )
    return EntryMetadata(data, found_date is not None, status.reason)


def _publication_date(
    meta: Mapping[str, Any], context: TextContext, own_date: int | None, address: str | None, now: float
) -> int | None:
    """The date of the front matter, of the file name or of the address; a later `publishdate` if that is to come."""
    date_of_name, _ = dates.split_file_name(_stem(context))
    day = date_of_name or (dates.date_in_address(address) if address else None)
    found = dates.midnight(day, context.zone) if own_date is None and day is not None else own_date
    embargo = _first_date(meta, ("publishdate",), context.zone)
    if embargo is not None and embargo > now:
        return max(embargo, int(now) if found is None else found)
    return found


def _pattern_values(meta: Mapping[str, Any], context: TextContext, own_date: int | None, name: str) -> PatternValues:
    day, _ = dates.split_file_name(_stem(context))
    return PatternValues(
        slug=slugify(_text(meta.get("slug")) or name),
        stem=PurePosixPath(context.path).stem,
        folders=tuple(context.layout.segments(context.path)),
        categories=tuple("/".join(map(slugify, names)) for names in _categories(meta, context, [])),
        published_at=dates.midnight(day, context.zone) if own_date is None and day is not None else own_date,
        zone=context.zone,
    )


def authors(meta: Mapping[str, Any]) -> list[str]:
    """Names of the authors, in order."""
    found: list[str] = []
    for value in _values(meta, "authors", "author"):
        for one in value if isinstance(value, list) else [value]:
            name = one.get("name") if isinstance(one, dict) else one
            if isinstance(name, str) and not isinstance(value, list):
                found += name.split(";" if ";" in name else ",")
            elif name is not None:
                found.append(str(name))
    return _unique(found)


def tags(meta: Mapping[str, Any], layout: Layout) -> list[str]:
    """Names of the tags, in order."""
    found: list[str] = []
    for value in _values(meta, "tags", "tag"):
        found += [str(one) for one in _listed(value, layout) if not isinstance(one, (dict, list))]
    return _unique(found)


def aliases(meta: Mapping[str, Any]) -> list[str]:
    """Former addresses below the site."""
    found: list[str] = []
    for value in (meta.get(key) for key in ("aliases", "alias", "redirect_from")):
        given = value if isinstance(value, list) else [value]
        found += [clean_address(one) for one in given if isinstance(one, str) and one.strip("/ ")]
    return list(dict.fromkeys(found))


def section_name(segment: str) -> str:
    """The name of a category made of a folder that has no section file."""
    words = re.sub(r"[-_]+", " ", segment).strip() or segment
    return words[:1].upper() + words[1:]


def _stem(context: TextContext) -> str:
    pure = PurePosixPath(context.path)
    if context.layout.kind(context.path)[0] == "bundle":
        return pure.parent.name
    return pure.stem


def _folders(context: TextContext) -> list[str]:
    segments = context.layout.segments(context.path)
    if context.layout.kind(context.path)[0] == "bundle":
        segments = segments[:-1]
    return segments[1:] if segments[:1] == ["pages"] else segments


def _kind(meta: Mapping[str, Any], context: TextContext, *, is_dated: bool) -> EntryKind:
    given = str(meta.get("layout") or meta.get("type") or "").lower()
    parts = PurePosixPath(context.path).parts
    if given in ("page", "pages") or (context.layout.system == "pelican" and "pages" in parts):
        return "page"
    if given in ("post", "posts", "article") or "_posts" in parts or "_drafts" in parts or is_dated:
        return "entry"
    return "page"


def _title(meta: Mapping[str, Any], text: str, name: str) -> str:
    if (title := " ".join(_text(meta.get("title")).split())) != "":
        return title
    heading = _HEADING.search(text)
    written = (heading[1] or heading[2])[:_TITLE_LENGTH] if heading else ""
    if heading and heading[1]:
        bare = written.rstrip()
        written = bare.rstrip("#").rstrip() or bare[:1]
    found = _MARKS.sub(r"\1", written).strip()
    return found or section_name(name)


def _slug(meta: Mapping[str, Any], address: str | None, name: str) -> str:
    given = _text(meta.get("slug")).strip().strip("/")
    if not given and address:
        given = re.sub(r"\.html?$", "", address.rsplit("/", 1)[-1])
    return given if is_slug(given) else slugify(given or name)


def _categories(meta: Mapping[str, Any], context: TextContext, section: list[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for value in _values(meta, "categories", "category"):
        listed = _listed(value, context.layout)
        flat = all(not isinstance(one, (list, dict)) for one in listed)
        if context.layout.system == "hexo" and flat and isinstance(value, list):
            listed = [listed]  # a list is one path in Hexo; several categories are a list of lists
        for one in listed:
            names = [str(name).strip() for name in (one if isinstance(one, list) else [one]) if name is not None]
            if names := [name for name in names if name]:
                found.append(names)
    if section and (not found or context.is_described):
        found.append(section)
    return found


def _extra(meta: Mapping[str, Any]) -> dict[str, Any]:
    inner = next((value for key, value in meta.items() if key.lower() == "extra" and isinstance(value, dict)), {})
    unknown = {k: v for k, v in meta.items() if k.lower() not in _KNOWN or _is_unused(k, v)}
    taxonomies = next((v for k, v in meta.items() if k.lower() == "taxonomies" and isinstance(v, dict)), {})
    others = {key: value for key, value in taxonomies.items() if key.lower() not in _KNOWN}
    plain: dict[str, Any] = _storable({**inner, **others, **unknown})
    return plain


def _is_unused(key: str, value: Any) -> bool:
    if key.lower() in ("layout", "type"):
        return isinstance(value, str) and value.lower() not in ("post", "posts", "article", "page", "pages")
    return key.lower() in ("path", "permalink", "url", "save_as") and isinstance(value, str) and is_external(value)


def _storable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value.isoformat() if isinstance(value, (date, time)) else value


def _first_date(meta: Mapping[str, Any], keys: tuple[str, ...], zone: tzinfo) -> int | None:
    for key in keys:
        if (found := dates.timestamp(meta.get(key), zone)) is not None:
            return found
    return None


def _allow_comments(meta: Mapping[str, Any]) -> bool:
    given = meta.get("allow_comments", meta.get("comments"))
    return not (_is(given, False) or (isinstance(given, str) and given.lower() in ("closed", "off", "disabled")))


def _values(meta: Mapping[str, Any], *keys: str) -> list[Any]:
    taxonomies = meta.get("taxonomies")
    inner = {k.lower(): v for k, v in taxonomies.items()} if isinstance(taxonomies, dict) else {}
    found = [place[key] for place in (meta, inner) for key in keys if key in place]
    return [value for value in found if value not in (None, "", [])]


def _listed(value: Any, layout: Layout) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value)
    text = str(value)
    if layout.system == "jekyll" and "," not in text:
        return text.split()
    return [part.strip() for part in re.split(r"[,;]" if ";" in text else ",", text) if part.strip()]


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in names if name and name.strip()))


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _is(value: Any, wanted: Literal[True, False]) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in (("true", "yes", "1", "on") if wanted else ("false", "no", "0", "off"))
    return value is wanted
