"""Movable Type's text filters: from `CONVERT BREAKS` and a text to HTML or Markdown."""

from __future__ import annotations

import re
from typing import Literal

TextFilter = Literal["html", "breaks", "markdown", "textile"]

_FILTERS: dict[str, TextFilter] = {
    "0": "html", "none": "html", "html": "html", "richtext": "html", "wysiwyg": "html", "block_editor": "html",
    "blockeditor": "html", "1": "breaks", "__default__": "breaks", "default": "breaks",
}  # fmt: skip
#: Paragraphs that begin with one of these stay as they are.
_BLOCK = re.compile(
    r"</?(?:h[1-6]|table|thead|tbody|tr|td|th|[oud]l|li|dt|dd|menu|dir|p|pre|center|form|fieldset|select|blockquote|address|div|hr|"
    r"article|aside|details|figure|footer|header|iframe|main|nav|object|script|section|style|video)\b|<!--",
    re.IGNORECASE,
)
_FORMATTED = re.compile(r"<(?:p|br|div)\b", re.IGNORECASE)
_BLANK = re.compile(r"\n(?:[ \t]*\n)+")


def choose_filter(convert_breaks: str | None, text: str) -> TextFilter | None:
    """The filter that CONVERT BREAKS names; None for an unknown one. Without it (None), the text decides."""
    value = (convert_breaks or "").lower()
    if convert_breaks is None:
        return "html" if _FORMATTED.search(text) else "breaks"
    if value.startswith("markdown"):
        return "markdown"
    if value.startswith("textile"):
        return "textile"
    return _FILTERS.get(value, None if value else "html")


def apply_filter(text_filter: TextFilter, text: str) -> str:
    """The text as the appliance keeps it: Markdown of the filter `markdown`, HTML of all others."""
    return break_lines(text) if text_filter in ("breaks", "textile") else text


def break_lines(text: str) -> str:
    """Convert line breaks as Movable Type does: a blank line parts paragraphs, a single one becomes `<br />`."""
    paragraphs = []
    for part in _BLANK.split(text.strip("\n")):
        if part.strip() and not _BLOCK.match(part):
            part = "<p>" + part.replace("\n", "<br />\n") + "</p>"
        paragraphs.append(part)
    return "\n\n".join(paragraphs)
