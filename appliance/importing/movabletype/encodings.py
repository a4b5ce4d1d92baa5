"""What a file is written in, settled before anything of it is taken.

Guarantees that a file which is not of the format, or not wholly in the encoding it is said to be in, is refused
with a sentence that says what to do.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from appliance.errors import ContentError

#: Between two entries, and between the parts of one.
END, PART = "-" * 8, "-" * 5

#: The line that begins an entry: one of the keys that describe it.
KEY_LINE = re.compile(r"\s*([A-Z][A-Z0-9_ ]{1,40}?)\s*:\s*(.*)$", re.DOTALL)

#: Characters of a file in which the first entry must begin, and have its first part.
_HEAD = 65_536
_TELLING = frozenset({"TITLE", "AUTHOR", "DATE", "BASENAME", "STATUS"})
#: What files of this format are written in when it is not UTF-8, the strictest first.
_OTHERS = ("euc_jp", "cp932", "cp1252")
_SAID = {"euc_jp": "euc_jp", "cp932": "shift_jis", "cp1252": "cp1252"}
#: Shift_JIS and Latin-1 as the systems that wrote these files meant them.
_MEANT = {"shift_jis": "cp932", "iso8859-1": "cp1252"}


def looks_right(file: Path) -> bool:
    """Whether a file begins as one of this format does: lines of `KEY: value`, then a line of five dashes."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        raw = opened.read(_HEAD)
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return _begins_right(raw.decode("utf-16" if wide else "latin-1", "replace").removeprefix("\xef\xbb\xbf"))


def settle(file: Path, encoding: str | None) -> tuple[str, int]:
    """The encoding to read a file in and how many end marks it has.

    Raises:
        ContentError: there is no such file or encoding, it is not of this format, or not in that encoding.
    """
    if not file.is_file():
        raise ContentError(f"{file}: {'is no file' if file.exists() else 'does not exist'}; name an export file")
    name = _known(encoding)
    marks, head = 0, ""
    try:
        with opened_text(file, name) as text:
            for line in text:
                if len(head) < _HEAD:
                    head += line
                marks += line.rstrip("\r\n") == END
    except UnicodeError as error:
        raise ContentError(_refusal(file, encoding)) from error
    if not _begins_right(head):
        raise ContentError(
            f"{file}: is not in Movable Type's format, whose entries begin with lines such as “TITLE: …” and have a "
            "line of five dashes before their text; name an export in this format"
        )
    return name, marks


def opened_text(file: Path, encoding: str) -> TextIO:
    """The file, to be read line by line; only a line feed ends a line."""
    return file.open(encoding=encoding, newline="\n")


def _begins_right(head: str) -> bool:
    seen: set[str] = set()
    for line in head.splitlines():
        if line.strip() in ("", END):
            continue
        if line.strip() == PART:
            return bool(seen & _TELLING)
        if match := KEY_LINE.match(line):
            seen.add(match[1])
        elif not seen:
            return False
    return False


def _known(encoding: str | None) -> str:
    if not encoding:
        return "utf-8-sig"
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise ContentError(
            f"“{encoding}” is no encoding; use one such as utf-8, cp1252, shift_jis or euc_jp"
        ) from error
    return "utf-8-sig" if name == "utf-8" else _MEANT.get(name, name)


def _refusal(file: Path, encoding: str | None) -> str:
    sample = list(_not_ascii(file))
    fitting = [_SAID[one] for one in _OTHERS if all(_fits(line, one) for _, line in sample)]
    if encoding:
        return f"{file}: is not written in {encoding}; leave the encoding out for UTF-8, or name another"
    first = next((number for number, line in sample if not _fits(line, "utf-8")), 0)
    where = f" (see line {first})" if first else ""
    tries = " or ".join(fitting or ["cp1252"])
    return f"{file}: is not UTF-8{where}; say what it is written in, by the looks of it encoding {tries}"


def _not_ascii(file: Path) -> Iterator[tuple[int, bytes]]:
    """Up to 2,000 lines that are more than ASCII, with their numbers."""
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
