"""Finds published entries and pages by their words, newest first.

Guarantees that only what readers can see is found: an entry that is published, at the address where its page stands.
A query costs no more than a bound, whatever it asks for: the newest entries that have its words are looked at, and it
is said whether there are more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from appliance import db
from appliance.content.excerpts import plain_text
from appliance.content.models import EntryKind, Site
from appliance.search import matching, snippets
from appliance.search.terms import Terms, parse

#: Results that are counted. Of more, it is said that there are more.
CAP: Final = 1000
#: Entries with the words of a query that are looked at: at first, and if too few of them are found.
_REACH: Final = (1200, 8800)
#: Characters of an entry's HTML that the snippet is taken from.
_HTML: Final = 200_000

#: Those of some entries that have a page. Only what is published has words, so that the entries need not be
#: read. Of both types at once, or of a site, SQLite would read far more of an index.
_WITH_PAGE: Final = """
SELECT subject FROM artifact WHERE type = '{kind}' AND subject IN (*)
   AND is_permalink AND wanted AND digest IS NOT NULL
"""
_WITH_WORDS: Final = "SELECT entry_id FROM search_document WHERE entry_id IN (*)"
_SHOWN: Final = """
SELECT e.id, e.title, substr(e.html, 1, ?), e.published_at, a.path
FROM entry e JOIN artifact a ON a.type = e.kind AND a.subject = e.id
WHERE e.id IN ({entries}) AND e.status = 'published' AND a.is_permalink AND a.wanted
"""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """An entry or page that was found."""

    entry_id: int
    title: str
    #: The path of its page below the docroot.
    path: str
    #: Seconds since the epoch.
    published_at: int
    #: A part of its text, piece by piece, and for each piece whether it is a word that was asked for.
    snippet: tuple[snippets.Part, ...]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of what was found."""

    results: list[SearchResult]
    #: The number of all that was found, counted up to `CAP`.
    total: int
    #: Whether there may be more than `total`.
    more: bool
    #: From 1.
    page: int


@dataclass(frozen=True, slots=True)
class _Found:
    """The ids of entries, newest first."""

    entries: list[int]
    more: bool


def find(site: Site, text: str, page: int = 1, size: int = 10) -> SearchPage:
    """Find the entries and pages of a site that have all words of a query.

    If whole words do not fill the first page, the last word may be the beginning of one. Words in quotation marks must
    follow one another. A query without words finds nothing.

    Args:
        site: what is searched.
        text: the query, as the reader wrote it.
        page: from 1.
        size: results of a page.
    """
    terms = parse(text, site.language)
    with db.snapshot():
        matching.prepare()
        found = _find(site, terms)
        if len(found.entries) < size and (beginning := terms.with_beginning()):
            terms, found = beginning, _find(site, beginning)
        start = max(page - 1, 0) * size
        results = _results(site, terms, found.entries[start : start + size])
    return SearchPage(results, len(found.entries), found.more, page)


def _find(site: Site, terms: Terms) -> _Found:
    entries: list[int] = []
    before: int | None = None
    for reach in _REACH if terms.all else ():
        rows = matching.candidates(site.id, terms, before, reach)
        for chunk in db.chunks(rows):
            entries += _visible([entry for _, entry in chunk], terms)
            if len(entries) > CAP:
                return _Found(entries[:CAP], more=True)
        if len(rows) < reach:
            return _Found(entries, more=False)
        before = rows[-1][0]
    return _Found(entries, more=bool(terms.all))


def _visible(entries: Sequence[int], terms: Terms) -> list[int]:
    """Those that readers can see, and that have the words of each term one after the other."""
    sequences = terms.sequences
    if sequences:
        conditions = f" AND {matching.contains('words')}" * len(sequences)
        having = _select(f"{_WITH_WORDS}{conditions}", entries, sequences)
        entries = [entry for entry in entries if entry in having]
    seen = {entry for kind in get_args(EntryKind) for entry in _select(_WITH_PAGE.format(kind=kind), entries)}
    return [entry for entry in entries if entry in seen]


def _select(query: str, entries: Sequence[int], values: Sequence[str] = ()) -> set[int]:
    """The ids that a query gives, of those that are put in the place of its star."""
    if not entries:
        return set()
    sql = query.replace("*", db.placeholders(len(entries)))
    return {entry for (entry,) in db.execute(sql, [*entries, *values]).fetchall()}


def _results(site: Site, terms: Terms, entries: Sequence[int]) -> list[SearchResult]:
    if not entries:
        return []
    query = _SHOWN.format(entries=db.placeholders(len(entries)))
    rows = {row[0]: row for row in db.execute(query, [_HTML, *entries]).fetchall()}
    words, beginnings = terms.words, terms.beginnings
    return [
        SearchResult(entry, title, path, at, snippets.snippet(plain_text(html), site.language, words, beginnings))
        for entry, title, html, at, path in (rows[entry] for entry in entries if entry in rows)
    ]
