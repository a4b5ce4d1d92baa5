"""Limits on rendering: texts that nest too deeply or would become too large are refused.

Rendering takes time and produces HTML in proportion to the text, except for a few constructs that are limited here:
quote and list markers on one line, tables with rows that the renderer fills up, nested footnotes, and nested elements.
The checks take linear time, and a text that a person writes for readers does not come near the limits.
"""

from __future__ import annotations

import re
from collections import Counter

from appliance.content.html_elements import TAG
from appliance.errors import ContentError

#: Characters a text may have besides letters, digits and spaces: the renderer needs half a kilobyte for each.
SIGNS = 1_000_000
#: Quote and list markers at the start of one line; levels of nested elements.
MARKS, DEPTH = 1_000, 500
#: The same for comments of readers.
COMMENT_MARKS = COMMENT_DEPTH = 50
#: Columns of a table; cells of all tables together, besides one for each character of the text.
COLUMNS, CELLS = 1_000, 20_000
#: The length of the HTML of a text: this many characters, plus a number for each of the text, up to a maximum.
OUTPUT, OUTPUT_RATIO, OUTPUT_LIMIT = 200_000, 20, 30_000_000
#: Characters in nested footnote brackets that the renderer reads again: this many, plus a number for each character.
_REREAD, _REREAD_RATIO = 1_000_000, 20

_MARKER = r"[ \t]*(?:>|[-+*](?=[ \t])|[0-9]{1,9}[.)](?=[ \t]))"
_TOO_MANY_MARKS = {
    limit: re.compile(rf"^(?:{_MARKER}){{{limit + 1}}}", re.MULTILINE) for limit in (MARKS, COMMENT_MARKS)
}
_PLAIN = re.compile(r"[\w ]+")
_RULE = re.compile(r"[ \t]*[-*_][-*_ \t]*")
_DELIMITERS = re.compile(r"[ \t>*+0-9.)]*[|:-][|: \t-]*")
_BRACKET = re.compile(r"\[\^?|\]|\n[ \t>]*\n")
#: Elements that nest when they are not closed.
_NESTING = frozenset({
    "article", "aside", "b", "big", "blockquote", "center", "cite", "code", "del", "details", "div",
    "dl", "em", "fieldset", "figure", "font", "footer", "form", "header", "i", "ins", "kbd", "main",
    "mark", "nav", "object", "ol", "pre", "q", "s", "section", "small", "span", "strike", "strong",
    "sub", "sup", "svg", "table", "tt", "u", "ul",
})  # fmt: skip


def check_markdown(text: str) -> None:
    """Refuse Markdown that would take more than linear time to render.

    Raises:
        ContentError: it nests too deeply, or has too large tables or too many nested footnotes.
    """
    if len(text) > SIGNS and len(text) - sum(map(len, _PLAIN.findall(text))) > SIGNS:
        raise ContentError(
            f"the text is too large: it has more than {SIGNS:,} characters besides letters and spaces; split it"
        )
    check_marks(text, MARKS)
    if "|" in text and "-" in text:
        _check_tables(text)
    if "[^" in text:
        _check_footnotes(text)


def check_marks(text: str, limit: int) -> None:
    """Refuse Markdown with more than `limit` quote and list markers at the start of a line.

    Raises:
        ContentError: a line has more.
    """
    for match in _TOO_MANY_MARKS[limit].finditer(text):
        end = text.find("\n", match.start())
        if _RULE.fullmatch(text, match.start(), len(text) if end < 0 else end) is None:
            line = text.count("\n", 0, match.start()) + 1
            raise ContentError(
                f"the text is nested too deeply: line {line} starts with more than {limit:,} quote and list markers;"
                " remove some of them"
            )


def check_html(html: str, depth: int = DEPTH) -> None:
    """Refuse HTML with elements nested more than `depth` levels deep.

    Raises:
        ContentError: an element is nested too deeply.
    """
    if html.count("<") <= depth:
        return
    open_elements: Counter[str] = Counter()
    level = 0
    for tag in TAG.finditer(html):
        name = (tag[2] or "").lower()
        if name not in _NESTING or tag[3].endswith("/"):
            continue
        if not tag[1]:
            open_elements[name] += 1
            level += 1
        elif open_elements[name]:
            open_elements[name] -= 1
            level -= 1
        if level > depth:
            raise ContentError(
                f"the text is nested too deeply: “{tag[0][:40]}” is inside {depth} other elements; close some of them"
            )


def check_size(html: str, text: str) -> None:
    """Refuse HTML that is too large in proportion to its text.

    Raises:
        ContentError: it is too large.
    """
    limit = min(OUTPUT_LIMIT, OUTPUT + OUTPUT_RATIO * len(text))
    if len(html) > limit:
        raise ContentError(
            f"the text is too large: its {len(text):,} characters become {len(html):,} of HTML, and {limit:,} are"
            " allowed; split it, or shorten whatever is repeated in it"
        )


def _check_tables(text: str) -> None:
    columns = cells = 0
    limit = CELLS + len(text)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip(" \t>"):
            columns = 0
        elif "|" in line and "-" in line and _DELIMITERS.fullmatch(line):
            columns = max(columns, line.count("|") + 1)
        cells += columns
        if columns > COLUMNS or cells > limit:
            raise ContentError(
                f"the text is too large: the table at line {number} has more than {COLUMNS:,} columns or {limit:,}"
                " cells, most of them empty; split the table"
            )


def _check_footnotes(text: str) -> None:
    remaining = _REREAD + _REREAD_RATIO * len(text)
    opened: list[int] = []
    for match in _BRACKET.finditer(text):
        bracket = match[0]
        if bracket[0] == "\n":
            opened.clear()
        elif bracket[0] == "[":
            opened.append(match.start() if bracket == "[^" else -1)
        elif opened and (start := opened.pop()) >= 0:
            remaining -= match.start() - start
            if remaining < 0:
                line = text.count("\n", 0, start) + 1
                raise ContentError(
                    f"the text is nested too deeply: footnotes (“[^”) at line {line} are inside each other; "
                    "close each one before the next"
                )
