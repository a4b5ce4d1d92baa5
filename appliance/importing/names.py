"""Who has which address: settled before anything is written.

Guarantees that of two files which claim one address the first by path gets it, that a file which has it
already keeps it before all others, and that the other is skipped with a reason naming both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from appliance.content.entries import EntryData, day_and_week
from appliance.content.models import Alias, Entry, Site

if TYPE_CHECKING:
    from appliance.importing.scan import Known, Scan


class Names:
    """The addresses of a scanned folder."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan

    def give(self) -> None:
        """Settle who has which address and former address; who gets none is skipped."""
        taken = dict(self._taken())
        claims = []
        for path, text in self.scan.texts.items():
            if text.data is not None:
                key, said = _claim(text.data, self.scan.site)
                earlier = self._key_of(self.scan.row_of(text))
                claims.append((key != earlier, path, key, said, earlier))
        for _, path, key, said, earlier in sorted(claims, key=lambda claim: claim[:2]):
            owner = taken.setdefault(key, path)
            if owner != path:
                self.scan.skip(path, f"has {said}, as {owner} has; give one of them another")
                if earlier is not None:  # its entry stays as it was
                    taken.setdefault(earlier, path)
        self._give_aliases({key[1] for key in taken if key[0] == "address"})

    def _taken(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Names nobody can claim: of other sources, and of files that did not change or stay as they were."""
        columns = (Entry.kind, Entry.slug, Entry.day, Entry.folder, Entry.address, Entry.title)
        foreign = Entry.source.is_null() | (Entry.source != self.scan.source)
        others = Entry.select(*columns).where(Entry.site == self.scan.site, foreign)
        for kind, slug, day, folder, address, title in _tuples(others):
            yield _key(kind, slug, day, folder, address), f"“{title}”"
        reread = {self.scan.renamed.get(path, path) for path, text in self.scan.texts.items() if text.data is not None}
        gone = set(self.scan.gone_texts())
        for path, row in sorted(self.scan.known.items()):
            if path not in reread and row.id not in gone:
                yield _key(row.kind, row.slug, row.day, row.folder, row.address), path

    def _key_of(self, row: Known | None) -> tuple[str, ...] | None:
        return None if row is None else _key(row.kind, row.slug, row.day, row.folder, row.address)

    def _give_aliases(self, addresses: set[str]) -> None:
        changed = [text for text in self.scan.texts.values() if text.data is not None]
        if not changed:
            return
        changed_ids = {text.id for text in changed} | set(self.scan.gone_texts())
        owners: dict[str, str] = {}
        by_id = {text.id: text for text in self.scan.texts.values() if text.data is None}
        for alias, entry_id in _tuples(Alias.select(Alias.path, Alias.entry).where(Alias.site == self.scan.site)):
            if entry_id not in changed_ids:
                owners[alias] = str(entry_id)
                if entry_id in by_id:
                    by_id[entry_id].aliases += (alias,)
        for text in changed:
            kept = []
            for alias in text.aliases:
                if (
                    alias != text.address
                    and alias not in addresses
                    and owners.setdefault(alias, text.path) == text.path
                ):
                    kept.append(alias)
                elif alias != text.address:
                    self.scan.report.notes.append(
                        f"{text.path}: former address “{alias}” is somebody else's and is left out"
                    )
            text.aliases = tuple(kept)


def _claim(data: EntryData, site: Site) -> tuple[tuple[str, ...], str]:
    day, _ = day_and_week(data.published_at, site.timezone, site.week_starts)
    key = _key(data.kind, data.slug, day, data.folder, data.address)
    if data.address is not None:
        return key, f"the address “{data.address}”"
    if data.kind == "page":
        return key, f"the name “{data.slug}” in {data.folder or 'the top folder'}"
    return key, f"the name “{data.slug}” on {day}"


def _key(kind: str, slug: str, day: str, folder: str, address: str | None) -> tuple[str, ...]:
    if address is not None:
        return "address", address
    return ("page", folder, slug) if kind == "page" else ("entry", day, slug)


def _tuples(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())
