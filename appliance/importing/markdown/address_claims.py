"""Which text gets which address and alias, decided before anything is written.

Of two texts with the same address, the one that has it already keeps it; otherwise the first by path gets it. The other
is not imported, and the report names both.
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance.content.entries import EntryData, day_and_week
from appliance.content.models import Alias, Site
from appliance.importing.existing_entries import AddressKey, address_key, addresses_of_others, read_rows
from appliance.importing.markdown.scan import Scan


class AddressClaims:
    """The addresses that the texts of a scanned folder claim."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan

    def settle(self) -> None:
        """Decide about every address and alias; texts that get no address are skipped."""
        taken = dict(self._taken())
        claims = []
        for text in self.scan.changed_texts():
            assert text.data is not None  # noqa: S101 - texts that were read have it
            key, description = _claim(text.data, self.scan.site)
            row = self.scan.row_of(text.path)
            existing = row.address_key if row else None
            claims.append((key != existing, text.path, key, description, existing))
        for _, path, key, description, existing in sorted(claims, key=lambda claim: claim[:2]):
            owner = taken.setdefault(key, path)
            if owner != path:
                self.scan.skip(path, f"has {description}, as {owner} has; give one of them another")
                if existing is not None:  # its entry keeps the address it has
                    taken.setdefault(existing, path)
        self._settle_aliases({key[1] for key in taken if key[0] == "address"})

    def _taken(self) -> Iterator[tuple[AddressKey, str]]:
        """Keys that no text can claim: those of other sources, and of texts that did not change or cannot be read."""
        yield from addresses_of_others(self.scan.site, self.scan.source)
        claiming = {self.scan.renamed.get(text.path, text.path) for text in self.scan.changed_texts()}
        missing = set(self.scan.missing_entries())
        for path, row in sorted(self.scan.existing.entries.items()):
            if path not in claiming and row.id not in missing:
                yield row.address_key, path

    def _settle_aliases(self, addresses: set[str]) -> None:
        changed = self.scan.changed_texts()
        if not changed:
            return
        changed_ids = {text.id for text in changed} | set(self.scan.missing_entries())
        owners: dict[str, str] = {}
        unchanged = {text.id: text for text in self.scan.texts.values() if text.data is None}
        aliases = Alias.select(Alias.path, Alias.entry).where(Alias.site == self.scan.site)
        for alias, entry_id in read_rows(aliases):
            if entry_id not in changed_ids:
                owners[alias] = str(entry_id)
                if entry_id in unchanged:
                    unchanged[entry_id].aliases += (alias,)
        for text in changed:
            kept = []
            for alias in text.aliases:
                is_free = alias not in addresses and owners.setdefault(alias, text.path) == text.path
                if alias != text.address and is_free:
                    kept.append(alias)
                elif alias != text.address:
                    self.scan.report.notes.append(
                        f"{text.path}: the alias “{alias}” belongs to another text and is left out"
                    )
            text.aliases = tuple(kept)


def _claim(data: EntryData, site: Site) -> tuple[AddressKey, str]:
    day, _ = day_and_week(data.published_at, site.timezone, site.week_starts)
    key = address_key(data.kind, data.slug, day, data.folder, data.address)
    if data.address is not None:
        return key, f"the address “{data.address}”"
    if data.kind == "page":
        return key, f"the slug “{data.slug}” in {data.folder or 'the top folder'}"
    return key, f"the slug “{data.slug}” on {day}"
