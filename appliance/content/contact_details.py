"""Checks of names, e-mail addresses, web addresses and comment texts.

A checked value can be stored in every database and shown in every page, feed and mail; it has a reasonable length and
is normalized to Unicode's NFC; and a web address is safe to follow. Invalid input of a person is refused with an error
message. Invalid values of an import are cleaned or left out.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

from appliance.errors import ContentError

#: The maximum length of each value in characters, and in bytes of UTF-8.
NAME_LIMIT: Final = 120
TEXT_LIMIT: Final = 20_000
EMAIL_LIMIT: Final = 254
URL_LIMIT: Final = 500
_BYTES: Final = {"name": 400, "text": 60_000, "e-mail address": 254, "web address": 1500}
_CHARACTERS: Final = {"name": NAME_LIMIT, "text": TEXT_LIMIT, "e-mail address": EMAIL_LIMIT, "web address": URL_LIMIT}

#: Characters that reorder the text around them, even after the value they are in.
_BIDI_CONTROLS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_OVERRIDES: Final = re.compile("[\u202d\u202e]")
#: Signs that are put on top of the letter before them. Languages need up to five; a heap covers the lines around it.
_HEAP_OF_MARKS: Final = 9
#: Characters without width that join or part letters of some scripts and the parts of an emoji.
_JOINERS: Final = frozenset("\u200c\u200d")
_JOINED_CATEGORIES: Final = frozenset({"Lo", "Lm", "Mn", "Mc", "So", "Sk"})
#: Characters that XML, and so a feed, cannot contain: control characters, surrogates and noncharacters.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_INVISIBLE: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})

_DIRECTION: Final = "the {} contains a character that changes the direction of the text; remove it"
_LOCAL, _LABEL = r"[^\s@<>(),;:\"\\\[\]]{1,64}", r"[^\s@<>(),;:\"\\\[\].]{1,63}"
_EMAIL: Final = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*")
_WEB: Final = re.compile(r"https?://[^\s<>\"'\\`{}|^]+", re.IGNORECASE)
_MAILTO: Final = re.compile(r"mailto:(.+)", re.IGNORECASE)


def clean_name(name: str) -> str:
    """Clean the name of the author of a comment.

    Raises:
        ContentError: the name is empty, too long, invisible or contains an unprintable character.
    """
    name = _single_line(name)
    if not name:
        raise ContentError("a comment needs a name; give one")
    _check_characters("name", name)
    if not _is_visible(name):
        raise ContentError("the name has no visible character; give one that can be read")
    _refuse_hidden("name", name)
    return name


def clean_text(text: str) -> str:
    """Clean the text of a comment.

    Raises:
        ContentError: the text is empty, too long, invisible or contains an unprintable character.
    """
    text = _multiple_lines(text)
    if not text:
        raise ContentError("the comment is empty; write something")
    _check_characters("text", text)
    if not _is_visible(text):
        raise ContentError("the comment has no visible character; write something that can be read")
    return text


def clean_reader_text(text: str) -> str:
    """Clean the text of a reader's comment, which is refused more than `clean_text` refuses.

    Raises:
        ContentError: as `clean_text`, or it contains a character that changes the direction of text.
    """
    text = clean_text(text)
    if _BIDI_CONTROLS.search(text):
        raise ContentError(_DIRECTION.format("text"))
    return text


def clean_email(address: str) -> str:
    """Clean an e-mail address, which may be empty.

    Raises:
        ContentError: it is not an e-mail address.
    """
    address = _normalized(address.strip())
    _check_characters("e-mail address", address)
    _refuse_hidden("e-mail address", address)
    if address and not _EMAIL.fullmatch(address):
        raise ContentError(f"“{address[:80]}” is no e-mail address; write it like ida@example.org or leave it out")
    return address


def clean_url(url: str, *, allow_mailto: bool = False) -> str:
    """Clean a web address, which may be empty.

    Raises:
        ContentError: it is not a web address, or it has another scheme, such as `javascript:`.
    """
    url = _normalized(url.strip())
    _check_characters("web address", url)
    _refuse_hidden("web address", url)
    mailto = _MAILTO.fullmatch(url) if allow_mailto else None
    if url and not (_EMAIL.fullmatch(mailto[1]) if mailto else _is_web_address(url)):
        raise ContentError(f"“{url[:80]}” is not a web address; write it like https://www.example.org/ or leave it out")
    return url


def email_or_empty(address: str) -> str:
    """The cleaned e-mail address, or an empty string if it is invalid."""
    try:
        return clean_email(address)
    except ContentError:
        return ""


def url_or_empty(url: str) -> str:
    """The cleaned web or `mailto:` address, or an empty string if it is invalid."""
    try:
        return clean_url(url, allow_mailto=True)
    except ContentError:
        return ""


def clean_imported_name(name: str) -> str:
    """Clean an imported name by removing whatever is invalid; empty when nothing is left."""
    name = _single_line(_BIDI_CONTROLS.sub("", _UNPRINTABLE.sub(" ", name)))[:NAME_LIMIT]
    name = name.encode()[: _BYTES["name"]].decode(errors="ignore").strip()
    return name if _is_visible(name) else ""


def clean_imported_text(text: str) -> str:
    """Clean an imported text by removing invalid characters."""
    return _multiple_lines(_OVERRIDES.sub("", _UNPRINTABLE.sub("", text)))


def _normalized(value: str) -> str:
    return unicodedata.normalize("NFC", value)


def _single_line(value: str) -> str:
    return " ".join(_normalized(value).split())


def _multiple_lines(value: str) -> str:
    return _normalized(value.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _is_visible(value: str) -> bool:
    return any(unicodedata.category(c) not in _INVISIBLE_CATEGORIES and c not in _INVISIBLE for c in value)


def _refuse_hidden(field: str, value: str) -> None:
    """Refuse characters that cannot be seen, by which one value could pass for another."""
    before = ""
    for character in value:
        if unicodedata.category(character) == "Cf" and not (
            character in _JOINERS and before and unicodedata.category(before) in _JOINED_CATEGORIES
        ):
            raise ContentError(f"the {field} contains a character that cannot be seen; remove it")
        before = character


def _has_heap_of_marks(value: str) -> bool:
    if value.isascii():
        return False
    height = 0
    for character in value:
        height = height + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if height > _HEAP_OF_MARKS:
            return True
    return False


def _is_web_address(url: str) -> bool:
    try:
        return bool(_WEB.fullmatch(url) and urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:  # brackets without an address between them, or a port that is no number
        return False


def _check_characters(field: str, value: str) -> None:
    if len(value) > _CHARACTERS[field]:
        raise ContentError(f"the {field} has {len(value):,} characters; use at most {_CHARACTERS[field]:,}")
    if _UNPRINTABLE.search(value):
        raise ContentError(f"the {field} contains an unprintable character; remove it")
    if (_OVERRIDES if field == "text" else _BIDI_CONTROLS).search(value):
        raise ContentError(_DIRECTION.format(field))
    if _has_heap_of_marks(value):
        raise ContentError(f"the {field} contains a heap of accents on one letter; remove some of them")
    if len(value.encode()) > _BYTES[field]:
        raise ContentError(f"the {field} has {len(value.encode()):,} bytes; use at most {_BYTES[field]:,}")
