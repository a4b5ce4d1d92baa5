"""The beginning of a text: its excerpt, made of whole elements, and its summary in plain words."""

from __future__ import annotations

import html as html_text
import re
from collections.abc import Iterator

#: Characters of a summary, and of text in an excerpt made of first paragraphs.
SUMMARY_LENGTH = 200
EXCERPT_LENGTH = 200

#: Where authors say that the excerpt ends.
MORE = re.compile(r"<!--\s*more\s*-->", re.IGNORECASE)
#: A tag or a comment: whether it closes, its name, its attributes.
TAG = re.compile(r"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:[^\"'<>]|\"[^\"]*\"|'[^']*')*)>", re.DOTALL)

_HEADING = re.compile(r"<h([1-6])\b[^>]*>.*?</h\1>", re.DOTALL)
_FOOTNOTE = re.compile(r"<sup class=\"footnote-ref\">.*?</sup>", re.DOTALL)
_ID = re.compile(r"\sid\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_VOID = frozenset(
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
        "wbr",
    }
)  # fmt: skip
_ENDS_PARAGRAPH = frozenset(
    {
        "p", "div", "ul", "ol", "dl", "table", "pre", "blockquote", "section", "figure", "h1", "h2", "h3",
        "h4", "h5", "h6", "hr",
    }
)  # fmt: skip


def plain_text(html: str) -> str:
    """The text of HTML, white space collapsed."""
    without = re.sub(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", " ", html, flags=re.DOTALL | re.IGNORECASE)
    without = re.sub(r"</?(?:p|div|li|ul|ol|h[1-6]|tr|td|th|br|pre|blockquote)\b[^>]*>", " ", without)
    return " ".join(html_text.unescape(TAG.sub("", without)).split())


def shorten(text: str, length: int = SUMMARY_LENGTH) -> str:
    """`text`, cut after the last word that ends within `length` characters and then marked with `…`."""
    if len(text) <= length:
        return text
    cut = text[:length].rsplit(" ", 1)[0] if " " in text[:length] else text[: length - 1]
    return cut.rstrip(" ,;:–—-") + "…"


def excerpt_of(html: str) -> str:
    """The beginning of an entry: up to `<!-- more -->`, or its first paragraphs; whole elements only."""
    blocks = list(_blocks(html))
    more = MORE.search(html)
    if more is not None:
        around = next(((start, end) for start, end, _ in blocks if start < more.start() < end), None)
        cut = more.start()
        if around is not None:
            cut = around[0] if html[: around[0]].strip() else around[1]
        return without_ids(MORE.sub("", html[:cut]))
    chosen: list[str] = []
    for start, end, name in blocks:
        if name == "p" and plain_text(html[start:end]):
            chosen.append(html[start:end])
        elif chosen:
            break
        if len(chosen) == 3 or sum(len(plain_text(part)) for part in chosen) >= EXCERPT_LENGTH:
            break
    return without_ids("\n".join(chosen))


def without_ids(html: str) -> str:
    """HTML fit to stand beside other excerpts."""
    # An excerpt stands beside others: notes are not there to be linked, and an id must be unique on a page.
    html = _FOOTNOTE.sub("", html)
    return TAG.sub(lambda match: _ID.sub("", match[0]), html).strip()


def without_headings(html: str) -> str:
    """HTML without its headings and what they say."""
    return _HEADING.sub("", html)


def _blocks(html: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of each outermost element."""
    stack: list[str] = []
    start = 0
    for match in TAG.finditer(html):
        closing, name = match[1], (match[2] or "").lower()
        if not name or (stack and stack[-1] in ("script", "style") and not (closing and name == stack[-1])):
            continue
        if not closing and stack and stack[-1] == "p" and name in _ENDS_PARAGRAPH:
            stack.pop()
            if not stack:
                yield start, match.start(), "p"
        if closing and name in stack:
            outermost = stack[0]
            del stack[len(stack) - 1 - stack[::-1].index(name) :]
            if not stack:
                yield start, match.end(), outermost
        elif not closing and (name in _VOID or match[3].endswith("/")):
            if not stack:
                yield match.start(), match.end(), name
        elif not closing:
            start = start if stack else match.start()
            stack.append(name)
    if stack:
        yield start, len(html), stack[0]
