"""What of an entry a page may show, and what of it a change touched: a change concerns the pages that show some of it.

Recorded with each change and, while building, with each reading; both are kept in the database as whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntFlag
from typing import Final


class Aspect(IntFlag):
    """The aspects of an entry."""

    TITLE = 1
    #: Its address, absolute or not, and its slug.
    ADDRESS = 2
    #: When it was published.
    DATE = 4
    MODIFIED = 8
    #: Its authors, categories and tags.
    TERMS = 16
    #: The whole text.
    TEXT = 32
    EXCERPT = 64
    SUMMARY = 128
    #: How many comments it has.
    COUNT = 256
    COMMENTS = 512
    #: The entries published before and after it.
    NEIGHBOURS = 1024
    #: Its kind, whether readers may comment, what its front matter says besides.
    OTHER = 2048
    #: Which listings it is in, where in them, and where its own page lies. No page shows this of an entry; listings do.
    PLACE = 4096


#: An entry that came, went, or was replaced altogether.
EVERYTHING: Final = Aspect((1 << 13) - 1)
#: What a comment touches.
TALK: Final = Aspect.COUNT | Aspect.COMMENTS

_OF_COLUMNS: Final[Mapping[str, Aspect]] = {
    "title": Aspect.TITLE,
    "slug": Aspect.ADDRESS | Aspect.PLACE,
    "address": Aspect.ADDRESS | Aspect.PLACE,
    "folder": Aspect.ADDRESS | Aspect.PLACE,
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


def of_columns(columns: Iterable[str]) -> Aspect:
    """What is touched by a change of these columns of an entry; nothing by those that no page shows."""
    touched = Aspect(0)
    for column in columns:
        touched |= _OF_COLUMNS.get(column, Aspect(0))
    return touched


_WORDS: Final[Mapping[Aspect, str]] = {
    Aspect.TITLE: "the title", Aspect.ADDRESS: "the address", Aspect.DATE: "the date",
    Aspect.MODIFIED: "when it changed",
    Aspect.TERMS: "authors, categories or tags", Aspect.TEXT: "the text", Aspect.EXCERPT: "the excerpt",
    Aspect.SUMMARY: "the summary", Aspect.COUNT: "the number of comments", Aspect.COMMENTS: "comments",
    Aspect.NEIGHBOURS: "the neighbours", Aspect.OTHER: "other values",
}  # fmt: skip


def in_words(aspects: int, joined: str = "or") -> str:
    """Aspects as people call them: `the title, the date or comments`."""
    named = [word for aspect, word in _WORDS.items() if aspect & aspects]
    return f" {joined} ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else "".join(named)
