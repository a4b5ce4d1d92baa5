"""The static files of an application, under addresses that change with their content, so that browsers keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path


def digests(folder: Path) -> Mapping[str, str]:
    """The digests of the files below a folder, by their paths in it."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {file.relative_to(folder).as_posix(): _digest(file) for file in files}


def addresses(folder: Path, prefix: str) -> Callable[[str], str]:
    """A function for templates: the address of a static file below `prefix`, with its digest."""
    known = digests(folder)
    return lambda name: f"{prefix}{name}?v={known[name]}"


def _digest(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes(), digest_size=4).hexdigest()
