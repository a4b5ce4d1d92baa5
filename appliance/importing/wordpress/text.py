"""From a text as WordPress keeps it to HTML: blocks, classic paragraphs, marks of pages, shortcodes, bare addresses."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field

from appliance.importing.wordpress.paragraphs import paragraphs

#: A comment that begins, ends or is a block: `<!-- wp:core/image {"id":7} -->`.
_BLOCK = re.compile(r"<!--\s+(/)?wp:([a-z][a-z0-9_/-]*)((?:(?!-->|<!--).)*?)(/)?-->\n?", re.DOTALL)
#: Blocks whose inside is classic text.
_CLASSIC = frozenset({"freeform", "core/freeform", "shortcode", "core/shortcode"})
_MORE = re.compile(r"<!--\s*more\b[^<>]*?-->", re.IGNORECASE)
_NO_TEASER = re.compile(r"<!--\s*noteaser\s*-->", re.IGNORECASE)
_NEXT_PAGE = re.compile(r"<!--\s*nextpage\s*-->", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"(<p>|<div class=\"wp-block-embed__wrapper\">)\s*(https?://[^\s<>\"]+)\s*(</p>|</div>)")
_SIZES = re.compile(r"(<img\b[^<>]*?)\s(?:srcset|sizes)\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_SHORTCODE = re.compile(r"(?<!\[)\[(/?)([a-zA-Z][\w-]{1,40})(\s[^\[\]]*|/?)\]")
#: Shortcodes that WordPress itself has; of others only what is certainly one is taken for one.
_OWN = frozenset({"audio", "caption", "embed", "gallery", "playlist", "video", "wp_caption"})


@dataclass(slots=True)
class Seen:
    """What texts hold that has no meaning here, by name, for the report."""

    shortcodes: Counter[str] = field(default_factory=Counter)
    blocks: Counter[str] = field(default_factory=Counter)
    embeds: int = 0
    page_breaks: int = 0


def html_of(text: str, seen: Seen) -> str:
    """The HTML of a post's text, with `<!--more-->` in it where its author put that."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    seen.shortcodes.update(shortcodes(text))
    text, breaks = _NEXT_PAGE.subn("\n\n", _NO_TEASER.sub("", _MORE.sub("<!--more-->", text)))
    seen.page_breaks += breaks
    whole = _unblocked(text, seen) if _BLOCK.search(text) else paragraphs(text)
    whole, embeds = _BARE_ADDRESS.subn(_linked, whole)
    seen.embeds += embeds
    # Other sizes of a picture are made here anew, of the size that is shown.
    return _SIZES.sub(r"\1", _SIZES.sub(r"\1", whole))


def shortcodes(text: str) -> Counter[str]:
    """The names of shortcodes in a text, each time one begins; words in brackets that are none are passed over."""
    found: Counter[str] = Counter()
    ended = {match[2] for match in _SHORTCODE.finditer(text) if match[1]}
    for match in _SHORTCODE.finditer(text):
        name = match[2]
        if not match[1] and (name.lower() in _OWN or name in ended or "=" in match[3]):
            found[name] += 1
    return found


def _unblocked(text: str, seen: Seen) -> str:
    """A text of blocks without the comments around them; what stands between blocks is classic."""
    out: list[str] = []
    within: list[str] = []
    at = 0
    for mark in _BLOCK.finditer(text):
        out.append(_piece(text[at : mark.start()], within))
        at = mark.end()
        name = mark[2].removeprefix("core/")
        if mark[4]:
            seen.blocks[name] += 1
        elif not mark[1]:
            within.append(name)
        elif name in within:
            del within[within.index(name) if within[-1] != name else -1 :]
    out.append(_piece(text[at:], within))
    return "\n".join(piece.strip("\n") for piece in out if piece.strip())


def _piece(piece: str, within: list[str]) -> str:
    return paragraphs(piece) if not within or within[-1] in _CLASSIC else piece


def _linked(match: re.Match[str]) -> str:
    address = html.escape(html.unescape(match[2]))
    return f'{match[1]}<a href="{address}">{address}</a>{match[3]}'
