"""The part of a query that the two databases do differently: which documents have words."""

from __future__ import annotations

from typing import Any, Final

from appliance import db
from appliance.db.sqlite import Sqlite
from appliance.search.terms import Terms

#: FTS5 gives the rows in the order of their numbers, without sorting.
_SQLITE: Final = """
SELECT d.number, d.entry_id FROM search_index f CROSS JOIN search_document d ON d.number = f.rowid
WHERE f.search_index MATCH ? {before} ORDER BY f.rowid DESC LIMIT ?
"""
_POSTGRESQL: Final = """
SELECT number, entry_id FROM search_document
WHERE array_to_tsvector(string_to_array(btrim(words), ' ')) @@ CAST(? AS tsquery) AND site_id = ? {before}
ORDER BY number + 0 DESC LIMIT ?
"""


def prepare() -> None:
    """Have PostgreSQL find words through their index in this transaction.

    It cannot know how long it takes to read the words of a document, which are stored apart from it. For the same
    reason no query here lets it walk through the documents in their order.
    """
    if not _is_sqlite():
        db.execute("SELECT set_config('enable_seqscan', 'off', true)")


def candidates(site: int, terms: Terms, before: int | None, limit: int) -> list[tuple[int, int]]:
    """The numbers and entries of the newest documents of a site that have all words, in any order.

    Args:
        site: the id of the site.
        terms: the words.
        before: only documents with a smaller number; None for all.
        limit: the most documents.
    """
    after = [] if before is None else [before]
    if _is_sqlite():
        words = [f'"{word}"' for word in (*terms.words, f"_{site}")] + [f'"{word}" *' for word in terms.beginnings]
        sql, values = _SQLITE.format(before="AND f.rowid < ?" if after else ""), [" AND ".join(words), *after, limit]
    else:
        words = [f"'{word}'" for word in terms.words] + [f"'{word}':*" for word in terms.beginnings]
        sql = _POSTGRESQL.format(before="AND number + 0 < ?" if after else "")
        values = [" & ".join(words), site, *after, limit]
    rows: list[Any] = db.execute(sql, values).fetchall()
    return [(number, entry) for number, entry in rows]


def contains(column: str) -> str:
    """The condition that a text contains another one, which is to be bound."""
    return f"{'instr' if _is_sqlite() else 'strpos'}({column}, ?) > 0"


def _is_sqlite() -> bool:
    return isinstance(db.backend(), Sqlite)
