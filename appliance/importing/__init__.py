"""Import of content from other systems: folders of Markdown, Movable Type's text format, WordPress exports.

    formats.import_content ─► markdown, movabletype or wordpress ─► entries, assets and comments, and a Report

The package of each format parses its files. The modules here hold what all formats share. `sources` pulls folders and
git repositories again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: Called with how much is done and how much there is; each importer says in which unit.
Progress = Callable[[int, int], None]

#: The actor of every change that an import makes.
ACTOR: Final = "import"

#: Rows written in one transaction.
BATCH_SIZE: Final = 200


def ignore_progress(done: int, total: int) -> None:
    """Show no progress."""
