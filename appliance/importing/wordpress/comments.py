"""The comments, pingbacks and trackbacks of an item, and the Markdown of a comment's HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Final

from appliance.content import comments, contact_details
from appliance.content.excerpts import plain_text
from appliance.content.models import CommentStatus, Entry
from appliance.errors import ContentError
from appliance.importing.comment_html import CommentHtmlReader
from appliance.importing.imported_comments import ImportedComment, ImportedPing, save_comments, save_pings
from appliance.importing.report import Report
from appliance.importing.wordpress.items import date_in

_STATUSES: Final[dict[str, CommentStatus]] = {
    "1": "approved", "approve": "approved", "approved": "approved", "0": "pending", "hold": "pending", "spam": "spam",
}  # fmt: skip
_PINGS: Final = frozenset({"pingback", "trackback"})
#: How much longer a comment may be as HTML.
_HTML_PER_CHARACTER: Final = 4
#: How many comments that are not imported a reply may move up, to the next one that is.
_LONGEST_CLIMB: Final = 1_000
_REFUSED: Final = "not imported, since they are nested too deeply or have fields that cannot be kept"

_SPECIAL: Final = re.compile(r"([\\`*_\[\]~])")
_AT_LINE_START: Final = re.compile(r"^([ \t]*(?:\d+(?=[.)]\s))?)([#>+=|.)-])", re.MULTILINE)
_WEB: Final = re.compile(r"https?://[^\s<>()]+", re.IGNORECASE)
_EMPTY_MARKS: Final = re.compile(r"\*\*\s*\*\*|~~\s*~~")


@dataclass(frozen=True, slots=True)
class ItemComments:
    """The comments and pings of one item that are taken."""

    comments: list[ImportedComment] = field(default_factory=list)
    pings: list[ImportedPing] = field(default_factory=list)

    def save(self, entry: Entry, report: Report) -> bool:
        """Add what is new and edit what was edited in WordPress; returns whether anything was.

        Call it in the write transaction that saves the entry.
        """
        saved = save_comments(entry, self.comments, update_text=True)
        saved.add_to(report.comments, _REFUSED)
        report.dropped_addresses += [reason for _, reason in saved.without_address]
        added_pings = save_pings(entry, self.pings, report.pings)
        return bool(saved.added or saved.changed or added_pings)


def comments_of(given: list[dict[str, str]], zone: tzinfo, published_at: int, report: Report) -> ItemComments:
    """The comments and pings of an item; those that are not imported are counted in `report`.

    Args:
        given: the values of each `<wp:comment>`.
        zone: the time zone of the blog.
        published_at: when the item was published, which stands in for dates that cannot be read.
        report: the report.
    """
    found: dict[int, ImportedComment] = {}
    parents: dict[int, int] = {}
    pings = []
    for values in given:
        number, parent = _number(values, "wp:comment_id"), _number(values, "wp:comment_parent")
        parents[number] = parent
        is_ping = values.get("wp:comment_type", "") in _PINGS
        if reason := _exclusion_reason(values):
            (report.pings if is_ping else report.comments)[reason] += 1
        elif is_ping:
            pings.append(_ping(values, _created_at(values, zone, published_at)))
        elif text := _text(values):
            found[number] = _comment(values, number, parent, text, _created_at(values, zone, published_at))
        else:
            report.comments["not imported, since they are empty or too long"] += 1
    return ItemComments([_with_parent(comment, found, parents) for _, comment in sorted(found.items())], pings)


def to_markdown(html: str) -> str:
    """The small Markdown of a comment that WordPress keeps as HTML."""
    text = _Reader().read(html.replace("\r\n", "\n").replace("\r", "\n"))
    return re.sub(r"(?<![ \t])[ \t]*\n(?:[ \t]*\n)+", "\n\n", _EMPTY_MARKS.sub("", text)).strip()


def _exclusion_reason(values: Mapping[str, str]) -> str:
    kind, status = values.get("wp:comment_type", ""), values.get("wp:comment_approved", "")
    if kind in _PINGS:
        return "" if _STATUSES.get(status) == "approved" else "not imported, since nobody approved them"
    if kind not in ("", "comment"):
        return f"not imported, of the type “{kind[:40]}”"
    if status in _STATUSES:
        return ""
    return "not imported, in the trash" if "trash" in status else f"not imported, of the status “{status[:40]}”"


def _text(values: Mapping[str, str]) -> str:
    """The Markdown of a comment; empty when there is none that can be kept."""
    html = values.get("wp:comment_content", "")
    if len(html) > _HTML_PER_CHARACTER * contact_details.TEXT_LIMIT:
        return ""
    text = contact_details.clean_imported_text(to_markdown(html))
    try:
        contact_details.clean_text(text)
    except ContentError:
        return ""
    return text


def _comment(values: Mapping[str, str], number: int, parent: int, text: str, created_at: int) -> ImportedComment:
    return ImportedComment(
        str(number),
        contact_details.clean_imported_name(values.get("wp:comment_author", "")) or comments.ANONYMOUS,
        text,
        created_at,
        values.get("wp:comment_author_email", ""),
        values.get("wp:comment_author_url", ""),
        _STATUSES[values.get("wp:comment_approved", "")],
        str(parent),
    )


def _ping(values: Mapping[str, str], created_at: int) -> ImportedPing:
    url, ip, text = (values.get(f"wp:comment_{name}", "") for name in ("author_url", "author_IP", "content"))
    return ImportedPing(plain_text(values.get("wp:comment_author", "")), url, "", ip, text, created_at)


def _created_at(values: Mapping[str, str], zone: tzinfo, otherwise: int) -> int:
    try:
        found = date_in(values, "wp:comment_date", zone)
    except ContentError:
        found = None
    return otherwise if found is None else found


def _with_parent(
    comment: ImportedComment, found: Mapping[int, ImportedComment], parents: Mapping[int, int]
) -> ImportedComment:
    """A comment as a reply to the nearest comment above it that is taken."""
    parent, seen = int(comment.parent), {int(comment.key)}
    while parent and parent not in found and parent not in seen and len(seen) < _LONGEST_CLIMB:
        seen.add(parent)
        parent = parents.get(parent, 0)
    return replace(comment, parent=str(parent) if parent in found else "")


def _number(values: Mapping[str, str], name: str) -> int:
    value = values.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else 0


class _Reader(CommentHtmlReader):
    """Also reads code and pictures' words, links only to the web, and escapes what Markdown would take for markup."""

    marks = {**CommentHtmlReader.marks, "cite": "*"}
    _BLOCKS = frozenset({"p", "div", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "table", "tr"})

    def __init__(self) -> None:
        super().__init__()
        self.code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self.out.append("\n")
        elif tag == "img":
            self.out.append(_escaped(dict(attrs).get("alt") or ""))
        elif tag in ("code", "pre"):
            self.code += 1
            self.out.append("`" if tag == "code" and self.code == 1 else "\n\n```\n" if tag == "pre" else "")
        elif tag in self._BLOCKS:
            self.start_line(is_block=True)
        else:
            super().handle_starttag(tag, attrs)

    def open_link(self, address: str) -> None:
        super().open_link(address if _WEB.fullmatch(address) else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("code", "pre"):
            self.code = max(0, self.code - 1)
            self.out.append("`" if tag == "code" and not self.code else "\n```\n\n" if tag == "pre" else "")
        elif tag in self._BLOCKS:
            self.out.append("\n\n")
        else:
            super().handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        self.out.append(self.quoted(data if self.code else _escaped(data)))


def _escaped(text: str) -> str:
    """Plain text as Markdown that means just that. Web addresses stay links."""
    pieces, at = [], 0
    for address in _WEB.finditer(text):
        pieces += [_SPECIAL.sub(r"\\\1", text[at : address.start()]), address[0]]
        at = address.end()
    pieces.append(_SPECIAL.sub(r"\\\1", text[at:]))
    return _AT_LINE_START.sub(r"\1\\\2", "".join(pieces))
