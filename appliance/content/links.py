"""What an entry is joined to: its authors, categories, tags and former addresses.

Guarantees that an entry that leaves a category, author or tag is noted as a change to this term, since afterwards
nothing else tells which listing it left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.content.aspects import Aspect
from appliance.content.changes import record
from appliance.content.models import Alias, Entry, EntryAuthor, EntryCategory, EntryTag
from appliance.content.terms import Terms


@dataclass(frozen=True, slots=True)
class Links:
    """The terms of an entry by id, in order, the primary category first, and its former addresses."""

    authors: tuple[int, ...] = ()
    categories: tuple[int, ...] = ()
    tags: tuple[int, ...] = ()
    aliases: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entry: Entry | None) -> Links:
        """As the database has them."""
        if entry is None:
            return cls()
        authors = EntryAuthor.select(EntryAuthor.author).where(EntryAuthor.entry == entry.id)
        categories = EntryCategory.select(EntryCategory.category).where(EntryCategory.entry == entry.id)
        tags = EntryTag.select(EntryTag.tag).where(EntryTag.entry == entry.id)
        aliases = Alias.select(Alias.path).where(Alias.entry == entry.id)
        return cls(
            _firsts(authors.order_by(EntryAuthor.position)),
            _firsts(categories.order_by(EntryCategory.is_primary.desc(), EntryCategory.category)),
            _firsts(tags.order_by(EntryTag.position)),
            frozenset(_firsts(aliases)),
        )

    @classmethod
    def named(
        cls,
        authors: Sequence[str],
        categories: Sequence[Sequence[str]],
        tags: Sequence[str],
        aliases: Sequence[str],
        terms: Terms,
    ) -> Links:
        """As an author names them; terms nobody named before are made."""
        ids = list(dict.fromkeys(terms.category(names) for names in categories))
        return cls(
            tuple(dict.fromkeys(terms.author(name) for name in authors)),
            tuple(ids[:1] + sorted(ids[1:])),
            tuple(dict.fromkeys(terms.tag(name) for name in tags)),
            frozenset(aliases),
        )

    def replace(self, entry: Entry, before: Links, actor: str) -> None:
        """Write what differs from `before`."""
        if self.authors != before.authors:
            rows = [{"entry": entry.id, "author": a, "position": n} for n, a in enumerate(self.authors)]
            _replace(EntryAuthor, entry, rows)
        if self.categories != before.categories:
            rows = [{"entry": entry.id, "category": c, "is_primary": n == 0} for n, c in enumerate(self.categories)]
            _replace(EntryCategory, entry, rows)
        if self.tags != before.tags:
            _replace(
                EntryTag,
                entry,
                [{"entry": entry.id, "tag": t, "position": n} for n, t in enumerate(self.tags)],
            )
        if self.aliases != before.aliases:
            gone = sorted(before.aliases - self.aliases)
            Alias.delete().where(Alias.entry == entry.id, Alias.path.in_(gone)).execute()
            fresh = sorted(self.aliases - before.aliases)
            if fresh:
                Alias.insert_many([{"site": entry.site_id, "entry": entry.id, "path": p} for p in fresh]).execute()
        if before != self:
            before.record_leaving(entry, self._terms(), actor)

    def touched(self, before: Links) -> Aspect:
        """What of the entry is touched when it had `before` until now."""
        if self._terms_in_order() != before._terms_in_order():
            return Aspect.TERMS | Aspect.PLACE
        return Aspect.PLACE if self != before else Aspect(0)

    def record_leaving(self, entry: Entry, staying: set[tuple[str, int]], actor: str) -> None:
        """Note the terms that this entry had and has no more."""
        for subject, key in sorted(self._terms() - staying):
            record(entry.site_id, f"{subject} lost an entry", subject, key, entry.id, actor)

    def _terms_in_order(self) -> tuple[tuple[int, ...], ...]:
        return self.authors, self.categories, self.tags

    def _terms(self) -> set[tuple[str, int]]:
        named = {"author": self.authors, "category": self.categories, "tag": self.tags}
        return {(subject, key) for subject, keys in named.items() for key in keys}


def _firsts(query: Any) -> tuple[Any, ...]:
    return tuple(row[0] for row in query.tuples())


def _replace(model: Any, entry: Entry, rows: list[dict[str, Any]]) -> None:
    model.delete().where(model.entry == entry.id).execute()
    if rows:
        model.insert_many(rows).execute()
