"""From `post_content`, the text as WordPress stores it, to HTML.

Blocks lose the comments around them, classic texts get their paragraphs, an address on a line of its own becomes a
link, page breaks go, and shortcodes stay as text.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field

from appliance.content.html_elements import OpenElements, unescape
from appliance.importing.wordpress.paragraphs import paragraphs

#: The comment that begins, ends or stands for a block: `<!-- wp:core/image {"id":7} -->`.
_BLOCK = re.compile(r"<!--\s+(/)?wp:([a-z](?:(?!-->|<!--).)*)-->\n?", re.DOTALL)
_BLOCK_NAME = re.compile(r"[a-z0-9_/-]+")
#: Blocks with classic text in them.
_CLASSIC_BLOCKS = frozenset({"freeform", "core/freeform", "shortcode", "core/shortcode"})
_MORE = re.compile(r"<!--\s*more\b[^<>]*?-->", re.IGNORECASE)
_NO_TEASER = re.compile(r"<!--\s*noteaser\s*-->", re.IGNORECASE)
_NEXT_PAGE = re.compile(r"<!--\s*nextpage\s*-->", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"(<p>|<div class=\"wp-block-embed__wrapper\">)\s*(https?://[^\s<>\"]+)\s*(</p>|</div>)")
_SIZES = re.compile(r"(<img\b[^<>]*?)\s(?:srcset|sizes)\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_SHORTCODE = re.compile(r"(?<!\[)\[(/?)([a-zA-Z][\w-]{1,40})(\s[^\[\]]*|/?)\]")
#: The shortcodes of WordPress itself. Other words in brackets count only with an end tag or an attribute.
_BUILT_IN = frozenset({"audio", "caption", "embed", "gallery", "playlist", "video", "wp_caption"})


@dataclass(slots=True)
class MarkupCounts:
    """What texts have that is not converted, counted by name for the report."""

    shortcodes: Counter[str] = field(default_factory=Counter)
    blocks: Counter[str] = field(default_factory=Counter)
    embeds: int = 0
    page_breaks: int = 0


def content_html(text: str, counts: MarkupCounts) -> str:
    """The HTML of a post's text, with `<!--more-->` where its author put that."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    counts.shortcodes.update(shortcodes(text))
    text, breaks = _NEXT_PAGE.subn("\n\n", _NO_TEASER.sub("", _MORE.sub("<!--more-->", text)))
    counts.page_breaks += breaks
    whole = _without_block_comments(text, counts) if _BLOCK.search(text) else paragraphs(text)
    whole, embeds = _BARE_ADDRESS.subn(_linked, whole)
    counts.embeds += embeds
    # Other sizes of a picture are made again, from the size that the text shows.
    return _SIZES.sub(r"\1", _SIZES.sub(r"\1", whole))


def shortcodes(text: str) -> Counter[str]:
    """How often each shortcode begins in a text. Other words in brackets are passed over."""
    found: Counter[str] = Counter()
    ended = {match[2] for match in _SHORTCODE.finditer(text) if match[1]}
    for match in _SHORTCODE.finditer(text):
        name = match[2]
        if not match[1] and (name.lower() in _BUILT_IN or name in ended or "=" in match[3]):
            found[name] += 1
    return found


def _without_block_comments(text: str, counts: MarkupCounts) -> str:
    """A text of blocks without the comments around them. What stands between blocks is classic text."""
    out: list[str] = []
    within = OpenElements()
    at = 0
    for mark in _BLOCK.finditer(text):
        out.append(_piece(text[at : mark.start()], within))
        at = mark.end()
        match = _BLOCK_NAME.match(mark[2])
        name = (match[0] if match else "").rstrip("/").removeprefix("core/")
        if mark[2].endswith("/"):
            counts.blocks[name] += 1
        elif not mark[1]:
            within.open(name)
        elif name in within:
            within.close(name)
    out.append(_piece(text[at:], within))
    return "\n".join(piece.strip("\n") for piece in out if piece.strip())


def _piece(piece: str, within: OpenElements) -> str:
    return paragraphs(piece) if not within or within.innermost in _CLASSIC_BLOCKS else piece


def _linked(match: re.Match[str]) -> str:
    address = html.escape(unescape(match[2]))
    return f'{match[1]}<a href="{address}">{address}</a>{match[3]}'
