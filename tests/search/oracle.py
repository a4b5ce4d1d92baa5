"""What the index and a query should give, made from the entries alone."""

from __future__ import annotations

from appliance import db
from appliance.content.models import Entry, Site
from appliance.search import index
from appliance.search.terms import Term, parse

_TERMS = "CREATE VIRTUAL TABLE temp.search_terms USING fts5vocab (main, search_index, instance)"


def stored() -> list[tuple[object, ...]]:
    """Everything that is stored for the search: documents, and on SQLite each word of the index with its document."""
    documents = db.execute("SELECT entry_id, number, site_id, words FROM search_document ORDER BY 1").fetchall()
    if db.opened_config().database_url:  # type: ignore[union-attr]
        return list(documents)
    db.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')")
    db.execute(_TERMS)
    try:
        words = db.execute("SELECT term, doc FROM temp.search_terms ORDER BY 1, 2").fetchall()
    finally:
        db.execute("DROP TABLE temp.search_terms")
    return [*documents, *words]


def expected() -> list[tuple[object, ...]]:
    """What should be stored."""
    languages = {site.id: site.language for site in Site.select()}
    documents, words = [], set()
    for entry in Entry.select().where(Entry.status == "published").order_by(Entry.id):
        text = index.document_words(entry.title, entry.html, languages[entry.site_id])
        if text:
            number = index.document_number(entry.published_at, entry.id)
            documents.append((entry.id, number, entry.site_id, text))
            words |= {(word, number) for word in (*text.replace("|", " ").split(), f"_{entry.site_id}")}
    is_sqlite = not db.opened_config().database_url  # type: ignore[union-attr]
    return [*documents, *(sorted(words) if is_sqlite else [])]


def found(site: Site, query: str, size: int) -> list[int]:
    """The ids of the entries that a query should find, newest first."""
    documents = {
        entry: index.document_words(entry.title, entry.html, site.language)
        for entry in Entry.select().where(Entry.site == site, Entry.status == "published")
        .order_by(Entry.published_at.desc(), Entry.id.desc())
    }  # fmt: skip
    terms = parse(query, site.language)
    matching = [entry.id for entry, words in documents.items() if terms.all and _has_all(words, terms.all)]
    last = terms.all[-1] if terms.all else None
    if len(matching) >= size or last is None or len(last.words) > 1 or len(last.words[0]) < 3 or last.is_beginning:
        return matching
    some = (*terms.all[:-1], Term(last.words, is_beginning=True))
    return [entry.id for entry, words in documents.items() if _has_all(words, some)]


def _has_all(document: str, terms: tuple[Term, ...]) -> bool:
    return all(_has(document.split(), term) for term in terms)


def _has(words: list[str], term: Term) -> bool:
    count = len(term.words)
    for start in range(len(words) - count + 1):
        *before, last = words[start : start + count]
        ends = last.startswith(term.words[-1]) if term.is_beginning else last == term.words[-1]
        if ends and tuple(before) == term.words[:-1]:
            return True
    return False
