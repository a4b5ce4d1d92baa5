"""Finding tags and elements in HTML that people wrote, in linear time.

A regular expression that searches for the end of each element takes quadratic time when end tags are missing. These
functions find out first whether there is an end tag.
"""

from __future__ import annotations

import html as html_text
import re
from collections import Counter
from collections.abc import Callable, Iterator

#: A tag or a comment. Groups: the slash of an end tag, the name, the attributes.
TAG = re.compile(
    r"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9-]*)(?![a-zA-Z0-9-])((?:[^\"'<>]|\"[^\"]*\"|'[^']*')*)>", re.DOTALL
)

_COMMENT_OR_DECLARATION = re.compile(r"<!--.*?(?:-->|\Z)|<[!?].*?(?:>|\Z)", re.DOTALL)
_TEXT_BRACKET = re.compile(r"<(?!/?[a-zA-Z])")
_LONG_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,})")


def find_elements(
    text: str, opening: re.Pattern[str], closing: Callable[[re.Match[str]], str]
) -> Iterator[tuple[re.Match[str], int]]:
    """Yield (match of the opening, index of the closing string) for each closed element; nested ones are skipped.

    `closing` returns the string that closes an opening. It must return few different strings.
    """
    last: dict[str, int] = {}
    position = 0
    while (match := opening.search(text, position)) is not None:
        end_tag = closing(match)
        if end_tag not in last:
            last[end_tag] = text.rfind(end_tag)
        if last[end_tag] < match.end():
            position = match.end()
            continue
        end = text.index(end_tag, match.end())
        yield match, end
        position = end + len(end_tag)


def replace_elements(
    text: str,
    opening: re.Pattern[str],
    closing: Callable[[re.Match[str]], str],
    replace: Callable[[re.Match[str], str], str | None],
) -> str:
    """Replace each element that `find_elements` finds.

    `replace` is given the match of the opening and the content of the element. It returns the new text of the element,
    or None to leave it unchanged.
    """
    parts: list[str] = []
    position = 0
    for match, end in find_elements(text, opening, closing):
        replacement = replace(match, text[match.end() : end])
        if replacement is not None:
            parts += [text[position : match.start()], replacement]
            position = end + len(closing(match))
    return "".join([*parts, text[position:]]) if parts else text


def unescape(text: str) -> str:
    """Replace HTML character references by their characters.

    Unlike `html.unescape`, it takes linear time for numbers with very many digits.
    """
    if "&" not in text:
        return text
    return html_text.unescape(_LONG_NUMBER.sub(_shorten_reference, text) if "&#" in text else text)


def _shorten_reference(reference: re.Match[str]) -> str:
    sign = "x" if reference[0][2] in "xX" else ""
    digits = reference[0][2 + len(sign) :].lstrip("0")
    return f"&#{sign}{digits or '0'}" if len(digits) < 8 else "&#xfffd"


def make_parsable(html: str) -> str:
    """Prepare HTML for `html.parser`: remove comments and declarations, and escape each `<` that starts no tag.

    Without this the parser takes quadratic time, since it searches the rest of the text for the end of each of them.
    """
    plain = _TEXT_BRACKET.sub("&lt;", _COMMENT_OR_DECLARATION.sub("", html))
    end = plain.rfind(">") + 1
    return plain[:end] + plain[end:].replace("<", "&lt;")


class OpenElements:
    """The stack of open elements, the innermost last. Closing an element closes those within it."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._counts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self.names)

    def __contains__(self, name: str) -> bool:
        return self._counts[name] > 0

    @property
    def innermost(self) -> str:
        """The name of the element that was opened last; empty when none is open."""
        return self.names[-1] if self.names else ""

    def open(self, name: str) -> None:
        """Open an element."""
        self.names.append(name)
        self._counts[name] += 1

    def close_innermost(self) -> None:
        """Close the element that was opened last."""
        self._counts[self.names.pop()] -= 1

    def close(self, name: str) -> None:
        """Close the innermost element of that name, which must be open."""
        while self.innermost != name:
            self.close_innermost()
        self.close_innermost()
