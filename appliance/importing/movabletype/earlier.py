"""What a source brought before: its entries recognised in the file, and those the file does not hold now."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from appliance import db
from appliance.content.models import Entry, Site
from appliance.errors import ContentError
from appliance.importing.movabletype import mapping
from appliance.importing.movabletype.blocks import Block


class Earlier:
    """The entries of one source, of which it remembers a bit each: whether the file holds it."""

    def __init__(self, site: Site, source: str) -> None:
        self.site = site
        self.source = source
        self._held = bytearray()

    def rows(self, batch: Iterable[Block]) -> dict[str, Entry]:
        """The entries that the blocks of a batch were, by what identifies them."""
        keys: list[str] = []
        for block in batch:
            try:
                keys += mapping.identities(block, self.site)
            except ContentError:
                continue  # said when it is its turn
        rows = self._select().where(Entry.source_path.in_(list(dict.fromkeys(keys))))
        return {str(row.source_path): row for row in rows}

    def key_of(self, block: Block, rows: dict[str, Entry], taken: Container[str]) -> str:
        """What identifies a block, numbered when another of the file, with no name of its own either, is like it.

        `rows` gains the entry that it was; `taken` are those of its batch.

        Raises:
            ContentError: it has no date, or its name and date are those of a block before.
        """
        *_, named = keys = mapping.identities(block, self.site)
        free = next((key for key in keys if not self._is_taken(key, rows, taken)), None)
        if free is None and block.first("BASENAME"):
            raise ContentError("is in the file before with this name and date; that one was taken")
        number = 1
        while free is None:
            number += 1
            key = f"{named}#{number}"
            if key not in rows and (row := self._select().where(Entry.source_path == key).first()) is not None:
                rows[key] = row
            free = None if self._is_taken(key, rows, taken) else key
        return free

    def hold(self, key: int) -> None:
        """Note that the file holds the entry of this id."""
        if key // 8 >= len(self._held):
            self._held.extend(bytes(key // 8 + 1 - len(self._held)))
        self._held[key // 8] |= 1 << key % 8

    def holds(self, key: int) -> bool:
        """Whether the file holds the entry of this id, as far as it was read."""
        return key // 8 < len(self._held) and bool(self._held[key // 8] >> key % 8 & 1)

    def gone(self) -> Iterator[list[int]]:
        """Ids of the entries that the file does not hold, some at a time."""
        last = 0
        while ids := self._ids_after(last):
            last = ids[-1]
            if missing := [key for key in ids if not self.holds(key)]:
                yield missing

    def count(self) -> int:
        """How many entries of the source there are."""
        found: int = self._select().count()
        return found

    def foresee(self, batches: Iterable[list[Block]]) -> int:
        """How many entries a file does not hold, told by reading all of it; nothing is noted."""
        for batch in batches:
            rows = self.rows(batch)
            taken: set[str] = set()
            for block in batch:
                try:
                    key = self.key_of(block, rows, taken)
                except ContentError:
                    continue
                taken.add(key)
                if key in rows:
                    self.hold(rows[key].id)
        found = sum(len(ids) for ids in self.gone())
        self._held = bytearray()
        return found

    def _is_taken(self, key: str, rows: dict[str, Entry], taken: Container[str]) -> bool:
        return key in taken or (key in rows and self.holds(rows[key].id))

    def _select(self) -> Any:
        return Entry.select().where(Entry.site == self.site, Entry.source == self.source)

    def _ids_after(self, last: int) -> list[int]:
        rows = db.execute(
            "SELECT id FROM entry WHERE site_id = ? AND source = ? AND id > ? ORDER BY id LIMIT 500",
            [self.site.id, self.source, last],
        ).fetchall()
        return [key for (key,) in rows]
