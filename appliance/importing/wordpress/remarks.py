"""What readers said, from the HTML that WordPress keeps of it to the small Markdown that comments are in here."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "cite": "*", "del": "~~", "s": "~~", "strike": "~~"}
_BLOCKS = frozenset({"p", "div", "blockquote", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "table", "tr"})
_SPECIAL = re.compile(r"([\\`*_\[\]~])")
_AT_LINE_START = re.compile(r"^([ \t]*(?:\d+(?=[.)]\s))?)([#>+=|.)-])", re.MULTILINE)
_WEB = re.compile(r"https?://[^\s<>()]+", re.IGNORECASE)
_EMPTY_MARKS = re.compile(r"\*\*\s*\*\*|~~\s*~~")


def markdown(html: str) -> str:
    """A comment's text as small Markdown; elements that comments may not have leave what is in them."""
    reader = _Reader()
    reader.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
    reader.close()
    text = _EMPTY_MARKS.sub("", "".join(reader.out))
    return re.sub(r"[ \t]*\n(?:[ \t]*\n)+", "\n\n", text).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.links: list[str] = []
        self.quotes = 0
        self.code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", "") if _WEB.fullmatch(given.get("href", "")) else "")
            self.out.append("[" if self.links[-1] else "")
        elif tag == "br":
            self.out.append("\n")
        elif tag == "img":
            self.out.append(_escaped(given.get("alt", "")))
        elif tag == "li":
            self._line("- ")
        elif tag in ("code", "pre"):
            self.code += 1
            self.out.append("`" if tag == "code" and self.code == 1 else "\n\n```\n" if tag == "pre" else "")
        elif tag in _BLOCKS:
            self.quotes += tag == "blockquote"
            self._line("", blank=True)
        else:
            self.out.append(_MARKS.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            address = self.links.pop() if self.links else ""
            self.out.append(f"]({address})" if address else "")
        elif tag in ("code", "pre"):
            self.code = max(0, self.code - 1)
            self.out.append("`" if tag == "code" and not self.code else "\n```\n\n" if tag == "pre" else "")
        elif tag in _BLOCKS:
            self.quotes = max(0, self.quotes - (tag == "blockquote"))
            self.out.append("\n\n")
        else:
            self.out.append(_MARKS.get(tag, ""))

    def handle_data(self, data: str) -> None:
        text = data if self.code else _escaped(data)
        self.out.append(text.replace("\n", "\n" + "> " * self.quotes) if self.quotes else text)

    def _line(self, mark: str, *, blank: bool = False) -> None:
        self.out.append(("\n\n" if blank else "\n") + "> " * self.quotes + mark)


def _escaped(text: str) -> str:
    """Plain text that Markdown shall not take for more; web addresses stay links."""
    pieces, at = [], 0
    for address in _WEB.finditer(text):
        pieces += [_SPECIAL.sub(r"\\\1", text[at : address.start()]), address[0]]
        at = address.end()
    pieces.append(_SPECIAL.sub(r"\\\1", text[at:]))
    return _AT_LINE_START.sub(r"\1\\\2", "".join(pieces))
