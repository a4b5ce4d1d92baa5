"""Ids for the headings of texts with very many headings, in linear time.

The renderer gives headings ids itself. To keep them unique it tries numbers one by one from the start, which takes
seconds for ten thousand headings named “Fixed”. The ids made here are the same as those of the renderer.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

import comrak

from appliance.content.html_elements import TAG, replace_elements, unescape

#: The number of possible headings above which the renderer does not make the ids.
MANY_HEADINGS = 300

_HEADING = re.compile(r"<h([1-6]) data-sourcepos=\"[^\"]*\">")
_SOURCE_POSITION = re.compile(r" data-sourcepos=\"\d+:\d+-\d+:\d+\"")
_FOOTNOTE = re.compile(r"<sup [^<>]*class=\"footnote-ref\"[^<>]*>")
_PICTURE = re.compile(r"<img [^<>]*?alt=\"([^\"]*)\"[^<>]*>")


def has_many_headings(text: str) -> bool:
    """Whether Markdown may contain so many headings that the renderer would take long to make their ids."""
    return sum(text.count(mark) for mark in ("#", "\n=", "\n-", "=\n", "-\n")) > MANY_HEADINGS


def render_with_ids(text: str, extensions: comrak.ExtensionOptions, rendering: comrak.RenderOptions) -> str:
    """Render Markdown and give each heading an id.

    The options must not make ids, and must keep source positions: these distinguish headings of the text from HTML of
    the author.
    """
    html = comrak.render_markdown(text, extensions, None, rendering)
    ids = _UniqueIds()

    def add_id(heading: re.Match[str], content: str) -> str:
        return f'<h{heading[1]} id="{escape(ids.make(_heading_text(content)))}">{content}</h{heading[1]}>'

    return _SOURCE_POSITION.sub("", replace_elements(html, _HEADING, lambda heading: f"</h{heading[1]}>", add_id))


def _heading_text(content: str) -> str:
    """The text of a heading as the renderer reads it: with the texts of pictures, without numbers of footnotes."""
    content = replace_elements(content, _FOOTNOTE, lambda _opening: "</sup>", lambda _opening, _number: "")
    return unescape(TAG.sub("", _PICTURE.sub(r"\1", content))).replace("\n", " ")


class _UniqueIds:
    """Makes each id once, appending the lowest number that makes it unique."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def make(self, text: str) -> str:
        base = "".join(character for character in text.lower() if _is_allowed(character)).replace(" ", "-")
        number = self._next.get(base, 0)
        while (name := f"{base}-{number}" if number else base) in self._used:
            number += 1
        self._next[base] = number
        self._used.add(name)
        return name


def _is_allowed(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in " -_"
    category = unicodedata.category(character)
    return category[0] in "LMN" or category == "Pc"
