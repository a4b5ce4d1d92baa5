"""Which text gets which address and alias, decided before anything is written.

Of two texts with the same address, the one that has it already keeps it; otherwise the first by path gets it. The other
is not imported, and the report names both.
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance.content.models import Alias
from appliance.importing.existing_entries import AddressKey, addresses_of_others, read_rows
from appliance.importing.markdown.scan import Scan


class AddressClaims:
    """The addresses that the texts of a scanned folder claim."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan

    def settle(self) -> None:
        """Decide about every address and alias; texts that get no address are skipped."""
        taken = dict(self._taken())
        claims: list[tuple[bool, str]] = []
        for text in self.scan.changed_texts():
            row = self.scan.row_of(text.path)
            claims.append((row is None or text.claim != row.address_key, text.path))
        for _, path in sorted(claims):
            key, row = self.scan.texts[path].claim, self.scan.row_of(path)
            assert key is not None  # noqa: S101 - texts that were read have one
            owner = taken.setdefault(key, path)
            if owner != path:
                self.scan.skip(path, f"has {_described(key)}, as {owner} has; give one of them another")
                if row is not None:  # its entry keeps the address it has
                    taken.setdefault(row.address_key, path)
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
        unchanged = {text.id: text for text in self.scan.texts.values() if text.position is None}
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


def _described(key: AddressKey) -> str:
    kind, place, *slug = key
    if kind == "address":
        return f"the address “{place}”"
    if kind == "page":
        return f"the slug “{slug[0]}” in {place or 'the top folder'}"
    return f"the slug “{slug[0]}” on {place}"
