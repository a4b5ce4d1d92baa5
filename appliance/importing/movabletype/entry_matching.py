"""Matches the blocks of a file with the entries of earlier imports, and finds entries that the file no longer has."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from appliance import db
from appliance.content.models import Entry, Site
from appliance.errors import ContentError
from appliance.importing.movabletype import entry_mapping
from appliance.importing.movabletype.blocks import Block


class EntryMatcher:
    """Finds the entry of each block, and remembers one bit for each entry: whether the file has it.

    Memory therefore stays small, however many entries a source has.
    """

    def __init__(self, site: Site, source: str) -> None:
        self.site = site
        self.source = source
        self._present = bytearray()

    def entries_of(self, batch: Iterable[Block]) -> dict[str, Entry]:
        """The entries that the blocks of a batch may be, by source path."""
        paths: list[str] = []
        for block in batch:
            try:
                paths += entry_mapping.identities(block, self.site)
            except ContentError:
                continue  # reported when the block is read
        rows = self._select().where(Entry.source_path.in_(list(dict.fromkeys(paths))))
        return {str(row.source_path): row for row in rows}

    def path_of(self, block: Block, rows: dict[str, Entry], taken: Container[str]) -> str:
        """The source path of the entry of a block, with a number where blocks without a basename are alike.

        Args:
            block: a block of a batch.
            rows: the entries of the batch, from `entries_of`; an entry that is found by its number is added.
            taken: paths that earlier blocks of the batch got.

        Raises:
            ContentError: the block has no date, or an earlier block of the file has its basename and date.
        """
        *_, dated = paths = entry_mapping.identities(block, self.site)
        free = next((path for path in paths if not self._is_taken(path, rows, taken)), None)
        if free is None and block.first("BASENAME"):
            raise ContentError("has the basename and date of an earlier block; give it another basename")
        number = 1
        while free is None:
            number += 1
            path = f"{dated}#{number}"
            if path not in rows and (row := self._select().where(Entry.source_path == path).first()) is not None:
                rows[path] = row
            free = None if self._is_taken(path, rows, taken) else path
        return free

    def mark_present(self, entry_id: int) -> None:
        """Remember that the file has an entry."""
        if entry_id // 8 >= len(self._present):
            self._present.extend(bytes(entry_id // 8 + 1 - len(self._present)))
        self._present[entry_id // 8] |= 1 << entry_id % 8

    def is_present(self, entry_id: int) -> bool:
        """Whether the file has an entry, as far as the file was read."""
        return entry_id // 8 < len(self._present) and bool(self._present[entry_id // 8] >> entry_id % 8 & 1)

    def missing(self) -> Iterator[list[int]]:
        """Ids of entries of the source that the file does not have, in batches."""
        last = 0
        while ids := self._ids_after(last):
            last = ids[-1]
            if missing := [entry_id for entry_id in ids if not self.is_present(entry_id)]:
                yield missing

    def count(self) -> int:
        """How many entries the source has."""
        found: int = self._select().count()
        return found

    def count_missing(self, batches: Iterable[list[Block]]) -> int:
        """Read a whole file only to count the entries that it does not have; nothing is remembered."""
        for batch in batches:
            rows = self.entries_of(batch)
            taken: set[str] = set()
            for block in batch:
                try:
                    path = self.path_of(block, rows, taken)
                except ContentError:
                    continue
                taken.add(path)
                if path in rows:
                    self.mark_present(rows[path].id)
        found = sum(len(ids) for ids in self.missing())
        self._present = bytearray()
        return found

    def _is_taken(self, path: str, rows: dict[str, Entry], taken: Container[str]) -> bool:
        return path in taken or (path in rows and self.is_present(rows[path].id))

    def _select(self) -> Any:
        return Entry.select().where(Entry.site == self.site, Entry.source == self.source)

    def _ids_after(self, last: int) -> list[int]:
        rows = db.execute(
            "SELECT id FROM entry WHERE site_id = ? AND source = ? AND id > ? ORDER BY id LIMIT 500",
            [self.site.id, self.source, last],
        ).fetchall()
        return [entry_id for (entry_id,) in rows]
