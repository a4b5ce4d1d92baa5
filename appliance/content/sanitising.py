"""Sanitising the HTML of authors who may not publish HTML as written.

Guarantees that what is left can format a text, link and show pictures, sound and video, but can neither run, send nor
load anything else: no scripts, event handlers, styles, forms or frames. What Markdown makes stays as it is: headings
with ids, task lists, footnotes, tables and highlighted code.
"""

from __future__ import annotations

from typing import Final

import nh3

_TEXT: Final = {
    "a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "data", "del", "dfn", "em", "i", "ins", "kbd", "mark", "q",
    "rp", "rt", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr",
}  # fmt: skip
_BLOCKS: Final = {
    "address", "article", "aside", "blockquote", "caption", "col", "colgroup", "dd", "details", "div", "dl", "dt",
    "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "input", "li", "ol", "p",
    "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
}  # fmt: skip
_MEDIA: Final = {"audio", "img", "picture", "source", "track", "video"}
_PLAYER: Final = {"controls", "loop", "muted", "preload", "src"}
_HEADING: Final = {"id"}
_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "*": {"class", "dir", "lang", "title"},
    "a": {"href", "hreflang", "id", "aria-label", "data-footnote-ref", "data-footnote-backref",
          "data-footnote-backref-idx"},
    "audio": _PLAYER,
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "data": {"value"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "h1": _HEADING, "h2": _HEADING, "h3": _HEADING, "h4": _HEADING, "h5": _HEADING, "h6": _HEADING,
    "img": {"alt", "height", "loading", "src", "width"},
    "input": {"checked", "disabled", "type"},
    "ins": {"cite", "datetime"},
    "li": {"id", "value"},
    "ol": {"reversed", "start", "type"},
    "pre": {"tabindex"},
    "q": {"cite"},
    "section": {"data-footnotes"},
    "source": {"media", "src", "type"},
    "td": {"align", "colspan", "headers", "rowspan"},
    "th": {"align", "colspan", "headers", "rowspan", "scope"},
    "time": {"datetime"},
    "track": {"default", "kind", "label", "src", "srclang"},
    "video": {*_PLAYER, "height", "poster", "width"},
}  # fmt: skip
#: The addresses of the appliance's own things begin with `appliance:` until a page is built.
_SCHEMES: Final = {"http", "https", "mailto", "tel", "appliance"}

_CLEANER: Final = nh3.Cleaner(
    tags=_TEXT | _BLOCKS | _MEDIA,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    # A box to tick is what Markdown makes of a task; any other field could ask readers for something.
    set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
    strip_comments=False,  # the mark after which an entry goes on
    link_rel=None,
)


def clean(html: str) -> str:
    """Return HTML without anything that its author may not publish."""
    return _CLEANER.clean(html)
