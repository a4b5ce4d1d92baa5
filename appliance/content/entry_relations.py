"""The authors, categories, tags and former addresses of an entry.

When an entry leaves a category, author or tag, a change is recorded for that term, because afterwards nothing else
shows which listing the entry left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance import db
from appliance.content.aspects import Aspect
from appliance.content.changes import record
from appliance.content.models import Alias, Entry, EntryAuthor, EntryCategory, EntryTag
from appliance.content.terms import SiteTerms


@dataclass(frozen=True, slots=True)
class EntryRelations:
    """The ids of an entry's terms, in order and with the primary category first, and its former addresses."""

    authors: tuple[int, ...] = ()
    categories: tuple[int, ...] = ()
    tags: tuple[int, ...] = ()
    aliases: frozenset[str] = frozenset()

    @classmethod
    def stored(cls, entry: Entry | None) -> EntryRelations:
        """Load the relations of an entry from the database; no entry has none."""
        if entry is None:
            return cls()
        authors = EntryAuthor.select(EntryAuthor.author).where(EntryAuthor.entry == entry.id)
        categories = EntryCategory.select(EntryCategory.category).where(EntryCategory.entry == entry.id)
        tags = EntryTag.select(EntryTag.tag).where(EntryTag.entry == entry.id)
        aliases = Alias.select(Alias.path).where(Alias.entry == entry.id)
        return cls(
            _first_column(authors.order_by(EntryAuthor.position)),
            _first_column(categories.order_by(EntryCategory.is_primary.desc(), EntryCategory.category)),
            _first_column(tags.order_by(EntryTag.position)),
            frozenset(_first_column(aliases)),
        )

    @classmethod
    def stored_many(cls, entries: Sequence[int]) -> dict[int, EntryRelations]:
        """Load the relations of many entries; returns them by the id of the entry."""
        orders = {
            "author": "position", "category": "is_primary DESC, category_id", "tag": "position",
        }  # fmt: skip
        found: dict[str, dict[int, list[Any]]] = {name: {} for name in (*orders, "alias")}
        for some in db.chunks(entries):
            marks = db.placeholders(len(some))
            for kind, order in orders.items():
                sql = f"SELECT entry_id, {kind}_id FROM entry_{kind} WHERE entry_id IN ({marks}) ORDER BY {order}"
                for entry, key in db.execute(sql, some).fetchall():
                    found[kind].setdefault(entry, []).append(key)
            aliases = db.execute(f"SELECT entry_id, path FROM alias WHERE entry_id IN ({marks})", some)
            for entry, path in aliases.fetchall():
                found["alias"].setdefault(entry, []).append(path)
        authors, categories, tags = (found[kind] for kind in orders)
        return {
            entry: cls(
                tuple(authors.get(entry, ())),
                tuple(categories.get(entry, ())),
                tuple(tags.get(entry, ())),
                frozenset(found["alias"].get(entry, ())),
            )
            for entry in entries
        }

    @classmethod
    def from_names(
        cls,
        authors: Sequence[str],
        categories: Sequence[Sequence[str]],
        tags: Sequence[str],
        aliases: Sequence[str],
        terms: SiteTerms,
    ) -> EntryRelations:
        """Look up terms by name or slug, and create those that do not exist yet."""
        ids = list(dict.fromkeys(terms.category_id(names) for names in categories))
        return cls(
            tuple(dict.fromkeys(terms.author_id(name) for name in authors)),
            tuple(ids[:1] + sorted(ids[1:])),
            tuple(dict.fromkeys(terms.tag_id(name) for name in tags)),
            frozenset(aliases),
        )

    def save(self, entry: Entry, before: EntryRelations, actor: str) -> None:
        """Write the relations of `entry` that differ from `before`, and record the terms that it left."""
        if self.authors != before.authors:
            rows = [{"entry": entry.id, "author": a, "position": n} for n, a in enumerate(self.authors)]
            _replace(EntryAuthor, entry, rows)
        if self.categories != before.categories:
            rows = [{"entry": entry.id, "category": c, "is_primary": n == 0} for n, c in enumerate(self.categories)]
            _replace(EntryCategory, entry, rows)
        if self.tags != before.tags:
            rows = [{"entry": entry.id, "tag": t, "position": n} for n, t in enumerate(self.tags)]
            _replace(EntryTag, entry, rows)
        if self.aliases != before.aliases:
            removed = sorted(before.aliases - self.aliases)
            Alias.delete().where(Alias.entry == entry.id, Alias.path.in_(removed)).execute()
            added = sorted(self.aliases - before.aliases)
            if added:
                Alias.insert_many([{"site": entry.site_id, "entry": entry.id, "path": p} for p in added]).execute()
        for kind, key in before.lost_terms(self):
            record(entry.site_id, f"{kind} lost an entry", kind, key, entry.id, actor)

    def changed_aspects(self, before: EntryRelations) -> Aspect:
        """The aspects of the entry that change when these relations replace `before`."""
        if (self.authors, self.categories, self.tags) != (before.authors, before.categories, before.tags):
            return Aspect.TERMS | Aspect.PLACE
        return Aspect.PLACE if self != before else Aspect(0)

    def lost_terms(self, after: EntryRelations) -> list[tuple[str, int]]:
        """The terms, as kind and id, that the relations `after` these no longer have."""
        return sorted(self._term_keys() - after._term_keys()) if self != after else []

    def _term_keys(self) -> set[tuple[str, int]]:
        ids = {"author": self.authors, "category": self.categories, "tag": self.tags}
        return {(kind, key) for kind, keys in ids.items() for key in keys}


def _first_column(query: Any) -> tuple[Any, ...]:
    return tuple(row[0] for row in query.tuples())


def _replace(model: Any, entry: Entry, rows: list[dict[str, Any]]) -> None:
    model.delete().where(model.entry == entry.id).execute()
    if rows:
        model.insert_many(rows).execute()
