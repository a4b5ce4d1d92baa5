"""The aspects of an entry: its title, date, text and so on, as bit flags.

A change records which aspects it changed, and a build records which aspects each page read. A change therefore rebuilds
only the pages that read an aspect it changed. Both are stored as integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntFlag
from typing import Final


class Aspect(IntFlag):
    """A set of aspects of an entry."""

    TITLE = 1
    #: The relative or absolute URL, and the slug.
    ADDRESS = 2
    #: The time of publication.
    DATE = 4
    #: The time of the last modification.
    MODIFIED = 8
    #: The authors, categories and tags.
    TERMS = 16
    #: The full text.
    TEXT = 32
    EXCERPT = 64
    SUMMARY = 128
    #: The number of comments.
    COUNT = 256
    COMMENTS = 512
    #: The entries published just before and after it.
    NEIGHBOURS = 1024
    #: The kind, whether comments are open, and unknown front matter keys.
    OTHER = 2048
    #: The listings that contain the entry, its position in them, and the path of its own page. Only listings depend on
    #: this aspect; no template can read it.
    PLACE = 4096


#: Every aspect: for an entry that was added, removed or replaced as a whole.
EVERYTHING: Final = Aspect((1 << 13) - 1)
#: The aspects that a comment changes.
COMMENT_ASPECTS: Final = Aspect.COUNT | Aspect.COMMENTS

_COLUMN_ASPECTS: Final[Mapping[str, Aspect]] = {
    "title": Aspect.TITLE,
    "slug": Aspect.ADDRESS | Aspect.PLACE,
    "address": Aspect.ADDRESS | Aspect.PLACE,
    "folder": Aspect.ADDRESS | Aspect.PLACE,
    "gives_way": Aspect.ADDRESS | Aspect.PLACE,
    "published_at": Aspect.DATE | Aspect.ADDRESS | Aspect.PLACE,
    "day": Aspect.PLACE,
    "week": Aspect.PLACE,
    "kind": EVERYTHING,
    "status": EVERYTHING,
    "modified_at": Aspect.MODIFIED,
    "html": Aspect.TEXT,
    "excerpt": Aspect.EXCERPT,
    "summary": Aspect.SUMMARY,
    "late_bound": Aspect.TEXT | Aspect.EXCERPT,
    "allow_comments": Aspect.OTHER,
    "extra": Aspect.OTHER,
}


def aspects_of_columns(columns: Iterable[str]) -> Aspect:
    """The aspects that a change of these columns of an entry changes; empty for columns that no page shows."""
    changed = Aspect(0)
    for column in columns:
        changed |= _COLUMN_ASPECTS.get(column, Aspect(0))
    return changed


_DESCRIPTIONS: Final[Mapping[Aspect, str]] = {
    Aspect.TITLE: "the title",
    Aspect.ADDRESS: "the address",
    Aspect.DATE: "the date",
    Aspect.MODIFIED: "the modification date",
    Aspect.TERMS: "authors, categories or tags",
    Aspect.TEXT: "the text",
    Aspect.EXCERPT: "the excerpt",
    Aspect.SUMMARY: "the summary",
    Aspect.COUNT: "the number of comments",
    Aspect.COMMENTS: "comments",
    Aspect.NEIGHBOURS: "the neighbours",
    Aspect.OTHER: "other values",
}


def describe(aspects: int, conjunction: str = "or") -> str:
    """Aspects in words: `the title, the date or comments`."""
    words = [word for aspect, word in _DESCRIPTIONS.items() if aspect & aspects]
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
