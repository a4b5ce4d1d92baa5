"""The part of a text that shows why it was found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from appliance.search.tokens import Token, tokens

#: Characters of a snippet, and of the text before the first word found in it.
_LENGTH: Final = 220
_BEFORE: Final = 60
#: Characters of a text in which a first word is looked for, and characters after it in which the best place is.
_REACH: Final = 100_000
_CHOICE: Final = 2000

#: A part of a snippet, and whether it is a word that was asked for.
Part = tuple[str, bool]


def snippet(text: str, language: str, words: Collection[str], beginnings: Collection[str]) -> tuple[Part, ...]:
    """The part of a plain text with the most of the words in it, or its beginning if it has none of them."""
    text = text[:_REACH]
    whole, starts, found = frozenset(words), tuple(beginnings), list[Token]()
    for token in tokens(text, language):
        if token.word in whole or (starts and token.word.startswith(starts)):
            found.append(token)
        if found and token.start > found[0].start + _CHOICE:
            break
    first = _best(found)
    start = _start(text, found[first].start - _BEFORE) if found else 0
    end = _end(text, start + _LENGTH)
    inside = [token for token in found if start <= token.start and token.end <= end]
    return _parts(text, start, end, inside)


def _best(found: list[Token]) -> int:
    """The position of the word found after which the most different ones follow within a snippet."""
    best, most = 0, 0
    for number, token in enumerate(found):
        near = set[str]()
        for other in found[number:]:
            if other.end > token.start + _LENGTH - _BEFORE:
                break
            near.add(other.word)
        if len(near) > most:
            best, most = number, len(near)
    return best


def _start(text: str, place: int) -> int:
    """The beginning of the first word after a place, if it is near."""
    if place <= 0:
        return 0
    space = text.find(" ", place, place + _BEFORE // 2)
    return space + 1 if space >= 0 else place


def _end(text: str, place: int) -> int:
    """The end of the last word before a place, if it is near."""
    if place >= len(text):
        return len(text)
    space = text.rfind(" ", place - _BEFORE // 2, place + 1)
    return space if space >= 0 else place


def _parts(text: str, start: int, end: int, marked: list[Token]) -> tuple[Part, ...]:
    parts: list[Part] = [("…", False)] if start else []
    position = start
    for token in marked:
        if token.end <= position:
            continue
        if token.start > position:
            parts.append((text[position : token.start], False))
        begin = max(position, token.start)
        if begin == position and parts and parts[-1][1]:  # pairs of characters overlap
            parts[-1] = (parts[-1][0] + text[begin : token.end], True)
        else:
            parts.append((text[begin : token.end], True))
        position = token.end
    if position < end:
        parts.append((text[position:end], False))
    return (*parts, ("…", False)) if end < len(text) else tuple(parts)
