"""The encoding of a file, and whether the file is in Movable Type's format: checked before anything is imported.

Guarantees that a file of another format, or one that is not wholly in its encoding, is refused with a sentence that
says what to do.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from appliance.errors import ContentError

#: The lines between two entries, and between the parts of one.
END, PART = "-" * 8, "-" * 5

#: A line of the keys with which an entry begins.
KEY_LINE = re.compile(r"\s*([A-Z][A-Z0-9_ ]{1,40}?)\s*:\s*(.*)$", re.DOTALL)

#: Characters of a file in which the first entry must begin, and have its first part.
_HEAD = 65_536
#: The first entry has one of these keys.
_COMMON_KEYS = frozenset({"TITLE", "AUTHOR", "DATE", "BASENAME", "STATUS"})
#: Encodings of files that are not UTF-8, the strictest first, with the name that the error suggests.
_OTHERS = {"euc_jp": "euc_jp", "cp932": "shift_jis", "cp1252": "cp1252"}
#: The supersets of Shift_JIS and Latin-1 in which those files are really written.
_SUPERSETS = {"shift_jis": "cp932", "iso8859-1": "cp1252"}


def is_export(file: Path) -> bool:
    """Whether a file begins as the format does: lines of `KEY: value`, then a line of five dashes."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        raw = opened.read(_HEAD)
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return _begins_right(raw.decode("utf-16" if wide else "latin-1", "replace").removeprefix("\xef\xbb\xbf"))


def check(file: Path, encoding: str | None) -> tuple[str, int]:
    """Read a whole file once; returns the codec to read it with and how many end marks, that is entries, it has.

    Raises:
        ContentError: there is no such file or encoding, or the file is of another format or encoding.
    """
    if not file.is_file():
        raise ContentError(f"{file}: {'is not a file' if file.exists() else 'does not exist'}; name an export file")
    codec = _codec(encoding)
    marks, head = 0, ""
    try:
        with open_text(file, codec) as text:
            for line in text:
                if len(head) < _HEAD:
                    head += line
                marks += line.rstrip("\r\n") == END
    except UnicodeError as error:
        raise ContentError(_refusal(file, encoding)) from error
    if not _begins_right(head):
        raise ContentError(
            f"{file}: is not in Movable Type's format, in which entries begin with lines such as “TITLE: …” and have a "
            "line of five dashes before their text; name an export in this format"
        )
    return codec, marks


def open_text(file: Path, codec: str) -> TextIO:
    """The file, to be read line by line. Only a line feed ends a line."""
    return file.open(encoding=codec, newline="\n")


def _begins_right(head: str) -> bool:
    seen: set[str] = set()
    for line in head.splitlines():
        if line.strip() in ("", END):
            continue
        if line.strip() == PART:
            return bool(seen & _COMMON_KEYS)
        if match := KEY_LINE.match(line):
            seen.add(match[1])
        elif not seen:
            return False
    return False


def _codec(encoding: str | None) -> str:
    if not encoding:
        return "utf-8-sig"
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise ContentError(
            f"“{encoding}” is not an encoding; use one such as utf-8, cp1252, shift_jis or euc_jp"
        ) from error
    return "utf-8-sig" if name == "utf-8" else _SUPERSETS.get(name, name)


def _refusal(file: Path, encoding: str | None) -> str:
    sample = list(_not_ascii(file))
    fitting = [name for one, name in _OTHERS.items() if all(_fits(line, one) for _, line in sample)]
    if encoding:
        return f"{file}: is not written in {encoding}; leave the encoding out for UTF-8, or name another"
    first = next((number for number, line in sample if not _fits(line, "utf-8")), 0)
    where = f" (see line {first})" if first else ""
    tries = " or ".join(fitting or ["cp1252"])
    return f"{file}: is not UTF-8{where}; name its encoding, probably --encoding {tries}"


def _not_ascii(file: Path) -> Iterator[tuple[int, bytes]]:
    """Up to 2,000 lines that are not ASCII, with their numbers."""
    found = 0
    with file.open("rb") as opened:
        for number, line in enumerate(opened, 1):
            if not line.isascii():
                found += 1
                yield number, line
            if found == 2000:
                return


def _fits(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeError:
        return False
    return True
