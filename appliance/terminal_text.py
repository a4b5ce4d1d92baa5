"""Escapes text from strangers for a terminal, so that the terminal shows it and never obeys it.

No name, title, path or message can move the cursor, change colors or the window title, type an answer, or appear in
another order than it is written. Control characters (including C1), characters that change the direction of writing,
and invisible characters become escapes such as `\\x1b`. Letters of all scripts stay as they are, with the joiners that
some scripts need.
"""

from __future__ import annotations

import re

#: C0 except tab and newline, DEL and C1; soft hyphen; direction marks; zero-width characters except the two joiners;
#: line and paragraph separators; surrogates, which no terminal can encode; tags and interlinear annotations.
_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE_IN_TEXT = re.compile(f"[{_UNSAFE}]")
_UNSAFE_IN_LINE = re.compile(f"[{_UNSAFE}\t\n]")


def escape_text(text: str) -> str:
    """Escape unsafe characters. Line breaks and tabs stay."""
    return _UNSAFE_IN_TEXT.sub(_escape, text)


def escape_line(text: str) -> str:
    """Escape unsafe characters, line breaks and tabs, for text that must stay in one line or cell."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def escape_json(document: str) -> str:
    """Replace unsafe characters of a JSON document by JSON escapes, which mean the same."""
    return _UNSAFE_IN_TEXT.sub(_json_escape, document)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
