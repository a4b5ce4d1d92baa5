"""References from the texts of entries to uploaded files, which decide whether a file is public.

A file that belongs to an entry is public when that entry is published or when another published entry shows it; the
files of a draft stay private with it. The stored references of an entry always match its rendered text. When a text
starts or stops showing a file of another entry, a change is recorded for that file so that planning checks it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from appliance import db
from appliance.content import assets
from appliance.content.changes import record
from appliance.content.models import Asset, Entry, EntryAsset

_REFERENCE: Final = re.compile(r"appliance:asset/(\d{1,18})")

#: SQL condition that asset `a` is public: it belongs to no entry or to a published one, or a published one shows it.
PUBLIC: Final = """(
    a.entry_id IS NULL
    OR EXISTS (SELECT 1 FROM entry o WHERE o.id = a.entry_id AND o.status = 'published')
    OR EXISTS (SELECT 1 FROM entry_asset r JOIN entry e ON e.id = r.entry_id
               WHERE r.asset_id = a.id AND e.status = 'published')
)"""


def ids_in_html(*texts: str) -> set[int]:
    """The ids of the assets that rendered HTML refers to."""
    return {int(found) for text in texts if "appliance:asset/" in text for found in _REFERENCE.findall(text)}


def update(entry: Entry, *, is_new: bool, actor: str = "") -> None:
    """Store the references of a saved entry. Call it in the transaction that saves the entry."""
    current = ids_in_html(entry.html, entry.excerpt)
    stored = set() if is_new else _stored_ids(entry.id)
    removed, added = sorted(stored - current), sorted(current - stored)
    if not removed and not added:
        return
    _record_assets_of_others([*removed, *added], entry, actor)
    for chunk in db.chunks(removed):
        EntryAsset.delete().where(EntryAsset.entry == entry.id, EntryAsset.asset.in_(chunk)).execute()
    for chunk in db.chunks(added):  # the text may refer to an asset that was removed
        marks = db.placeholders(len(chunk))
        db.execute(
            f"INSERT INTO entry_asset (entry_id, asset_id) SELECT ?, id FROM asset WHERE id IN ({marks})",
            [entry.id, *chunk],
        )


class Text(NamedTuple):
    """The rendered text of a saved entry: HTML in parts."""

    entry: int
    html: tuple[str, ...]


def update_many(texts: Sequence[Text]) -> dict[int, list[int]]:
    """Store the references of many saved entries in the transaction that saves them, but record no change.

    Returns the assets for which the caller records one, by the entry: those that belong to another entry and came into
    the text, or left it.
    """
    stored: dict[int, set[int]] = {text.entry: set() for text in texts}
    for some in db.chunks(list(stored)):
        sql = f"SELECT entry_id, asset_id FROM entry_asset WHERE entry_id IN ({db.placeholders(len(some))})"
        for entry, asset in db.execute(sql, some).fetchall():
            stored[entry].add(asset)
    current = {text.entry: ids_in_html(*text.html) for text in texts}
    added = {(entry, asset) for entry, ids in current.items() for asset in ids - stored[entry]}
    removed = {(entry, asset) for entry, ids in stored.items() for asset in ids - current[entry]}
    owners: dict[int, int | None] = {}  # a text may refer to an asset that was removed
    for some in db.chunks(sorted({asset for _, asset in added | removed})):
        sql = f"SELECT id, entry_id FROM asset WHERE id IN ({db.placeholders(len(some))})"
        owners.update(db.execute(sql, some).fetchall())
    for pairs in db.chunks(sorted(removed)):
        db.execute(
            f"DELETE FROM entry_asset WHERE (entry_id, asset_id) IN (VALUES {db.placeholders(len(pairs), 2)})",
            [value for pair in pairs for value in pair],
        )
    for pairs in db.chunks(sorted(pair for pair in added if pair[1] in owners)):
        marks = db.placeholders(len(pairs), 2)
        db.execute(
            f"INSERT INTO entry_asset (entry_id, asset_id) VALUES {marks}", [value for pair in pairs for value in pair]
        )
    of_others: dict[int, list[int]] = {}
    for entry, asset in sorted(added | removed):
        if owners.get(asset) not in (None, entry):
            of_others.setdefault(entry, []).append(asset)
    return of_others


def release_assets(entry: Entry, actor: str = "") -> None:
    """Separate an entry from its assets before it is removed.

    The assets of a published entry stay on the site. Those of an unpublished entry are removed with it, except those
    that another entry shows: they then belong to that entry. A change is recorded for each asset of another entry that
    this one shows, so that planning checks whether the asset is still public.
    """
    _record_assets_of_others(sorted(_stored_ids(entry.id)), entry, actor)
    if entry.status == "published":
        return
    for asset in list(Asset.select().where(Asset.entry == entry.id)):
        new_owner = _find_other_entry(asset, entry)
        if new_owner is None:
            assets.delete(asset, actor)
            continue
        Asset.update(entry=new_owner).where(Asset.id == asset.id).execute()
        record(entry.site_id, "asset edited", "asset", asset.id, new_owner, actor)


def assets_of_entries(entries: Iterable[int]) -> set[int]:
    """The ids of the assets that belong to these entries or that their texts show."""
    ids: set[int] = set()
    for chunk in db.chunks(list(entries)):
        marks = db.placeholders(len(chunk))
        rows = db.execute(
            f"""SELECT id FROM asset WHERE entry_id IN ({marks})
                UNION SELECT asset_id FROM entry_asset WHERE entry_id IN ({marks})""",
            [*chunk, *chunk],
        )
        ids.update(key for (key,) in rows.fetchall())
    return ids


def _find_other_entry(asset: Asset, entry: Entry) -> int | None:
    """The id of another entry that shows an asset, preferably a published one."""
    row = db.execute(
        """SELECT e.id FROM entry_asset r JOIN entry e ON e.id = r.entry_id WHERE r.asset_id = ? AND e.id <> ?
           ORDER BY e.status <> 'published', e.id LIMIT 1""",
        [asset.id, entry.id],
    ).fetchone()
    return None if row is None else int(row[0])


def _stored_ids(entry: int) -> set[int]:
    rows = db.execute("SELECT asset_id FROM entry_asset WHERE entry_id = ?", [entry]).fetchall()
    return {key for (key,) in rows}


def _record_assets_of_others(ids: list[int], entry: Entry, actor: str) -> None:
    """Record a change for each of these assets that belongs to another entry: whether it is public may change."""
    for chunk in db.chunks(ids):
        others = Asset.select(Asset.id).where(Asset.id.in_(chunk), Asset.entry.is_null(False), Asset.entry != entry.id)
        for asset in list(others):
            record(entry.site_id, "text that shows a file edited", "asset", asset.id, None, actor)
