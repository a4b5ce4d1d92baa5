"""Markdown from the HTML in which other systems keep comments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Final

from appliance.content.html_elements import make_parsable

#: Quotes within quotes that are kept apart; deeper ones count for the innermost.
_DEEPEST_QUOTE: Final = 20
_MARKS: Final[Mapping[str, str]] = {
    "b": "**", "strong": "**", "i": "*", "em": "*", "del": "~~", "s": "~~", "strike": "~~",
}  # fmt: skip


class CommentHtmlReader(HTMLParser):
    """Writes the small Markdown of comments into `out` while it is fed HTML.

    It reads links, quotes, list items and emphasis. The reader of each format adds the other elements of its system. An
    unknown element leaves its text.
    """

    #: Markdown around the text of an element.
    marks: Mapping[str, str] = _MARKS

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.links: list[str] = []
        self.quotes = 0

    def read(self, html: str) -> str:
        """The Markdown of a whole comment, with the blank lines that the HTML left in it."""
        self.feed(make_parsable(html))
        self.close()
        return "".join(self.out)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a link, a quote, a list item or emphasis."""
        if tag == "a":
            self.open_link(dict(attrs).get("href") or "")
        elif tag == "blockquote":
            self.quotes = min(self.quotes + 1, _DEEPEST_QUOTE)
            self.start_line(is_block=True)
        elif tag == "li":
            self.start_line("- ")
        elif mark := self.marks.get(tag):
            self.out.append(mark)

    def handle_endtag(self, tag: str) -> None:
        """End what `handle_starttag` began."""
        if tag == "a" and self.links:
            self._close_link(self.links.pop())
        elif tag == "blockquote":
            self.quotes = max(0, self.quotes - 1)
            self.out.append("\n\n")
        elif mark := self.marks.get(tag):
            self.out.append(mark)

    def open_link(self, address: str) -> None:
        """Begin a link; one without an address leaves its text."""
        self.links.append(address)
        self.out.append("[" if address else "")

    def start_line(self, mark: str = "", *, is_block: bool = False) -> None:
        """Begin a line of the quote that is open; of a block, after a blank line."""
        self.out.append(("\n\n" if is_block else "\n") + "> " * self.quotes + mark)

    def quoted(self, text: str) -> str:
        """`text` with the marks of the quote that is open on each further line."""
        return text.replace("\n", "\n" + "> " * self.quotes) if self.quotes else text

    def _close_link(self, address: str) -> None:
        target = f"<{address}>" if re.search(r"[\s()]", address) else address
        self.out.append(f"]({target})" if address else "")
