"""The comments and pings of a block, and the Markdown of a comment's HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from appliance.content import contact_details
from appliance.content.comments import ANONYMOUS
from appliance.content.html_elements import unescape
from appliance.content.models import CommentStatus, Site
from appliance.errors import ContentError
from appliance.importing.comment_html import CommentHtmlReader
from appliance.importing.imported_comments import ImportedComment, ImportedPing
from appliance.importing.movabletype import dates
from appliance.importing.movabletype.blocks import Block

#: Characters of HTML that one character of a comment may take.
_HTML_PER_CHARACTER: Final = 5
_COMMENT_KEYS: Final = frozenset({"AUTHOR", "EMAIL", "IP", "URL", "DATE", "SECRET", "PASS"})
_PING_KEYS: Final = frozenset({"TITLE", "URL", "IP", "BLOG NAME", "DATE"})
_KEY_LINE: Final = re.compile(r"\s*([A-Z][A-Z ]{1,20}?)\s*:\s*(.*)$", re.DOTALL)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")


@dataclass(slots=True)
class BlockComments:
    """The comments and pings of one block."""

    comments: list[ImportedComment] = field(default_factory=list)
    pings: list[ImportedPing] = field(default_factory=list)
    #: What cannot be taken: "comment" or "ping", its number in the block, and the reason.
    faults: list[tuple[str, int, str]] = field(default_factory=list)


def comments_of(block: Block, site: Site) -> BlockComments:
    """The comments and pings of a block."""
    found = BlockComments()
    for number, part in enumerate(_parts(block, "COMMENT"), 1):
        try:
            found.comments.append(_comment(str(number), part, site))
        except ContentError as error:
            found.faults.append(("comment", number, str(error)))
    for number, part in enumerate(_parts(block, "PING"), 1):
        try:
            found.pings.append(_ping(part, site))
        except ContentError as error:
            found.faults.append(("ping", number, str(error)))
    return found


def to_markdown(html: str) -> str:
    """The small Markdown of a comment that Movable Type keeps as HTML."""
    if not _TAG.search(html):
        return unescape(html).strip()
    return re.sub(r"\n{3,}", "\n\n", _Reader().read(html)).strip()


def _parts(block: Block, key: str) -> list[str]:
    return [text for one, text in block.parts if one == key]


def _comment(number: str, part: str, site: Site) -> ImportedComment:
    values, html = _split(part, _COMMENT_KEYS)
    if len(html) > _HTML_PER_CHARACTER * contact_details.TEXT_LIMIT:
        raise _too_long(html)
    text = contact_details.clean_imported_text(to_markdown(html))
    if not text:
        raise ContentError("is empty")
    if len(text) > contact_details.TEXT_LIMIT:
        raise _too_long(text)
    contact_details.clean_text(text)
    return ImportedComment(
        number,
        contact_details.clean_imported_name(values.get("AUTHOR", "")) or ANONYMOUS,
        text,
        _created_at(values, site),
        values.get("EMAIL", ""),
        _website(values.get("URL", "")),
        _status(values),
    )


def _ping(part: str, site: Site) -> ImportedPing:
    values, text = _split(part, _PING_KEYS)
    title, url, blog_name, ip = (values.get(key, "") for key in ("TITLE", "URL", "BLOG NAME", "IP"))
    return ImportedPing(title, url, blog_name, ip, text, _created_at(values, site))


def _split(part: str, keys: frozenset[str]) -> tuple[dict[str, str], str]:
    """The values by key with which a comment or ping begins, and the text below them.

    Raises:
        ContentError: there is no date among them.
    """
    lines = part.split("\n")
    values: dict[str, str] = {}
    begin = len(lines)
    for number, line in enumerate(lines):
        match = _KEY_LINE.match(line)
        if line.strip() and (match is None or match[1] not in keys or match[1] in values):
            begin = number
            break
        if match is not None:
            values[match[1]] = match[2].strip()
    if not values.get("DATE"):
        raise ContentError("has no DATE; give it one")
    return values, "\n".join(lines[begin:]).strip()


def _created_at(values: Mapping[str, str], site: Site) -> int:
    return dates.timestamp(values["DATE"], ZoneInfo(site.timezone))


def _status(values: Mapping[str, str]) -> CommentStatus:
    """Pending for a comment that only the entry's author may read: FC2 has those."""
    return "pending" if values.get("SECRET", "0") not in ("", "0") else "approved"


def _website(given: str) -> str:
    """The commenter's web address; people left out `http://`."""
    return given if ":" in given or not given else f"http://{given}"


def _too_long(text: str) -> ContentError:
    return ContentError(f"has {len(text)} characters; use at most {contact_details.TEXT_LIMIT}")


class _Reader(CommentHtmlReader):
    """Leaves out scripts and styles, and keeps the lines of the source."""

    marks = {**CommentHtmlReader.marks, "code": "`"}
    _BLOCKS = frozenset({"p", "div", "ul", "ol", "pre"})

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self.scripts += 1
        elif tag == "br":
            self.start_line()
        elif tag in self._BLOCKS:
            self._part_blocks()
        else:
            super().handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.scripts = max(0, self.scripts - 1)
        elif tag in self._BLOCKS:
            self._part_blocks()
        else:
            super().handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if self.scripts:
            return
        if self.out and self.out[-1].endswith("\n") and data.startswith("\n"):
            data = data[1:]  # the tag before it has ended the line
        self.out.append(self.quoted(data))

    def _part_blocks(self) -> None:
        if self.out and "".join(self.out[-2:]).strip("> \n"):
            self.out.append("\n" + ("> " * self.quotes).rstrip() + "\n" + "> " * self.quotes)
