"""Which item gets which slug and alias, decided before anything is written.

Of two items with the same slug on one day or in one folder, the one that has it already keeps it; otherwise the one
with the lower number gets it. A draft that was never published gets another slug, with its number. Any
other item is not imported, and the report says why.
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance.content.models import Alias, Entry
from appliance.importing.existing_entries import AddressKey, ExistingEntry, address_key, addresses_of_others, read_rows
from appliance.importing.wordpress.export_contents import ExportContents
from appliance.importing.wordpress.items import Item


def settle(contents: ExportContents, source: str, existing: dict[str, ExistingEntry]) -> None:
    """Settle the slugs and aliases of all items; items that get no slug are dropped from `contents`."""
    taken = dict(_taken(contents, source, existing))

    def priority(item: Item) -> tuple[bool, int]:
        row = existing.get(item.path)
        return row is None or _key(item) != _key_of(row), item.number

    order = sorted(contents.items.values(), key=priority)
    refused = []
    for item in order:
        if taken.setdefault(_key(item), item.label) != item.label and item.slug_is_free:
            item.slug = f"{item.slug}-{item.number}"
        owner = taken.setdefault(_key(item), item.label)
        if owner != item.label:
            refused.append((item, owner))
    for item, owner in refused:
        stays = "; the entry of the last import stays" if item.path in existing else ""
        contents.drop(item, f"has the slug “{item.slug}”, as {owner} has; give one of them another{stays}")
    _settle_aliases(contents, existing)


def _taken(
    contents: ExportContents, source: str, existing: dict[str, ExistingEntry]
) -> Iterator[tuple[AddressKey, str]]:
    """Keys that no item can claim: those of other sources, and of items that are not in this file."""
    for key, title in addresses_of_others(contents.site, source):
        if key[0] != "address":
            yield key, title
    here = {item.path for item in contents.items.values()}
    for path, row in sorted(existing.items()):
        if path not in here and row.address is None:
            yield _key_of(row), path


def _settle_aliases(contents: ExportContents, existing: dict[str, ExistingEntry]) -> None:
    here = {item.path for item in contents.items.values()}
    ours = {row.id for path, row in existing.items() if path in here}
    aliases = Alias.select(Alias.path, Alias.entry).where(Alias.site == contents.site)
    owners = {path: f"entry {key}" for path, key in read_rows(aliases) if key not in ours}
    has_address = Entry.address.is_null(is_null=False)
    addresses = Entry.select(Entry.address).where(Entry.site == contents.site, has_address)
    owners |= dict.fromkeys((address for (address,) in read_rows(addresses)), "another entry")
    for item in sorted(contents.items.values(), key=lambda item: item.number):
        kept = tuple(alias for alias in item.aliases if owners.setdefault(alias, item.label) == item.label)
        contents.report.notes += [
            f"{item.label}: the old address “{alias}” belongs to {owners[alias]} and does not redirect"
            for alias in item.aliases
            if alias not in kept
        ]
        item.aliases = kept


def _key(item: Item) -> AddressKey:
    return address_key(item.kind, item.slug, item.day, item.folder)


def _key_of(row: ExistingEntry) -> AddressKey:
    """The key of an entry by its slug, whatever address it was given here."""
    return address_key(row.kind, row.slug, row.day, row.folder)
