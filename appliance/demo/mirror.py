"""Whether folders are byte for byte the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Comparison:
    """How folders compare with the first of them."""

    files: int
    bytes: int
    #: One sentence for each difference.
    differences: list[str]


def compare(docroot: Path, mirrors: Sequence[Path]) -> Comparison:
    """Compare the files of `mirrors` with those of `docroot`, by path and content."""
    wanted = digests(docroot)
    differences = []
    for mirror in mirrors:
        found = digests(mirror)
        differences += [f"{mirror / path} is missing" for path in sorted(wanted.keys() - found.keys())]
        differences += [f"{mirror / path} should not be there" for path in sorted(found.keys() - wanted.keys())]
        differences += [
            f"{mirror / path} differs from {docroot / path}"
            for path in sorted(wanted.keys() & found.keys())
            if wanted[path] != found[path]
        ]
    return Comparison(len(wanted), sum(size for size, _ in wanted.values()), differences)


def digests(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and digest of every file in `folder`, hidden ones too, by path below it; of a link, those of its text."""
    found = {}
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            kind = "link " if path.is_symlink() else ""
            found[str(path.relative_to(folder))] = (len(content), kind + hashlib.blake2b(content).hexdigest())
    return found
