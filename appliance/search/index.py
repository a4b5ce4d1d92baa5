"""Keeps the words of every published entry.

Triggers note each entry that changes as stale, whoever changes it. What a transaction changed is read again before it
is committed, up to a few entries of ordinary length; `catch_up` reads the others in steps, among them every entry of a
site that was never read or whose language has changed. A step locks nothing while it divides texts into words, and
an entry that changes meanwhile stays stale.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from appliance import clock, db
from appliance.content.excerpts import plain_text
from appliance.search.tokens import VERSION, stemmer_of, tokens

#: Characters of an entry's HTML, and of its words, that are searched. PostgreSQL indexes no more than a megabyte.
_HTML: Final = 1_000_000
_WORDS: Final = 200_000
#: Entries that are read before a transaction is committed, and the characters of HTML that each of them may have.
_AT_ONCE: Final = 8
_SHORT: Final = 100_000
#: Entries of a step, and entries of a site that are put on the list at once.
_STEP: Final = 20
_LISTED: Final = 500

#: Times further away from the epoch count as this far. Together with the id a time is a number of 64 bits.
_FARTHEST: Final = 2**34
_IDS: Final = 2**28

_STALE: Final = f"""
SELECT s.entry_id, s.mark, e.site_id, e.status, e.title, substr(e.html, 1, {_HTML}), e.published_at, site.language
FROM search_stale s JOIN entry e ON e.id = s.entry_id JOIN site ON site.id = e.site_id
"""
_SAVE: Final = """
INSERT INTO search_document (entry_id, number, site_id, words) VALUES (?, ?, ?, ?)
ON CONFLICT (entry_id) DO UPDATE SET number = excluded.number, site_id = excluded.site_id, words = excluded.words
WHERE search_document.number <> excluded.number OR search_document.site_id <> excluded.site_id
   OR search_document.words <> excluded.words
"""
_STATES: Final = """
SELECT s.id, s.language, t.version, t.stemmer, t.position
FROM site s LEFT JOIN search_state t ON t.site_id = s.id ORDER BY s.id
"""
_SAVE_STATE: Final = """
INSERT INTO search_state (site_id, version, stemmer, position) VALUES (?, ?, ?, ?)
ON CONFLICT (site_id) DO UPDATE
SET version = excluded.version, stemmer = excluded.stemmer, position = excluded.position
"""


class _Stale(NamedTuple):
    """A row of `_STALE`."""

    entry: int
    mark: int
    site: int
    status: str
    title: str
    html: str
    published_at: int
    language: str

    @property
    def words(self) -> str:
        """The words of a published entry; empty for others."""
        return document_words(self.title, self.html, self.language) if self.status == "published" else ""


def document_number(published_at: int, entry: int) -> int:
    """A number by which entries are ordered as they were published, and those of one second by their ids."""
    return max(-_FARTHEST, min(published_at, _FARTHEST - 1)) * _IDS + entry


def document_words(title: str, html: str, language: str) -> str:
    """The words of an entry as they are stored; empty if it has none."""
    parts = [[token.word for token in tokens(text, language)] for text in (title, plain_text(html))]
    if not any(parts):
        return ""
    words = f" {' '.join([*parts[0], '|', *parts[1]])} "
    return words if len(words) <= _WORDS else words[: words.rindex(" ", 0, _WORDS) + 1]


def index_changed() -> None:
    """Read what the open transaction changed, if it is little. What changed last comes first."""
    query = f"{_STALE} WHERE s.mark > 0 ORDER BY s.mark DESC LIMIT {_AT_ONCE} {db.skip_locked('s')}"
    rows = [_Stale(*row) for row in db.execute(query).fetchall()]
    _save([(row, row.words) for row in rows if len(row.html) <= _SHORT])


def catch_up(seconds: float = 1.0, stopping: Callable[[], bool] = lambda: False) -> int:
    """Read entries that are stale, for about so many seconds at most; returns their number."""
    end, count = clock.monotonic() + seconds, 0
    # Entries are put on the list before any is read: those that are on it already are then read once.
    while not stopping():
        read = 0 if (listed := _list_entries()) else _take_step()
        count += read
        if not (listed or read) or clock.monotonic() > end:
            break
    return count


def next_due() -> float | None:
    """When there is something to catch up on: at once, or never."""
    if db.execute("SELECT 1 FROM search_stale LIMIT 1").fetchone():
        return 0.0
    return 0.0 if any(_is_unlisted(*row) for row in db.execute(_STATES).fetchall()) else None


def _take_step() -> int:
    rows = [_Stale(*row) for row in db.execute(f"{_STALE} ORDER BY s.mark DESC LIMIT {_STEP}").fetchall()]
    if not rows:
        return 0
    documents = [(row, row.words) for row in rows]
    with db.write():
        # Those that changed meanwhile have another mark. Whoever is changing one now has locked it.
        query = f"SELECT entry_id, mark FROM search_stale WHERE entry_id IN ({db.placeholders(len(rows))})"
        unchanged = {
            tuple(row) for row in db.execute(f"{query} {db.skip_locked()}", [r.entry for r in rows]).fetchall()
        }
        kept = [(row, words) for row, words in documents if (row.entry, row.mark) in unchanged]
        _save(kept)
    return len(kept)


def _save(documents: Sequence[tuple[_Stale, str]]) -> None:
    for row, words in documents:
        if words:
            db.execute(_SAVE, [row.entry, document_number(row.published_at, row.entry), row.site, words])
        else:
            db.execute("DELETE FROM search_document WHERE entry_id = ?", [row.entry])
    if documents:
        entries = [row.entry for row, _ in documents]
        db.execute(f"DELETE FROM search_stale WHERE entry_id IN ({db.placeholders(len(entries))})", entries)


def _is_unlisted(_site: int, language: str, version: int | None, stemmer: str | None, position: int | None) -> bool:
    """Whether entries of a site have not been put on the list for this way of dividing text.

    A host of a later release has seen to it if the version is greater than ours.
    """
    if version is not None and version > VERSION:
        return False
    return (version, stemmer) != (VERSION, stemmer_of(language)) or position is not None


def _list_entries() -> bool:
    """Put the next entries on the list that were never read in this way; returns whether there were any."""
    with db.write():
        db.acquire_lock("search")
        unlisted = [row for row in db.execute(_STATES).fetchall() if _is_unlisted(*row)]
        if unlisted:
            _list_entries_of(*unlisted[0])
    return bool(unlisted)


def _list_entries_of(site: int, language: str, version: int, stemmer: str, position: int | None) -> None:
    wanted = stemmer_of(language)
    if (version, stemmer) != (VERSION, wanted):
        position = 0
    query = "SELECT id FROM entry WHERE site_id = ? AND id > ? AND status = 'published' ORDER BY id LIMIT ?"
    entries = [number for (number,) in db.execute(query, [site, position, _LISTED]).fetchall()]
    if entries:
        insert = f"INSERT INTO search_stale (entry_id, mark) VALUES {db.placeholders(len(entries), 2)}"
        marks: list[Any] = [value for entry in entries for value in (entry, -1 - random.getrandbits(61))]
        db.execute(f"{insert} ON CONFLICT (entry_id) DO NOTHING", marks)
    db.execute(_SAVE_STATE, [site, VERSION, wanted, entries[-1] if entries else None])
