"""The names under which rsync writes a file until it is complete: beside it, `.NAME.` and six letters and digits.

A name that begins with a dot gets no other, and a long one is shortened, so that a temporary name does not always tell
the file. Guarantees that all who look for what interrupted pushes left read these names in the same way.
"""

from __future__ import annotations

import re

_TEMPORARY = re.compile(r"\.(.+)\.([A-Za-z0-9]{6})", re.DOTALL)
#: rsync makes up the last part. People choose `backup`, `OLDOLD`, `Backup`, `bak001` and `202411`.
_CHOSEN = re.compile(r"[A-Za-z0-9][a-z0-9]{5}|[A-Z0-9]{6}")

#: rsync shortens a long name to make room for its suffix, between two characters. It always keeps this many bytes.
_KEPT_BYTES = 240


def stem(name: str, *, doubtful: bool = False) -> str:
    """Return the path that a temporary file is meant for, as `shorten` gives it; empty for other names.

    Args:
        name: the path of the file, or its name alone.
        doubtful: read also names that a person may have chosen.
    """
    folder, slash, own = name.rpartition("/")
    found = _TEMPORARY.fullmatch(own)
    if not found or (_CHOSEN.fullmatch(found[2]) and not doubtful):
        return ""
    return shorten(f"{folder}{slash}{found[1]}")


def shorten(path: str) -> str:
    """Return the part of a path that its temporary file keeps: without a dot before the name, and of limited length."""
    folder, slash, own = path.rpartition("/")
    kept = own.removeprefix(".").encode(errors="surrogateescape")[:_KEPT_BYTES]
    return folder + slash + kept.decode(errors="replace")


def is_shortened(stem: str) -> bool:
    """Whether a temporary file with this stem may be meant for a longer name."""
    return len(stem.rpartition("/")[2].encode(errors="surrogateescape")) >= _KEPT_BYTES


def with_dot(stem: str) -> str:
    """Return the other path that a temporary file may be meant for: the one with a dot before the name."""
    folder, slash, own = stem.rpartition("/")
    return f"{folder}{slash}.{own}"
