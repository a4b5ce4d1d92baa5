"""What the database has before an import: entries and assets of the source, and addresses of all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from appliance import db
from appliance.content import assets, entries
from appliance.content.models import Alias, Asset, Entry, Site
from appliance.importing import ACTOR, BATCH_SIZE
from appliance.importing.short_slices import ShortSlices

#: Equal for two entries that cannot both be published: the same address, or the same slug on one day or in one folder.
AddressKey = tuple[str, ...]


class ExistingEntry(NamedTuple):
    """The columns of an entry that an import compares with its file."""

    id: int
    #: Where it is in its source: a path in a folder, or `post/` and a number of WordPress.
    path: str
    digest: str
    kind: str
    slug: str
    day: str
    folder: str
    address: str | None
    published_at: int

    @property
    def is_reserved(self) -> bool:
        """Whether it has an id and nothing else yet, because the import that reserved it was interrupted."""
        return self.digest == ""

    @property
    def address_key(self) -> AddressKey:
        """What no other entry of the site may share."""
        return address_key(self.kind, self.slug, self.day, self.folder, self.address)


def read_rows(query: Any) -> list[tuple[Any, ...]]:
    """The rows of a query as tuples, a type that peewee does not declare."""
    return list(query.tuples())


def address_key(kind: str, slug: str, day: str, folder: str, address: str | None = None) -> AddressKey:
    """The key of an entry with an address of its own, of a page in a folder, or of an entry on a day."""
    if address is not None:
        return "address", address
    return ("page", folder, slug) if kind == "page" else ("entry", day, slug)


def entries_of_source(site: Site, source: str) -> dict[str, ExistingEntry]:
    """The entries that `source` brought to `site`, by their path in it."""
    query = Entry.select(
        Entry.id, Entry.source_path, Entry.source_digest, Entry.kind, Entry.slug, Entry.day, Entry.folder,
        Entry.address, Entry.published_at,
    ).where(Entry.site == site, Entry.source == source)  # fmt: skip
    rows: Any = query.tuples().iterator()
    remembered: dict[str, str] = {}  # many entries share a kind, a day and a folder
    found: dict[str, ExistingEntry] = {}
    for key, path, digest, kind, slug, day, folder, *rest in rows:
        kind, day, folder = (remembered.setdefault(one, one) for one in (kind, day, folder))
        found[path] = ExistingEntry(key, path, digest, kind, slug, day, folder, *rest)
    return found


def assets_of_source(site: Site, source: str) -> dict[str, Asset]:
    """The assets that `source` brought to `site`, by their path in it."""
    rows: Any = Asset.select().where(Asset.site == site, Asset.source == source)
    return {row.source_path: row for row in rows}


def addresses_of_others(site: Site, source: str) -> Iterator[tuple[AddressKey, str]]:
    """The address key and the quoted title of every entry of `site` that `source` did not bring."""
    columns = (Entry.kind, Entry.slug, Entry.day, Entry.folder, Entry.address, Entry.title)
    is_foreign = Entry.source.is_null() | (Entry.source != source)
    for *key, title in read_rows(Entry.select(*columns).where(Entry.site == site, is_foreign)):
        yield address_key(*key), f"“{title}”"


def release_aliases(site: Site, new_owners: Mapping[str, int | None]) -> None:
    """Delete aliases that move to another entry, so that the new owner can be saved before the old one.

    Args:
        site: the site of the aliases.
        new_owners: the id of the entry that each alias belongs to from now on.
    """
    paths = list(new_owners)
    for start in range(0, len(paths), BATCH_SIZE):
        chunk = paths[start : start + BATCH_SIZE]
        rows = Alias.select(Alias.id, Alias.path, Alias.entry).where(Alias.site == site, Alias.path.in_(chunk))
        moving = [key for key, path, owner in read_rows(rows) if owner != new_owners[path]]
        if moving:
            with db.write():
                Alias.delete().where(Alias.id.in_(moving)).execute()


def delete_entries(ids: Sequence[int]) -> int:
    """Delete entries in batches; returns how many there were."""
    deleted = 0
    for some in ShortSlices(BATCH_SIZE).of(ids):
        with db.write():
            for entry in Entry.select().where(Entry.id.in_(list(some))).order_by(Entry.id):
                entries.delete(entry, ACTOR)
                deleted += 1
    return deleted


def delete_assets(ids: Sequence[int]) -> int:
    """Delete assets in batches; returns how many there were."""
    deleted = 0
    for some in ShortSlices(BATCH_SIZE).of(ids):
        with db.write():
            for asset in Asset.select().where(Asset.id.in_(list(some))).order_by(Asset.id):
                assets.delete(asset, ACTOR)
                deleted += 1
    return deleted
