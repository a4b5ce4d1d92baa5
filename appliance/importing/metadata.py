"""From front matter to an entry: one reading of the keys that seven systems write in different ways.

Keys are compared without regard to case. What nobody here knows is kept in `extra`, so a theme can use it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, tzinfo
from pathlib import PurePosixPath
from typing import Any, Literal

from appliance.content.entries import EntryData
from appliance.content.models import EntryKind, EntryStatus
from appliance.content.terms import slugify
from appliance.importing import dates
from appliance.importing.addresses import Place, clean_address, is_elsewhere, own_address
from appliance.importing.frontmatter import Document
from appliance.importing.layout import Layout

#: Part of every digest: raised when the same file would be read differently from then on.
VERSION = 1

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
_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t]*#*[ \t]*$|^(\S.*)\n=+[ \t]*$", re.MULTILINE)
_SEGMENT = re.compile(r"[^\s/\\?#%:*\"<>|\x00-\x1f]+")


@dataclass(frozen=True, slots=True)
class Context:
    """What a file's place says of it. `section` are the names of its category, from the topmost down."""

    path: str
    layout: Layout
    zone: tzinfo
    section: tuple[str, ...] = ()
    #: Whether the section has a page of its own, on which the entry is expected.
    is_described: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. `is_dated` says whether the moment is the author's and not only a stand-in."""

    data: EntryData
    is_dated: bool


def read(document: Document, context: Context, now: float) -> Reading:
    """The entry or page that a document is.

    Raises:
        ContentError: a date is none, or the address leaves the site.
    """
    meta = {key.lower(): value for key, value in document.meta.items()}
    stem = _stem(context)
    named_day, rest = dates.of_file_name(stem)
    published = _first_date(meta, _DATES, context.zone)
    own = own_address(meta, _place(meta, context, published, rest))
    day = named_day or (dates.of_address(own) if own else None)
    if published is None and day is not None:
        published = dates.midnight(day, context.zone)
    kind = _kind(meta, context, published is not None)
    moment = int(now) if published is None else published
    unpublish = _first_date(meta, _EXPIRES, context.zone)
    section = list(context.section)
    data = EntryData(
        title=_title(meta, document.text, rest),
        slug=_slug(meta, own, rest),
        published_at=moment,
        text=document.text,
        kind=kind,
        status=_status(meta, context, moment, unpublish, now),
        modified_at=_first_date(meta, _MODIFIED, context.zone),
        unpublish_at=unpublish,
        address=own,
        folder="/".join(slugify(part) for part in _folders(context)) if kind == "page" else "",
        excerpt=_text(meta.get("summary") or meta.get("excerpt") or meta.get("abstract")),
        summary=_text(meta.get("description")),
        allow_comments=_allow_comments(meta),
        authors=authors(meta),
        categories=_categories(meta, context, section if kind == "entry" else []),
        tags=tags(meta, context.layout),
        aliases=aliases(meta),
        extra=_extra(document.meta),
    )
    return Reading(data, published is not None)


def _place(meta: Mapping[str, Any], context: Context, published: int | None, rest: str) -> Place:
    named_day, _ = dates.of_file_name(_stem(context))
    if published is None and named_day is not None:
        published = dates.midnight(named_day, context.zone)
    return Place(
        slug=slugify(_text(meta.get("slug")) or rest),
        stem=PurePosixPath(context.path).stem,
        folders=tuple(context.layout.segments(context.path)),
        categories=tuple("/".join(map(slugify, names)) for names in _categories(meta, context, [])),
        moment=published,
        zone=context.zone,
    )


def authors(meta: Mapping[str, Any]) -> list[str]:
    """Names of the authors, in order."""
    found: list[str] = []
    for value in _values(meta, "authors", "author"):
        for one in value if isinstance(value, list) else [value]:
            name = one.get("name") if isinstance(one, dict) else one
            if isinstance(name, str) and not isinstance(value, list):
                found += re.split(r"\s*;\s*" if ";" in name else r"\s*,\s*", name)
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
    """What a folder is called while no section file says it."""
    words = re.sub(r"[-_]+", " ", segment).strip() or segment
    return words[:1].upper() + words[1:]


def _stem(context: Context) -> str:
    pure = PurePosixPath(context.path)
    if context.layout.kind(context.path)[0] == "bundle":
        return pure.parent.name
    return pure.stem


def _folders(context: Context) -> list[str]:
    segments = context.layout.segments(context.path)
    if context.layout.kind(context.path)[0] == "bundle":
        segments = segments[:-1]
    return segments[1:] if segments[:1] == ["pages"] else segments


def _kind(meta: Mapping[str, Any], context: Context, is_dated: bool) -> EntryKind:
    said = str(meta.get("layout") or meta.get("type") or "").lower()
    parts = PurePosixPath(context.path).parts
    if said in ("page", "pages") or (context.layout.system == "pelican" and "pages" in parts):
        return "page"
    if said in ("post", "posts", "article") or "_posts" in parts or "_drafts" in parts or is_dated:
        return "entry"
    return "page"


def _status(meta: Mapping[str, Any], context: Context, moment: int, unpublish: int | None, now: float) -> EntryStatus:
    said = str(meta.get("status") or "").lower()
    drafted = _is(meta.get("draft"), True) or _is(meta.get("published"), False) or said in ("draft", "hidden")
    if drafted or "_drafts" in PurePosixPath(context.path).parts or _is(meta.get("permalink"), False):
        return "draft"
    if unpublish is not None and unpublish <= now:
        return "draft"
    return "scheduled" if moment > now else "published"


def _title(meta: Mapping[str, Any], text: str, rest: str) -> str:
    if (title := " ".join(_text(meta.get("title")).split())) != "":
        return title
    heading = _HEADING.search(text)
    found = re.sub(r"[*_`]|\[([^\]]*)\]\([^)]*\)", r"\1", (heading[1] or heading[2]) if heading else "").strip()
    return found or section_name(rest)


def _slug(meta: Mapping[str, Any], own: str | None, rest: str) -> str:
    given = _text(meta.get("slug")).strip().strip("/")
    if not given and own:
        given = re.sub(r"\.html?$", "", own.rsplit("/", 1)[-1])
    if given and _SEGMENT.fullmatch(given) and not given.startswith(".") and len(given.encode()) <= 180:
        return given
    return slugify(given or rest)


def _categories(meta: Mapping[str, Any], context: Context, section: list[str]) -> list[list[str]]:
    found: list[list[str]] = []
    for value in _values(meta, "categories", "category"):
        listed = _listed(value, context.layout)
        flat = all(not isinstance(one, (list, dict)) for one in listed)
        if context.layout.system == "hexo" and flat and isinstance(value, list):
            listed = [listed]  # there, a list is a path; several categories are a list of lists
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
    return key.lower() in ("path", "permalink", "url", "save_as") and isinstance(value, str) and is_elsewhere(value)


def _storable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value.isoformat() if isinstance(value, (date, time)) else value


def _first_date(meta: Mapping[str, Any], keys: tuple[str, ...], zone: tzinfo) -> int | None:
    for key in keys:
        if (found := dates.moment(meta.get(key), zone)) is not None:
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
