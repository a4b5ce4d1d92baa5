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

from peewee import DatabaseError

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

_STALE: Final = "SELECT entry_id, mark FROM search_stale"
_ENTRIES: Final = f"""
SELECT e.id, e.site_id, e.status, e.title, substr(e.html, 1, {_HTML}), e.published_at, site.language
FROM entry e JOIN site ON site.id = e.site_id WHERE e.id IN
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


class _Entry(NamedTuple):
    """A row of `_ENTRIES`."""

    id: int
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
    query = f"{_STALE} WHERE mark > 0 ORDER BY mark DESC LIMIT {_AT_ONCE} {db.skip_locked()}"
    stale = [entry for entry, _ in db.execute(query).fetchall()]
    _save([(entry, entry.words) for entry in _read(stale) if len(entry.html) <= _SHORT])


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
    """Read the next entries; returns their number."""
    stale = dict(db.execute(f"{_STALE} ORDER BY mark DESC LIMIT {_STEP}").fetchall())
    documents = [(entry, entry.words) for entry in _read(list(stale))]
    if not documents:
        return 0

    def save() -> int:
        # What changed meanwhile has another mark. Whoever is changing it now has locked it.
        query = f"{_STALE} WHERE entry_id IN ({db.placeholders(len(stale))}) {db.skip_locked()}"
        unchanged = set(db.execute(query, list(stale)).fetchall()) & set(stale.items())
        kept = [(entry, words) for entry, words in documents if (entry.id, stale[entry.id]) in unchanged]
        _save(kept)
        return len(kept)

    return _write_without_waiting(save)


def _read(stale: Sequence[int]) -> list[_Entry]:
    if not stale:
        return []
    return [_Entry(*row) for row in db.execute(f"{_ENTRIES} ({db.placeholders(len(stale))})", stale).fetchall()]


def _save(documents: Sequence[tuple[_Entry, str]]) -> None:
    for entry, words in documents:
        if words:
            db.execute(_SAVE, [entry.id, document_number(entry.published_at, entry.id), entry.site, words])
        else:
            db.execute("DELETE FROM search_document WHERE entry_id = ?", [entry.id])
    if documents:
        saved = [entry.id for entry, _ in documents]
        db.execute(f"DELETE FROM search_stale WHERE entry_id IN ({db.placeholders(len(saved))})", saved)


def _is_unlisted(_site: int, language: str, version: int | None, stemmer: str | None, position: int | None) -> bool:
    """Whether entries of a site have not been put on the list for this way of dividing text.

    A host of a later release has seen to it if the version is greater than ours.
    """
    if version is not None and version > VERSION:
        return False
    return (version, stemmer) != (VERSION, stemmer_of(language)) or position is not None


def _list_entries() -> bool:
    """Put the next entries on the list that were never read in this way; returns whether there were any."""

    def list_next() -> int:
        db.acquire_lock("search")
        unlisted = [row for row in db.execute(_STATES).fetchall() if _is_unlisted(*row)]
        if unlisted:
            _list_entries_of(*unlisted[0])
        return len(unlisted)

    return _write_without_waiting(list_next) > 0


def _write_without_waiting(write: Callable[[], int]) -> int:
    """Call `write` in a transaction and return its result; 0 if it would wait for a lock, since it is then undone.

    Whoever deletes an entry waits for its rows here, so that to wait for the entry would be a deadlock.
    """
    try:
        with db.write():
            db.set_short_lock_timeout()
            return write()
    except DatabaseError as error:
        if not db.is_conflict(error):
            raise
    return 0


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
