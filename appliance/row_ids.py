"""Ids of rows as people and programs write them."""

from __future__ import annotations

from typing import Final

#: The largest id that every database holds.
LARGEST: Final = 2**31 - 1


def parse_row_id(text: str) -> int:
    """Return the id that a text is; 0 if it is none, or one that no row can have."""
    if not (text.isascii() and text.isdigit()):
        return 0
    digits = text.lstrip("0")
    return int(digits) if 0 < len(digits) <= len(str(LARGEST)) and int(digits) <= LARGEST else 0
