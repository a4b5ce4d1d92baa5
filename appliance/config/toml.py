"""A TOML parser with limits, for settings, theme manifests, front matter and marker files.

The parser of the standard library recurses into nested arrays and takes quadratic time for long dotted keys. With the
limits here, any text gives a table or a TOMLDecodeError, in time proportional to its length.
"""

from __future__ import annotations

import re
import tomllib
from tomllib import TOMLDecodeError
from typing import Any

__all__ = ["DEPTH", "SIZE", "TOMLDecodeError", "loads"]

#: The most characters of a text, and the deepest nesting of arrays, tables and dotted keys.
SIZE, DEPTH = 1_000_000, 50

#: Strings in all their forms, and comments: text without structure.
_LITERALS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*(?:"{3,5}|\Z)|' r"'''(?:[^']|'(?!''))*(?:'{3,5}|\Z)|"
    r'"(?:[^"\\\n]|\\.)*"?|' r"'[^'\n]*'?|#[^\n]*",
    re.DOTALL,
)  # fmt: skip
_STRUCTURE = re.compile(r"[\[\]{}]|[^\[\]{}=,\n]+")


def loads(text: str) -> dict[str, Any]:
    """Parse a text.

    Raises:
        TOMLDecodeError: the text is not TOML, too long or nested too deeply.
    """
    if len(text) > SIZE:
        raise TOMLDecodeError(f"{len(text):,} characters are more than the limit of {SIZE:,}")
    _check_depth(text)
    try:
        return tomllib.loads(text)
    except TOMLDecodeError:
        raise
    except (ValueError, OverflowError, RecursionError) as error:  # numbers and dates out of range
        raise TOMLDecodeError(str(error).split("\n")[0]) from error


def _check_depth(text: str) -> None:
    if sum(text.count(sign) for sign in "[{.") <= DEPTH:
        return
    depth = 0
    for found in _STRUCTURE.finditer(_LITERALS.sub(_mask, text)):
        sign = found[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth = max(0, depth - 1)
        if depth > DEPTH or sign.count(".") > DEPTH:
            line = text.count("\n", 0, found.start()) + 1
            raise TOMLDecodeError(f"values or keys are nested more than {DEPTH} deep (at line {line}, column 1)")


def _mask(quiet: re.Match[str]) -> str:
    """Replace a string or comment by quotes of the same length, so that positions and line ends stay the same."""
    return re.sub(r"[^\n]", '"', quiet[0])
