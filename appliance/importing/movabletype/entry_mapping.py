"""From a block of the file to an entry.

Keys that no field of an entry stands for are kept in `extra`: custom fields by their own names, other keys in lower
case with underscores. So are keywords, `unique_url`, private tags, and whether pings were allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from appliance import clock
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.excerpts import plain_text
from appliance.content.markup import RenderedEntry, render_text
from appliance.content.models import EntryStatus, Site
from appliance.content.terms import slugify
from appliance.errors import ContentError
from appliance.importing.addresses import clean_address, is_slug
from appliance.importing.movabletype import dates
from appliance.importing.movabletype.blocks import PARTS, Block
from appliance.importing.movabletype.text_filters import TextFilter, apply_filter, break_lines, choose_filter

#: Part of every digest. Raise it when the same block maps to another entry, so that old blocks are read again.
VERSION: Final = 1
#: What stands between a body and its continuation.
MORE: Final = "\n\n<!-- more -->\n\n"
#: Words of the text that make the title of an entry without one, as in Movable Type.
TITLE_WORDS: Final = 5

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
_TAG = re.compile(r"""\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\s*(?:,|$)|([^,]*)(?:,|$)""")


@dataclass(frozen=True, slots=True)
class MappedEntry:
    """The entry that a block becomes, rendered."""

    data: EntryData
    rendered: RenderedEntry
    #: What could not be taken as it is, in sentences that the label of the block begins.
    notes: list[str]


def label(block: Block) -> str:
    """The name of a block in a report: `line 812 “Hello”`."""
    title = block.first("TITLE") or block.first("BASENAME")
    return f"line {block.line}" + (f" “{title[:60]}”" if title else "")


def identities(block: Block, site: Site) -> list[str]:
    """The source paths that may name the entry of a block: its unique address if it has one, and its date and basename.

    Raises:
        ContentError: the block has no date that can be read.
    """
    wall = clock.to_datetime(published_at(block, site), ZoneInfo(site.timezone)).replace(tzinfo=None)
    dated = f"{wall.isoformat()}/{block.first('BASENAME') or slugify(block.first('TITLE'))}"
    return [address, dated] if (address := block.first("UNIQUE URL")) else [dated]


def published_at(block: Block, site: Site) -> int:
    """When an entry was published, in seconds since the epoch.

    Raises:
        ContentError: the block has no date that can be read.
    """
    if not (given := block.first("DATE")):
        raise ContentError("has no DATE; give it one")
    return dates.timestamp(given, ZoneInfo(site.timezone))


def is_dated(block: Block, site: Site) -> bool:
    """Whether a block has a date that can be read."""
    try:
        published_at(block, site)
    except ContentError:
        return False
    return True


def digest(block: Block, site: Site) -> str:
    """A value that differs when the block, or what it means on this site, has changed."""
    return f"{block.digest}:{VERSION} {site.timezone} {site.url}"


def map_entry(block: Block, site: Site) -> MappedEntry:
    """The entry of a block, rendered. It reads no database.

    Raises:
        ContentError: the block cannot be an entry; says why.
    """
    notes: list[str] = []
    status = _status(block, notes)
    format, text, text_filter = _text(block, notes)
    excerpt, excerpt_format = _excerpt(block, text_filter)
    address, extra = _address(block, site, _extra(block))
    title = _title(block, text, format)
    tags = split_tags(block.first("TAGS"))
    if private := [tag for tag in tags if tag.startswith("@")]:
        extra["private_tags"] = private
    data = EntryData(
        title=title,
        slug=_slug(block.first("BASENAME"), title),
        published_at=published_at(block, site),
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
    return MappedEntry(data, entries.render(data), notes)


def split_tags(given: str) -> list[str]:
    """The names in a list of tags with commas. A name in quotes may hold commas, and its own quotes twice."""
    names = []
    for match in _TAG.finditer(given):
        double, single, plain = match.groups()
        name = double.replace('""', '"') if double is not None else single or plain or ""
        names.append(" ".join(name.split()))
    return list(dict.fromkeys(name for name in names if name))


def _status(block: Block, notes: list[str]) -> EntryStatus:
    given = block.first("STATUS").lower()
    if given in ("junk", "spam"):
        raise ContentError("is marked as spam there")
    if given not in _STATUSES:
        notes.append(f"has the unknown status “{given[:30]}”; it became a draft")
    return _STATUSES.get(given, "draft")


def _text(block: Block, notes: list[str]) -> tuple[str, str, TextFilter]:
    """The format of a text, the text, and the filter that it had."""
    body, more = block.part("BODY"), block.part("EXTENDED BODY")
    given = block.first("CONVERT BREAKS") if block.has("CONVERT BREAKS") else None
    text_filter = choose_filter(given, body + more)
    if text_filter is None:
        notes.append(f"has the unknown text filter “{(given or '')[:30]}”; it is taken as HTML")
    elif text_filter == "textile":
        notes.append("is Textile, which cannot be converted; it stays plain text in paragraphs")
    text_filter = text_filter or "html"
    body, more = apply_filter(text_filter, body), apply_filter(text_filter, more)
    text = body + MORE + more if body.strip() and more.strip() else body if body.strip() else more or body
    return ("markdown" if text_filter == "markdown" else "html"), text, text_filter


def _excerpt(block: Block, text_filter: TextFilter) -> tuple[str, str]:
    """The author's own excerpt and its format."""
    given = block.part("EXCERPT").strip()
    if given.startswith("<") or not given:
        return given, "html"
    return (given, "markdown") if text_filter == "markdown" else (break_lines(given), "html")


def _title(block: Block, text: str, format: str) -> str:
    """The title; without one, the first words of the text, as in Movable Type."""
    if given := " ".join(block.first("TITLE").split()):
        return given
    words = plain_text(render_text(text, format=format)).split()[:TITLE_WORDS]
    return " ".join(words) or _slug(block.first("BASENAME"), "untitled")


def _slug(basename: str, title: str) -> str:
    given = basename.strip("/").rsplit("/", 1)[-1]
    return given if is_slug(given) else slugify(given or title)


def _categories(block: Block) -> list[str]:
    primary = [value for key, value in block.meta if key == "PRIMARY CATEGORY"]
    return _names(primary + [value for key, value in block.meta if key == "CATEGORY"])


def _names(given: list[str]) -> list[str]:
    return list(dict.fromkeys(name for one in given if (name := " ".join(one.split()))))


def _address(block: Block, site: Site, extra: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The address of an entry that had one on this very site, and `extra` with any other."""
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
