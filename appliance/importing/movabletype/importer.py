"""Import of a file in Movable Type's format.

Guarantees that a file which is not of the format is refused before anything is touched; that every entry of it is
accounted for once, a block that makes no sense by a line of the report; that a second import of the same file
writes no row; that nothing is removed while a block cannot be read; and that what is held does not grow with the
file. Entries are recognised by their unique address, or by their moment and basename; whether one changed is told by
a digest of its block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from appliance import db
from appliance.config import Config
from appliance.content import entries, guard, sites
from appliance.content.entries import day_and_week
from appliance.content.models import Entry, Site
from appliance.content.terms import Terms
from appliance.errors import ContentError
from appliance.importing.movabletype import blocks, encodings, mapping
from appliance.importing.movabletype.blocks import Block
from appliance.importing.movabletype.earlier import Earlier
from appliance.importing.movabletype.mapping import Item
from appliance.importing.movabletype.remarks import add_comments, add_pings
from appliance.importing.report import Report

#: Told how many entries are done, of how many.
Progress = Callable[[int, int], None]

ACTOR = "import"

#: Blocks read at once, and parts of them saved in one transaction: texts, comments, pings.
BATCH = 200
_NOTED = 5


def import_file(
    config: Config,
    site_name: str,
    file: Path | str,
    source: str | None = None,
    encoding: str | None = None,
    remove: bool = False,
    progress: Progress | None = None,
    allow_removals: bool = False,
) -> Report:
    """Take over the entries, comments and pings of a file; returns what became of each entry.

    `source` names the file from import to import (its resolved path by default): entries are recognised by it.
    `encoding` is what it is written in, UTF-8 if not given. `remove` also removes entries of this source that are
    not in the file now, which else are only named, since an export is often a part; `allow_removals` lets it remove
    more than `config.deletions` lets go at once.

    Raises:
        ContentError: there is no such file, it is not of this format, not in that encoding, or too much would go;
        nothing has been touched.
        ConfigError: there is no such site.
    """
    path = Path(file)
    settings = config.site(site_name)
    name, marks = encodings.settle(path, encoding)
    site = sites.sync(config)[settings.name]
    run = _Import(site, source or str(path.resolve()), name, progress or _silent)
    if remove and not allow_removals:
        with encodings.opened_text(path, name) as lines:
            gone = run.earlier.foresee(blocks.batches(blocks.read(lines), BATCH))
        guard.refuse(f"entries from {run.source}", gone, run.earlier.count(), config.deletions)
    return run.run(path, marks, remove)


def _silent(done: int, total: int) -> None:
    pass


@dataclass(slots=True)
class _Text:
    """A block on its way; `row` is the entry it was before."""

    block: Block
    row: Entry | None
    item: Item | None = None


class _Import:
    """One run."""

    def __init__(self, site: Site, source: str, encoding: str, progress: Progress) -> None:
        self.site = site
        self.source = source
        self.encoding = encoding
        self.progress = progress
        self.terms = Terms(site, ACTOR)
        self.report = Report(source=source, unit="entries")
        self.earlier = Earlier(site, source)
        #: Blocks of which nobody can tell which entries they were.
        self.unread = 0
        #: By reason: the first it holds for, and how many there are.
        self.noted: dict[str, tuple[list[str], int]] = {}

    def run(self, file: Path, marks: int, remove: bool) -> Report:
        with encodings.opened_text(file, self.encoding) as lines:
            for batch in blocks.batches(blocks.read(lines), BATCH):
                self._take(batch)
                self.progress(min(self.report.files, marks), max(marks, self.report.files))
                if not batch[-1].is_ended:
                    self.unread += 1
                    self.report.notes.append(
                        f"{mapping.label(batch[-1])} has no end mark; see whether the file was cut off"
                    )
        self._account_for_gone(remove)
        for reason, (labels, count) in self.noted.items():
            more = f" and {count - _NOTED} more" if count > _NOTED else ""
            self.report.notes.append(f"{', '.join(labels)}{more}: {reason}")
        return self.report

    def _take(self, batch: list[Block]) -> None:
        self.report.files += len(batch)
        rows = self.earlier.rows(batch)
        texts: deque[_Text] = deque()
        taken: set[str] = set()
        for block in batch:
            try:
                text = self._recognised(block, rows, taken)
                if text is not None:
                    texts.append(text)
            except ContentError as error:
                self._skip(block, str(error))
        while texts:
            with db.write():  # no longer than others can well wait
                rows_left = BATCH
                while texts and rows_left > 0:
                    text = texts.popleft()
                    rows_left -= len(text.block.parts)
                    self._save(text)

    def _recognised(self, block: Block, rows: dict[str, Entry], taken: set[str]) -> _Text | None:
        """The block read and rendered, if it says anything new."""
        if block.fault or (not block.has("NO ENTRY") and not mapping.is_dated(block, self.site)):
            self.unread += 1
        if block.fault:
            raise ContentError(block.fault)
        if block.has("NO ENTRY"):
            return self._without_entry(block)
        key = self.earlier.key_of(block, rows, taken)
        taken.add(key)
        row = rows.get(key)
        digest = mapping.digest(block, self.site)
        if row is not None:
            self.earlier.hold(row.id)
            if row.source_digest == digest:
                self._leave(block, row)
                return None
        item = mapping.item(block, self.site)
        data = replace(item.data, source=self.source, source_path=key, source_digest=digest)
        return _Text(block, row, replace(item, data=data))

    def _leave(self, block: Block, row: Entry) -> None:
        """Account for a block that says what it said before."""
        notes: list[tuple[str, str]] = []
        for key, words in (("COMMENT", self.report.comments), ("PING", self.report.pings)):
            if found := len(mapping.remarks(block, key, self.site, notes)):
                words["unchanged"] += found
        self._count(row.status, "unchanged")
        self._note(notes)

    def _without_entry(self, block: Block) -> _Text:
        """A block of comments and pings on an entry that is here already, found by its moment."""
        at = mapping.moment(block, self.site)
        found = list(
            Entry.select().where(Entry.site == self.site, Entry.kind == "entry", Entry.published_at == at).limit(50)
        )
        slug = block.first("BASENAME")
        row = next((one for one in found if one.slug == slug), found[0] if found else None)
        if row is None:
            raise ContentError("is NO ENTRY, and no entry here has its date; import the entries first")
        return _Text(block, row)

    def _save(self, text: _Text) -> None:
        notes: list[tuple[str, str]] = []
        try:
            if text.item is None:
                assert text.row is not None  # noqa: S101 - see _without_entry
                said, told = (mapping.remarks(text.block, key, self.site, notes) for key in ("COMMENT", "PING"))
                entry, outcome = text.row, "unchanged"
            else:
                said, told, notes = text.item.comments, text.item.pings, text.item.notes
                entry, changed = self._save_entry(text)
                self.earlier.hold(entry.id)
                outcome = "added" if text.row is None else "changed" if changed else "unchanged"
        except ContentError as error:
            self._skip(text.block, str(error))
            return
        is_new = outcome == "added"
        added = add_comments(entry, said, self.report.comments, is_new=is_new)
        added += add_pings(entry, told, self.report.pings, is_new=is_new)
        self._count(entry.status, "changed" if added and outcome == "unchanged" else outcome)
        self._note(notes)

    def _save_entry(self, text: _Text) -> tuple[Entry, bool]:
        assert text.item is not None  # noqa: S101 - see _save
        data = text.item.data
        if text.row is None and not text.block.first("BASENAME") and data.address is None:
            data = replace(data, slug=self._free_slug(data.slug, data.published_at))
        elif text.row is not None and not text.block.first("BASENAME"):
            data = replace(data, slug=text.row.slug)
        return entries.save(self.site, data, entry=text.row, rendered=text.item.rendered, terms=self.terms, actor=ACTOR)

    def _free_slug(self, slug: str, at: int) -> str:
        """A slug nobody gave, with a number if another entry of the day has it."""
        day, _ = day_and_week(at, self.site.timezone, self.site.week_starts)
        found, number = slug, 1
        of_day = Entry.select().where(
            Entry.site == self.site, Entry.kind == "entry", Entry.day == day, Entry.address.is_null()
        )
        while of_day.where(Entry.slug == found).exists():
            number += 1
            found = f"{slug}-{number}"
        return found

    def _account_for_gone(self, remove: bool) -> None:
        """Name, or remove, the entries of this source that the file does not hold now."""
        names: list[str] = []
        gone = 0
        for ids in self.earlier.gone():
            gone += len(ids)
            if remove and not self.unread:
                self._remove(ids)
            elif len(names) < _NOTED:
                found = Entry.select(Entry.title).where(Entry.id.in_(ids)).order_by(Entry.id).limit(_NOTED)
                names += [f"“{entry.title}”" for entry in found][: _NOTED - len(names)]
        if names:
            listed = ", ".join(names) + (" …" if gone > len(names) else "")
            advice = "mend what could not be read and import again" if remove else "import with remove to remove them"
            self.report.notes.append(f"{gone} of an earlier import are not in the file and stay: {listed}; {advice}")

    def _remove(self, ids: list[int]) -> None:
        with db.write():
            for entry in Entry.select().where(Entry.id.in_(ids)).order_by(Entry.id):
                entries.delete(entry, ACTOR)
                self.report.removed += 1

    def _count(self, status: str, outcome: str) -> None:
        self.report.texts[outcome] += 1  # type: ignore[index]
        self.report.kinds["entry", status, outcome] += 1

    def _skip(self, block: Block, reason: str) -> None:
        self.report.skipped.append((mapping.label(block), reason))

    def _note(self, notes: list[tuple[str, str]]) -> None:
        for what, reason in notes:
            labels, count = self.noted.get(reason, ([], 0))
            self.noted[reason] = (labels if count >= _NOTED else [*labels, what]), count + 1
            for key, words in (("comment ", self.report.comments), ("ping ", self.report.pings)):
                if what.startswith(key):
                    words["not taken"] += 1
