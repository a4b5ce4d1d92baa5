"""Syntax highlighting of code blocks with Pygments, as CSS classes without styles.

Some Pygments lexers take quadratic time. Code that takes too long for its length is left plain, so that no code block
can delay the rendering of a text.
"""

from __future__ import annotations

import html as html_text
import re
from collections.abc import Iterator
from functools import lru_cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from appliance.content.html_elements import unescape
from appliance.content.time_limit import can_limit_time, time_limit
from appliance.errors import TimeLimitExceeded

#: The longest code that is highlighted, in characters.
HIGHLIGHT_LIMIT = 200_000
#: The same in threads where time cannot be limited.
_LIMIT_WITHOUT_TIMER = 5_000
#: Processor time that highlighting may take: this many seconds, and one more for this many characters.
_SECONDS, _CHARACTERS_PER_SECOND = 1.0, 10_000
_LONGEST_NAME = 50


def highlight_code(language: str, code: str) -> str:
    """Highlight a block of code, given as HTML; `language` is the author's text after the fence."""
    name = re.split(r"[,\s:{}]", unescape(language).lstrip("{."), maxsplit=1)[0].lower()
    limit = HIGHLIGHT_LIMIT if can_limit_time() else _LIMIT_WITHOUT_TIMER
    lexer = _lexer(name) if 0 < len(name) <= _LONGEST_NAME and len(code) <= limit else None
    if lexer is not None:
        code = _highlight(lexer, code)
    label = f' class="language-{html_text.escape(name)}"' if name else ""
    return f'<div class="highlight"><pre tabindex="0"><code{label}>{code}</code></pre></div>'


def _highlight(lexer: Lexer, code: str) -> str:
    try:
        with time_limit(_SECONDS + len(code) / _CHARACTERS_PER_SECOND):
            return "".join(_spans(lexer, unescape(code)))
    except TimeLimitExceeded:
        return code


@lru_cache(maxsize=256)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _spans(lexer: Lexer, code: str) -> Iterator[str]:
    """Code as HTML spans; neighbouring tokens of the same class share a span."""
    text, text_class = "", ""
    for token_type, value in lexer.get_tokens(code):
        while token_type not in STANDARD_TYPES and token_type.parent is not None:
            token_type = token_type.parent
        css = STANDARD_TYPES[token_type] if value.strip() or not text else text_class
        if css != text_class and text:
            yield _span(text, text_class)
            text = ""
        text, text_class = text + value, css
    if text:
        yield _span(text, text_class)


def _span(text: str, css: str) -> str:
    escaped = html_text.escape(text, quote=False)
    return f'<span class="{css}">{escaped}</span>' if css and css != "w" else escaped
