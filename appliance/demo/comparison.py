"""Compares folders byte for byte."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Comparison:
    """The result of comparing folders with a docroot."""

    files: int
    bytes: int
    #: One sentence for each difference.
    differences: list[str]


def compare_folders(docroot: Path, copies: Sequence[Path]) -> Comparison:
    """Compare the files of `copies` with those of `docroot`, by path and content."""
    wanted = digests(docroot)
    differences = []
    for copy in copies:
        found = digests(copy)
        differences += [f"{copy / path} is missing" for path in sorted(wanted.keys() - found.keys())]
        differences += [f"{copy / path} should not be there" for path in sorted(found.keys() - wanted.keys())]
        differences += [
            f"{copy / path} differs from {docroot / path}"
            for path in sorted(wanted.keys() & found.keys())
            if wanted[path] != found[path]
        ]
    return Comparison(len(wanted), sum(size for size, _ in wanted.values()), differences)


def digests(folder: Path) -> dict[str, tuple[int, str]]:
    """Return size and digest of every file in `folder`, including hidden ones, by path. A link is not followed."""
    found = {}
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            kind = "link " if path.is_symlink() else ""
            found[str(path.relative_to(folder))] = (len(content), kind + hashlib.blake2b(content).hexdigest())
    return found
