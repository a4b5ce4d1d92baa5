"""Deriving the excerpt (HTML) and the summary (plain text) of an entry from the beginning of its text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from appliance.content.html_elements import TAG, OpenElements, replace_elements, unescape

#: Maximum characters of a summary.
SUMMARY_LENGTH = 200
#: Characters of text after which a derived excerpt takes no further paragraph.
EXCERPT_LENGTH = 200

#: The marker with which authors end the excerpt.
MORE_MARKER = re.compile(r"<!--\s*more\s*-->", re.IGNORECASE)

_HEADING = re.compile(r"<h([1-6])\b[^<>]*>")
_FOOTNOTE = re.compile(r"<sup class=\"footnote-ref\">")
_ID = re.compile(r"\sid\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_VOID_ELEMENTS = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
#: Elements that end an open paragraph when they start.
_BLOCK_ELEMENTS = frozenset({
    "p", "div", "ul", "ol", "dl", "table", "pre", "blockquote", "section", "figure", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr",
})  # fmt: skip


def plain_text(html: str) -> str:
    """The text of HTML with white space collapsed."""
    without = re.sub(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", " ", html, flags=re.DOTALL | re.IGNORECASE)
    without = re.sub(r"</?(?:p|div|li|ul|ol|h[1-6]|tr|td|th|br|pre|blockquote)\b[^<>]*>", " ", without)
    return " ".join(unescape(TAG.sub("", without)).split())


def truncate(text: str, length: int = SUMMARY_LENGTH) -> str:
    """`text`, cut after the last whole word within `length` characters and marked with `…` if it is longer."""
    if len(text) <= length:
        return text
    cut = text[:length].rsplit(" ", 1)[0] if " " in text[:length] else text[: length - 1]
    return cut.rstrip(" ,;:–—-") + "…"


def extract_excerpt(html: str) -> str:
    """The whole elements before `<!-- more -->`, or else the first paragraphs, of the HTML of an entry."""
    blocks = list(_outermost_elements(html))
    more = MORE_MARKER.search(html)
    if more is not None:
        enclosing = next(((start, end) for start, end, _ in blocks if start < more.start() < end), None)
        cut = more.start()
        if enclosing is not None:
            cut = enclosing[0] if html[: enclosing[0]].strip() else enclosing[1]
        return without_ids(MORE_MARKER.sub("", html[:cut]))
    paragraphs: list[str] = []
    for start, end, name in blocks:
        if name == "p" and plain_text(html[start:end]):
            paragraphs.append(html[start:end])
        elif paragraphs:
            break
        if len(paragraphs) == 3 or sum(len(plain_text(part)) for part in paragraphs) >= EXCERPT_LENGTH:
            break
    return without_ids("\n".join(paragraphs))


def without_ids(html: str) -> str:
    """HTML without ids and footnote references, so that several excerpts can appear on one page.

    Ids must be unique on a page, and the footnotes that the references lead to are not on it.
    """
    html = replace_elements(html, _FOOTNOTE, lambda _opening: "</sup>", lambda _opening, _content: "")
    return TAG.sub(lambda match: _ID.sub("", match[0]), html).strip()


def without_headings(html: str) -> str:
    """HTML without its headings."""
    return replace_elements(html, _HEADING, lambda opening: f"</h{opening[1]}>", lambda _opening, _content: "")


def _outermost_elements(html: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of each outermost element."""
    stack = OpenElements()
    start, outermost = 0, ""
    for match in TAG.finditer(html):
        is_end, name = match[1], (match[2] or "").lower()
        if not name or (stack.innermost in ("script", "style") and not (is_end and name == stack.innermost)):
            continue
        if not is_end and stack.innermost == "p" and name in _BLOCK_ELEMENTS:
            stack.close_innermost()
            if not stack:
                yield start, match.start(), "p"
        if is_end and name in stack:
            stack.close(name)
            if not stack:
                yield start, match.end(), outermost
        elif not is_end and (name in _VOID_ELEMENTS or match[3].endswith("/")):
            if not stack:
                yield match.start(), match.end(), name
        elif not is_end:
            if not stack:
                start, outermost = match.start(), name
            stack.open(name)
    if stack:
        yield start, len(html), outermost
