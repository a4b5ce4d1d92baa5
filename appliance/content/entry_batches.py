"""Saving many reserved or known entries at once, as an import does.

Guarantees the same rows and the same recorded changes as `entries.save` would make for one after the other. The number
of statements grows with hundreds of entries, not with each. Names must have been checked, and aliases that move from
one entry to another released before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from appliance import db
from appliance.content import asset_references, listing_index
from appliance.content.changes import Recorded, record_many
from appliance.content.entries import EntryData, columns_of
from appliance.content.entry_differences import SOURCE_COLUMNS, Difference
from appliance.content.entry_relations import EntryRelations
from appliance.content.markup import RenderedEntry
from appliance.content.models import Site
from appliance.content.terms import SiteTerms

#: The tables of an entry's terms: the column of the term, and the column that holds their order.
_TERMS: Final = {
    "author": ("entry_author", "position"),
    "category": ("entry_category", "is_primary"),
    "tag": ("entry_tag", "position"),
}
#: Columns that are read of an entry but not written with the others.
_READ: Final = ("id", "site_id", "modified_at")


class BatchItem(NamedTuple):
    """An entry to save: its id, the new state and the rendered text."""

    id: int
    data: EntryData
    rendered: RenderedEntry


class _Saved(NamedTuple):
    item: BatchItem
    columns: dict[str, Any]
    difference: Difference
    #: Its day and week before.
    previous: dict[str, str]
    before: EntryRelations
    after: EntryRelations


def save(site: Site, items: Sequence[BatchItem], terms: SiteTerms, actor: str) -> set[int]:
    """Update entries that exist; returns the ids of those with a difference that readers could see."""
    with db.write():
        ids = [item.id for item in items]
        columns = {item.id: columns_of(site, item.data, item.rendered) for item in items}
        stored = _stored(ids, columns)
        relations = EntryRelations.stored_many(ids)
        saved = [
            _compared(item, columns[item.id], stored[item.id], relations[item.id], terms)
            for item in items
            if item.id in stored
        ]
        _write_columns(saved, stored)
        _write_relations(site, saved)
        record_many(site.id, list(_changes(saved, asset_references.update_many(_texts(saved)))), actor)
        if any(one.difference.event and _is_timed(one.item.data) for one in saved):
            db.notify()  # the schedule process sleeps until the next due entry, and one of these may be due earlier
    return {one.item.id for one in saved if one.difference.event}


def _stored(ids: Sequence[int], columns: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The stored columns of the entries, by their ids."""
    names = (*_READ, *next(iter(columns.values()), ()))
    found: dict[int, dict[str, Any]] = {}
    for some in db.chunks(ids):
        rows = db.execute(f"SELECT {', '.join(names)} FROM entry WHERE id IN ({db.placeholders(len(some))})", some)
        found.update((row[0], dict(zip(names, row, strict=True))) for row in rows.fetchall())
    return found


def _compared(
    item: BatchItem, columns: dict[str, Any], stored: dict[str, Any], before: EntryRelations, terms: SiteTerms
) -> _Saved:
    data = item.data
    after = EntryRelations.from_names(data.authors, data.categories, data.tags, data.aliases, terms)
    found = Difference.between(stored, columns, data.modified_at, after.changed_aspects(before))
    return _Saved(item, columns, found, {name: stored[name] for name in ("day", "week", "published_at")}, before, after)


def _write_columns(saved: Sequence[_Saved], stored: dict[int, dict[str, Any]]) -> None:
    """Write the columns that differ, with one statement for all entries in which the same columns differ.

    New entries differ in all but a few; these are written alike.
    """
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in saved:
        values = one.difference.values
        if values:
            is_new = one.difference.event == "added"
            written = set(values) | ({*one.columns, "modified_at"} - SOURCE_COLUMNS if is_new else set())
            groups[tuple(sorted(written))].append({**stored[one.item.id], **values})
    for names, rows in groups.items():
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        for some in db.chunks(rows, 100):
            db.execute(
                f"INSERT INTO entry ({', '.join(some[0])}) VALUES {db.placeholders(len(some), len(some[0]))}"
                f" ON CONFLICT (id) DO UPDATE SET {changes}",
                [value for row in some for value in row.values()],
            )


def _write_relations(site: Site, saved: Sequence[_Saved]) -> None:
    for kind, (table, order) in _TERMS.items():
        pairs = [(one, *_ids_of(one, kind)) for one in saved]
        _delete(table, [one.item.id for one, before, after in pairs if before and before != after])
        rows = [
            (one.item.id, key, number == 0 if order == "is_primary" else number, _live_at(one.item.data))
            for one, before, after in pairs
            if before != after
            for number, key in enumerate(after)
        ]
        _insert(table, ("entry_id", f"{kind}_id", order, "live_at"), rows)
    gone = [alias for one in saved for alias in one.before.aliases - one.after.aliases]
    for some in db.chunks(gone):
        db.execute(f"DELETE FROM alias WHERE site_id = ? AND path IN ({db.placeholders(len(some))})", [site.id, *some])
    added = [(site.id, one.item.id, path) for one in saved for path in sorted(one.after.aliases - one.before.aliases)]
    _insert("alias", ("site_id", "entry_id", "path"), added)
    moved = [one.item.id for one in saved if one.difference.event not in ("", "added") or one.before != one.after]
    if any(one.before != EntryRelations() for one in saved):
        listing_index.update(moved)


def _ids_of(one: _Saved, kind: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if kind == "author":
        return one.before.authors, one.after.authors
    if kind == "category":
        return one.before.categories, one.after.categories
    return one.before.tags, one.after.tags


def _live_at(data: EntryData) -> int | None:
    """As `listing_index` has it."""
    return data.published_at if data.status == "published" and data.kind == "entry" else None


def _delete(table: str, entries: Sequence[int]) -> None:
    for some in db.chunks(entries):
        db.execute(f"DELETE FROM {table} WHERE entry_id IN ({db.placeholders(len(some))})", some)


def _insert(table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    for some in db.chunks(rows):
        db.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES {db.placeholders(len(some), len(columns))}",
            [value for row in some for value in row],
        )


def _texts(saved: Sequence[_Saved]) -> list[asset_references.Text]:
    return [
        asset_references.Text(one.item.id, (one.item.rendered.html, one.item.rendered.excerpt))
        for one in saved
        if one.difference.event
    ]


def _changes(saved: Sequence[_Saved], assets: dict[int, list[int]]) -> Iterable[Recorded]:
    """What to record, in the order in which `entries.save` does; `assets` are those of others, by entry."""
    for one in saved:
        key = one.item.id
        for kind, term in one.before.lost_terms(one.after):
            yield Recorded(f"{kind} lost an entry", kind, term, key)
        for asset in assets.get(key, ()):
            yield Recorded("text that shows a file edited", "asset", asset)
        found = one.difference
        if found.event:
            yield Recorded(f"{one.item.data.kind} {found.event}", "entry", key, key, found.aspects, one.previous)


def _is_timed(data: EntryData) -> bool:
    return data.status == "scheduled" or data.unpublish_at is not None
