"""From a block to an entry with its comments and pings.

Keys nobody here knows are kept in `extra` by their names in lower case with underscores, custom fields by the
names they have; so are keywords, `unique_url`, private tags, and whether pings were allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from appliance import clock
from appliance.content import entries
from appliance.content.comments import NAME_LIMIT, TEXT_LIMIT
from appliance.content.entries import EntryData
from appliance.content.excerpts import plain_text
from appliance.content.markup import Rendered, text_html
from appliance.content.models import CommentStatus, EntryStatus, Site
from appliance.content.terms import slugify
from appliance.errors import ContentError
from appliance.importing.addresses import clean_address
from appliance.importing.movabletype import conversion, dates
from appliance.importing.movabletype.blocks import PARTS, Block

#: Part of every digest: raised when the same block would be read differently from then on.
VERSION = 1
#: What stands between a body and its continuation.
MORE = "\n\n<!-- more -->\n\n"
#: Words of the text that make the title of an entry without one, as there.
TITLE_WORDS = 5

_KNOWN = frozenset(
    {
        "AUTHOR", "AUTHOR EMAIL", "TITLE", "BASENAME", "STATUS", "ALLOW COMMENTS", "ALLOW PINGS", "CONVERT BREAKS",
        "PRIMARY CATEGORY", "CATEGORY", "DATE", "TAGS", "NO ENTRY", "UNIQUE URL", "PRIVATE TAGS", "KEYWORDS",
    }
)  # fmt: skip
_STATUSES: dict[str, EntryStatus] = {
    "publish": "published", "published": "published", "": "published", "future": "scheduled", "scheduled": "scheduled",
    "draft": "draft", "review": "draft", "unpublish": "draft", "unpublished": "draft", "hold": "draft",
}  # fmt: skip
_REMARK_KEYS = {
    "COMMENT": frozenset({"AUTHOR", "EMAIL", "IP", "URL", "DATE", "SECRET", "PASS"}),
    "PING": frozenset({"TITLE", "URL", "IP", "BLOG NAME", "DATE"}),
}
_REMARK_LINE = re.compile(r"\s*([A-Z][A-Z ]{1,20}?)\s*:\s*(.*)$", re.DOTALL)
_SEGMENT = re.compile(r"[^\s/\\?#%:*\"<>|\x00-\x1f]+")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"']{1,500}", re.IGNORECASE)
_TAG = re.compile(r"""\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\s*(?:,|$)|([^,]*)(?:,|$)""")


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment or a ping; `values` by key."""

    values: Mapping[str, str]
    text: str
    at: int

    @property
    def name(self) -> str:
        """Who says it."""
        return " ".join(self.values.get("AUTHOR", "").split())[:NAME_LIMIT].rstrip() or "Anonymous"

    @property
    def status(self) -> CommentStatus:
        """Held when only the author of the entry was to read it, as one service has it."""
        return "pending" if self.values.get("SECRET", "0") not in ("", "0") else "approved"

    @property
    def url(self) -> str:
        """The web site of who says it, if it is one."""
        given = self.values.get("URL", "")
        address = given if "://" in given or not given else f"http://{given}"
        return address if _WEB_ADDRESS.fullmatch(address) else ""


@dataclass(frozen=True, slots=True)
class Item:
    """What a block becomes."""

    data: EntryData
    rendered: Rendered
    comments: list[Remark]
    pings: list[Remark]
    #: (what could not be taken as it is, why).
    notes: list[tuple[str, str]]


def label(block: Block) -> str:
    """What a block is called in a report."""
    title = block.first("TITLE") or block.first("BASENAME")
    return f"line {block.line}" + (f" “{title[:60]}”" if title else "")


def identities(block: Block, site: Site) -> list[str]:
    """What may tell an entry from all others of its source: its unique address, or else its moment and basename.

    Raises:
        ContentError: it has no date, or one that is none.
    """
    wall = clock.local(moment(block, site), ZoneInfo(site.timezone)).replace(tzinfo=None)
    named = f"{wall.isoformat()}/{block.first('BASENAME') or slugify(block.first('TITLE'))}"
    return [address, named] if (address := block.first("UNIQUE URL")) else [named]


def moment(block: Block, site: Site) -> int:
    """When an entry was published.

    Raises:
        ContentError: it has no date, or one that is none.
    """
    if not (given := block.first("DATE")):
        raise ContentError("has no DATE; give it one")
    return dates.moment(given, ZoneInfo(site.timezone))


def is_dated(block: Block, site: Site) -> bool:
    """Whether an entry has a date that can be read."""
    try:
        moment(block, site)
    except ContentError:
        return False
    return True


def digest(block: Block, site: Site) -> str:
    """Equal as long as the block says the same to this site."""
    return f"{block.digest}:{VERSION} {site.timezone} {site.url}"


def item(block: Block, site: Site) -> Item:
    """The entry of a block, rendered; needs no database.

    Raises:
        ContentError: it cannot be an entry; says why.
    """
    notes: list[tuple[str, str]] = []
    status = _status(block, notes)
    format, text, by = _text(block, notes)
    excerpt, excerpt_format = _excerpt(block, by)
    address, extra = _address(block, site, _extra(block))
    title = _title(block, text, format)
    tags = split_tags(block.first("TAGS"))
    if private := [tag for tag in tags if tag.startswith("@")]:
        extra["private_tags"] = private
    data = EntryData(
        title=title,
        slug=_slug(block.first("BASENAME"), title),
        published_at=moment(block, site),
        text=text,
        status=status,
        format=format,
        address=address,
        excerpt=excerpt,
        excerpt_format=excerpt_format,
        allow_comments=block.first("ALLOW COMMENTS") in ("", "1"),
        authors=_names([block.first("AUTHOR")]),
        categories=[[name] for name in _categories(block)],
        tags=[tag for tag in tags if not tag.startswith("@")],
        extra=extra,
    )
    rendered = entries.render(data)
    return Item(data, rendered, remarks(block, "COMMENT", site, notes), remarks(block, "PING", site, notes), notes)


def remarks(block: Block, key: str, site: Site, notes: list[tuple[str, str]]) -> list[Remark]:
    """The comments or pings of a block; why one is not taken goes to `notes`."""
    found = []
    for number, text in enumerate((text for one, text in block.parts if one == key), 1):
        try:
            remark = _remark(text, key, site)
        except ContentError as error:
            notes.append((f"{key.lower()} {number} of {label(block)}", str(error)))
            continue
        found.append(remark)
    return found


def split_tags(given: str) -> list[str]:
    """Names of tags, joined by commas; one in quotes may hold commas, and its own quotes twice."""
    names = []
    for match in _TAG.finditer(given):
        double, single, plain = match.groups()
        name = double.replace('""', '"') if double is not None else single or plain or ""
        names.append(" ".join(name.split()))
    return list(dict.fromkeys(name for name in names if name))


def _status(block: Block, notes: list[tuple[str, str]]) -> EntryStatus:
    given = block.first("STATUS").lower()
    if given in ("junk", "spam"):
        raise ContentError("is marked as spam there")
    if given not in _STATUSES:
        notes.append((label(block), f"has the status “{given[:30]}”, which nobody here knows; taken as a draft"))
    return _STATUSES.get(given, "draft")


def _text(block: Block, notes: list[tuple[str, str]]) -> tuple[str, str, conversion.Filter]:
    body, more = block.part("BODY"), block.part("EXTENDED BODY")
    given = block.first("CONVERT BREAKS") if block.has("CONVERT BREAKS") else None
    by = conversion.filter_of(given, body + more)
    if by is None:
        notes.append((label(block), f"is converted by “{(given or '')[:30]}”, which nobody here knows; taken as HTML"))
    elif by == "textile":
        notes.append((label(block), "is Textile, which nobody here reads; kept as text in paragraphs"))
    by = by or "html"
    body, more = conversion.filtered(body, by), conversion.filtered(more, by)
    text = body + MORE + more if body.strip() and more.strip() else body if body.strip() else more or body
    return ("markdown" if by == "markdown" else "html"), text, by


def _excerpt(block: Block, by: conversion.Filter) -> tuple[str, str]:
    """The author's own summary and what it is written in."""
    given = block.part("EXCERPT").strip()
    if given.startswith("<") or not given:
        return given, "html"
    return (given, "markdown") if by == "markdown" else (conversion.paragraphs(given), "html")


def _title(block: Block, text: str, format: str) -> str:
    """The title, or as there the first words of the text."""
    if given := " ".join(block.first("TITLE").split()):
        return given
    words = plain_text(text_html(text, format=format)).split()[:TITLE_WORDS]
    return " ".join(words) or _slug(block.first("BASENAME"), "untitled")


def _slug(basename: str, title: str) -> str:
    given = basename.strip("/").rsplit("/", 1)[-1]
    if given and _SEGMENT.fullmatch(given) and not given.startswith(".") and len(given.encode()) <= 180:
        return given
    return slugify(given or title)


def _categories(block: Block) -> list[str]:
    primary = [value for key, value in block.meta if key == "PRIMARY CATEGORY"]
    return _names(primary + [value for key, value in block.meta if key == "CATEGORY"])


def _names(given: list[str]) -> list[str]:
    return list(dict.fromkeys(name for one in given if (name := " ".join(one.split()))))


def _address(block: Block, site: Site, extra: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Its own address when it has one on this very site."""
    given = block.first("UNIQUE URL")
    below = given.removeprefix(site.url.rstrip("/") + "/")
    if given and below != given:
        try:
            return clean_address(below) or None, extra
        except ContentError:
            pass
    return None, extra | ({"unique_url": given} if given else {})


def _extra(block: Block) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for key, value in block.meta:
        if key not in _KNOWN and value:
            extra.setdefault(key.lower().replace(" ", "_"), value)
    for key, text in block.parts:
        if key not in PARTS and text.strip():
            extra.setdefault(key, text)
    if keywords := (block.part("KEYWORDS") or block.first("KEYWORDS")).strip():
        extra["keywords"] = keywords
    if block.first("ALLOW PINGS") == "1":
        extra["allow_pings"] = True
    return extra


def _remark(text: str, key: str, site: Site) -> Remark:
    lines = text.split("\n")
    values: dict[str, str] = {}
    while lines:
        match = _REMARK_LINE.match(lines[0])
        if lines[0].strip() and (match is None or match[1] not in _REMARK_KEYS[key] or match[1] in values):
            break
        if match is not None:
            values[match[1]] = match[2].strip()
        del lines[0]
    if not values.get("DATE"):
        raise ContentError("has no DATE; give it one")
    said = "\n".join(lines).strip()
    if key == "COMMENT":
        said = conversion.comment_text(said)
        if not said:
            raise ContentError("is empty")
        if len(said) > TEXT_LIMIT:
            raise ContentError(f"has {len(said)} characters; use at most {TEXT_LIMIT}")
    return Remark(values, said, dates.moment(values["DATE"], ZoneInfo(site.timezone)))
