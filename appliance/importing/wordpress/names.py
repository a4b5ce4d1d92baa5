"""Who has which name and former address: settled before anything is written.

Of two items that claim one name the one that has it keeps it, else the one of the lower number gets it. A draft that
nobody could refer to yet is given another name, by its number; any other item is not taken, for a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from appliance.content.models import Alias, Entry, Site
from appliance.importing.wordpress.blog import Blog
from appliance.importing.wordpress.items import Item


class Known(NamedTuple):
    """An entry's row of this source, as far as an import needs it."""

    id: int
    path: str
    digest: str
    kind: str
    slug: str
    day: str
    folder: str
    address: str | None
    published_at: int


Key = tuple[str, ...]


def known_entries(site: Site, source: str) -> dict[str, Known]:
    """Rows of a source by source path."""
    rows = Entry.select(
        Entry.id, Entry.source_path, Entry.source_digest, Entry.kind, Entry.slug, Entry.day, Entry.folder,
        Entry.address, Entry.published_at,
    ).where(Entry.site == site, Entry.source == source)  # fmt: skip
    return {row[1]: Known(*row) for row in _tuples(rows)}


def give(blog: Blog, source: str, known: dict[str, Known]) -> None:
    """Settle the names of all items of a blog that is read; those that get none leave it."""
    taken = dict(_taken(blog, source, known))
    order = sorted(blog.items.values(), key=lambda item: (_key(item) != _key_of(known.get(item.path)), item.number))
    refused = []
    for item in order:
        if taken.setdefault(_key(item), item.label) != item.label and item.slug_is_free:
            item.slug = f"{item.slug}-{item.number}"
        owner = taken.setdefault(_key(item), item.label)
        if owner != item.label:
            refused.append((item, owner))
    for item, owner in refused:
        stays = "; what it said before stays" if item.path in known else ""
        blog.refuse(item, f"has the name “{item.slug}”, as {owner} has; give one of them another{stays}")
    _give_aliases(blog, known)


def _taken(blog: Blog, source: str, known: dict[str, Known]) -> Iterator[tuple[Key, str]]:
    """Names nobody can claim: of other sources, and of items that are not in this file."""
    columns = (Entry.kind, Entry.slug, Entry.day, Entry.folder, Entry.address, Entry.title)
    foreign = Entry.source.is_null() | (Entry.source != source)
    for kind, slug, day, folder, address, title in _tuples(
        Entry.select(*columns).where(Entry.site == blog.site, foreign)
    ):
        if address is None:
            yield _name(kind, slug, day, folder), f"“{title}”"
    here = {item.path for item in blog.items.values()}
    for path, row in sorted(known.items()):
        if path not in here and row.address is None:
            yield _name(row.kind, row.slug, row.day, row.folder), path


def _give_aliases(blog: Blog, known: dict[str, Known]) -> None:
    here = {item.path for item in blog.items.values()}
    ours = {row.id for path, row in known.items() if path in here}
    aliases = Alias.select(Alias.path, Alias.entry).where(Alias.site == blog.site)
    owners = {path: f"entry {key}" for path, key in _tuples(aliases) if key not in ours}
    addresses = Entry.select(Entry.address).where(Entry.site == blog.site, Entry.address.is_null(is_null=False))
    owners |= dict.fromkeys((address for (address,) in _tuples(addresses)), "another entry")
    for item in sorted(blog.items.values(), key=lambda item: item.number):
        kept = tuple(alias for alias in item.aliases if owners.setdefault(alias, item.label) == item.label)
        blog.report.notes += [
            f"{item.label}: former address “{alias}” is that of {owners[alias]} and is left out"
            for alias in item.aliases
            if alias not in kept
        ]
        item.aliases = kept


def _key(item: Item) -> Key:
    return _name(item.kind, item.slug, item.day, item.folder)


def _key_of(row: Known | None) -> Key | None:
    return None if row is None else _name(row.kind, row.slug, row.day, row.folder)


def _name(kind: str, slug: str, day: str, folder: str) -> Key:
    return ("page", folder, slug) if kind == "page" else ("entry", day, slug)


def _tuples(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())
