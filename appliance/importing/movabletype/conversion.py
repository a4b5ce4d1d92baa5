"""Texts of the other system made those of ours: its text filters, its excerpts, its readers' HTML."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Literal

Filter = Literal["html", "breaks", "markdown", "textile"]

_FILTERS: dict[str, Filter] = {
    "0": "html", "none": "html", "html": "html", "richtext": "html", "wysiwyg": "html", "block_editor": "html",
    "blockeditor": "html", "1": "breaks", "__default__": "breaks", "default": "breaks",
}  # fmt: skip
# Paragraphs that begin with one of these are left as they are.
_BLOCK = re.compile(
    r"</?(?:h[1-6]|table|thead|tbody|tr|td|th|[oud]l|li|dt|dd|menu|dir|p|pre|center|form|fieldset|select|blockquote|address|div|hr|"
    r"article|aside|details|figure|footer|header|iframe|main|nav|object|script|section|style|video)\b|<!--",
    re.IGNORECASE,
)
_FORMATTED = re.compile(r"<(?:p|br|div)\b", re.IGNORECASE)
_BLANK = re.compile(r"\n(?:[ \t]*\n)+")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def filter_of(given: str | None, text: str) -> Filter | None:
    """What CONVERT BREAKS asks for; None when nobody here knows it. Without it, the text tells."""
    value = (given or "").lower()
    if given is None:
        return "html" if _FORMATTED.search(text) else "breaks"
    if value.startswith("markdown"):
        return "markdown"
    if value.startswith("textile"):
        return "textile"
    return _FILTERS.get(value, None if value else "html")


def filtered(text: str, by: Filter) -> str:
    """A body as it is kept: HTML, or Markdown when `by` is that."""
    return paragraphs(text) if by in ("breaks", "textile") else text


def paragraphs(text: str) -> str:
    """Lines as HTML, the way Movable Type converts line breaks: a blank line parts paragraphs, others break."""
    made = []
    for part in _BLANK.split(text.strip("\n")):
        if part.strip() and not _BLOCK.match(part):
            part = "<p>" + part.replace("\n", "<br />\n") + "</p>"
        made.append(part)
    return "\n\n".join(made)


def comment_text(text: str) -> str:
    """A comment, there HTML, as the small Markdown that comments are here."""
    if not _TAG.search(text):
        return html.unescape(text).strip()
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return re.sub(r"\n{3,}", "\n\n", "".join(reader.made)).strip()


class _Reader(HTMLParser):
    """Writes Markdown while it reads HTML."""

    _MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`", "del": "~~", "s": "~~", "strike": "~~"}
    _APART = frozenset({"p", "div", "ul", "ol", "pre"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.made: list[str] = []
        self.links: list[str] = []
        self.quoted = 0
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self.silent += 1
        elif tag == "a":
            address = dict(attrs).get("href") or ""
            self.links.append(address)
            self.made.append("[" if address else "")
        elif tag == "blockquote":
            self.quoted += 1
            self.made.append("\n\n" + "> " * self.quoted)
        elif tag in self._MARKS:
            self.made.append(self._MARKS[tag])
        elif tag in ("br", "li"):
            self._new_line("- " if tag == "li" else "")
        elif tag in self._APART:
            self._apart()

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.silent = max(0, self.silent - 1)
        elif tag == "a" and self.links:
            address = self.links.pop()
            target = f"<{address}>" if re.search(r"[\s()]", address) else address
            self.made.append(f"]({target})" if address else "")
        elif tag == "blockquote":
            self.quoted = max(0, self.quoted - 1)
            self.made.append("\n\n")
        elif tag in self._MARKS:
            self.made.append(self._MARKS[tag])
        elif tag in self._APART:
            self._apart()

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        if self.made and self.made[-1].endswith("\n") and data.startswith("\n"):
            data = data[1:]  # the tag before it has ended the line
        self.made.append(data.replace("\n", "\n" + "> " * self.quoted) if self.quoted else data)

    def _apart(self) -> None:
        if self.made and "".join(self.made[-2:]).strip("> \n"):
            self.made.append("\n" + ("> " * self.quoted).rstrip() + "\n" + "> " * self.quoted)

    def _new_line(self, mark: str) -> None:
        self.made.append("\n" + "> " * self.quoted + mark)
