"""Import of a file in Movable Type's format.

Guarantees that a file of another format is refused before anything is written; that the report accounts for every
entry of the file once, and names each block that cannot be read; that a second import of the same file writes no row;
that nothing is deleted while a block cannot be read; and that memory does not grow with the file.

An entry is recognised by its unique address, or by its date and basename. Its block is read again when the digest of
the block has changed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from appliance import db
from appliance.config import Config
from appliance.content import entries, removal_guard, sites
from appliance.content.entries import day_and_week
from appliance.content.models import Entry, Site
from appliance.content.terms import SiteTerms
from appliance.errors import ContentError
from appliance.importing import ACTOR, BATCH_SIZE, Progress, ignore_progress
from appliance.importing.existing_entries import delete_entries
from appliance.importing.imported_comments import count_as_unchanged, save_comments, save_pings
from appliance.importing.movabletype import blocks, encodings, entry_mapping
from appliance.importing.movabletype.blocks import Block
from appliance.importing.movabletype.comments import BlockComments, comments_of
from appliance.importing.movabletype.entry_mapping import MappedEntry
from appliance.importing.movabletype.entry_matching import EntryMatcher
from appliance.importing.report import Outcome, Report

#: Names that a note of the report lists.
_LISTED = 5


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
    """Import the entries, comments and pings of a file; returns what became of each.

    Args:
        config: the settings.
        site_name: the site to import into.
        file: the file.
        source: the name by which the file is known from import to import; its resolved path if not given.
        encoding: the encoding of the file; UTF-8 if not given.
        remove: also delete entries of this source that are not in the file. Without it they are only named, since an
            export is often a part of a site.
        progress: called with entries done and entries in the file.
        allow_removals: delete more at once than `config.deletions` lets go.

    Raises:
        ContentError: there is no such file, it is of another format or encoding, or too much would be deleted.
            Nothing was written.
        ConfigError: there is no such site.
    """
    path = Path(file)
    site = sites.sync_site(config, site_name)
    codec, total = encodings.check(path, encoding)
    run = _Import(site, source or str(path.resolve()), codec, progress or ignore_progress)
    if remove and not allow_removals:
        with encodings.open_text(path, codec) as lines:
            gone = run.matcher.count_missing(blocks.batches(blocks.read(lines), BATCH_SIZE))
        removal_guard.check_removal(f"entries from {run.source}", gone, run.matcher.count(), config.deletions)
    return run.run(path, total, remove)


@dataclass(slots=True)
class _Pending:
    """A block that is about to be saved; `entry` is None for a block of comments alone."""

    block: Block
    #: The entry that it was, or that its comments belong to.
    row: Entry | None
    comments: BlockComments
    entry: MappedEntry | None = None


class _Import:
    """One import of one file."""

    def __init__(self, site: Site, source: str, codec: str, progress: Progress) -> None:
        self.site = site
        self.source = source
        self.codec = codec
        self.progress = progress
        self.terms = SiteTerms(site, ACTOR)
        self.report = Report(source=source, unit="entries")
        self.matcher = EntryMatcher(site, source)
        #: Blocks that cannot be read. Nothing is deleted while there are any, since they may be any entry.
        self.unreadable = 0
        #: By reason: the first labels that it applies to, and how many there are.
        self.notes: dict[str, tuple[list[str], int]] = {}

    def run(self, file: Path, total: int, remove: bool) -> Report:
        with encodings.open_text(file, self.codec) as lines:
            for batch in blocks.batches(blocks.read(lines), BATCH_SIZE):
                self._import_batch(batch)
                self.progress(min(self.report.files, total), max(total, self.report.files))
                if not batch[-1].is_ended:
                    self.unreadable += 1
                    self.report.notes.append(
                        f"{entry_mapping.label(batch[-1])} has no end mark; see whether the file was cut off"
                    )
        self._report_missing(remove)
        for reason, (labels, count) in self.notes.items():
            more = f" and {count - _LISTED} more" if count > _LISTED else ""
            self.report.notes.append(f"{', '.join(labels)}{more}: {reason}")
        return self.report

    def _import_batch(self, batch: list[Block]) -> None:
        self.report.files += len(batch)
        rows = self.matcher.entries_of(batch)
        pending: deque[_Pending] = deque()
        taken: set[str] = set()
        for block in batch:
            try:
                changed = self._read(block, rows, taken)
                if changed is not None:
                    pending.append(changed)
            except ContentError as error:
                self._skip(block, str(error))
        while pending:
            with db.write():  # a transaction short enough for other writers to wait for
                rows_left = BATCH_SIZE
                while pending and rows_left > 0:
                    one = pending.popleft()
                    rows_left -= len(one.block.parts)
                    self._save(one)

    def _read(self, block: Block, rows: dict[str, Entry], taken: set[str]) -> _Pending | None:
        """Read and render a block; None when it is as it was at the last import."""
        if block.fault or (not block.has("NO ENTRY") and not entry_mapping.is_dated(block, self.site)):
            self.unreadable += 1
        if block.fault:
            raise ContentError(block.fault)
        if block.has("NO ENTRY"):
            return _Pending(block, self._entry_of_comments(block), comments_of(block, self.site))
        path = self.matcher.path_of(block, rows, taken)
        taken.add(path)
        row = rows.get(path)
        digest = entry_mapping.digest(block, self.site)
        if row is not None:
            self.matcher.mark_present(row.id)
            if row.source_digest == digest:
                self._count_unchanged(block, row)
                return None
        entry = entry_mapping.map_entry(block, self.site)
        data = replace(entry.data, source=self.source, source_path=path, source_digest=digest)
        return _Pending(block, row, comments_of(block, self.site), replace(entry, data=data))

    def _count_unchanged(self, block: Block, row: Entry) -> None:
        found = comments_of(block, self.site)
        count_as_unchanged(self.report.comments, len(found.comments))
        count_as_unchanged(self.report.pings, len(found.pings))
        self._count(row.status, "unchanged")
        self._count_faults(block, found)

    def _entry_of_comments(self, block: Block) -> Entry:
        """The entry that a block of comments and pings alone belongs to, found by its date and basename."""
        at = entry_mapping.published_at(block, self.site)
        found = list(
            Entry.select().where(Entry.site == self.site, Entry.kind == "entry", Entry.published_at == at).limit(50)
        )
        slug = block.first("BASENAME")
        row = next((one for one in found if one.slug == slug), found[0] if found else None)
        if row is None:
            raise ContentError("is NO ENTRY, and no entry here has its date; import the entries first")
        return row

    def _save(self, pending: _Pending) -> None:
        outcome: Outcome = "unchanged"
        try:
            if pending.entry is None:
                assert pending.row is not None  # noqa: S101 - see _read
                entry = pending.row
            else:
                entry, changed = self._save_entry(pending.block, pending.row, pending.entry)
                self.matcher.mark_present(entry.id)
                outcome = "added" if pending.row is None else "changed" if changed else "unchanged"
        except ContentError as error:
            self._skip(pending.block, str(error))
            return
        for note in pending.entry.notes if pending.entry else ():
            self._note(entry_mapping.label(pending.block), note)
        has_new_comments = self._save_comments(pending.block, pending.comments, entry, is_new=outcome == "added")
        self._count(entry.status, "changed" if has_new_comments and outcome == "unchanged" else outcome)

    def _save_comments(self, block: Block, found: BlockComments, entry: Entry, *, is_new: bool) -> bool:
        saved = save_comments(entry, found.comments, is_new=is_new)
        saved.add_to(self.report.comments)
        self.report.dropped_addresses += [reason for _, reason in saved.without_address]
        added_pings = save_pings(entry, found.pings, self.report.pings, is_new=is_new)
        self._count_faults(block, found)
        return bool(saved.added or added_pings)

    def _save_entry(self, block: Block, row: Entry | None, entry: MappedEntry) -> tuple[Entry, bool]:
        data = entry.data
        if row is None and not block.first("BASENAME") and data.address is None:
            data = replace(data, slug=self._free_slug(data.slug, data.published_at))
        elif row is not None and not block.first("BASENAME"):
            data = replace(data, slug=row.slug)
        return entries.save(self.site, data, entry=row, rendered=entry.rendered, terms=self.terms, actor=ACTOR)

    def _free_slug(self, slug: str, at: int) -> str:
        """A slug made of a title, with a number if another entry of the day has it."""
        day, _ = day_and_week(at, self.site.timezone, self.site.week_starts)
        found, number = slug, 1
        of_day = Entry.select().where(
            Entry.site == self.site, Entry.kind == "entry", Entry.day == day, Entry.address.is_null()
        )
        while of_day.where(Entry.slug == found).exists():
            number += 1
            found = f"{slug}-{number}"
        return found

    def _report_missing(self, remove: bool) -> None:
        """Name, or delete, the entries of this source that the file does not have now."""
        names: list[str] = []
        missing = 0
        for ids in self.matcher.missing():
            missing += len(ids)
            if remove and not self.unreadable:
                self.report.removed += delete_entries(ids)
            elif len(names) < _LISTED:
                found = Entry.select(Entry.title).where(Entry.id.in_(ids)).order_by(Entry.id).limit(_LISTED)
                names += [f"“{entry.title}”" for entry in found][: _LISTED - len(names)]
        if names:
            listed = ", ".join(names) + (" …" if missing > len(names) else "")
            advice = "mend what could not be read and import again" if remove else "import with --remove to delete them"
            self.report.notes.append(f"{missing} of an earlier import are not in the file and stay: {listed}; {advice}")

    def _count(self, status: str, outcome: Outcome) -> None:
        self.report.texts[outcome] += 1
        self.report.kinds["entry", status, outcome] += 1

    def _count_faults(self, block: Block, found: BlockComments) -> None:
        for kind, number, reason in found.faults:
            self._note(f"{kind} {number} of {entry_mapping.label(block)}", reason)
            (self.report.comments if kind == "comment" else self.report.pings)["not imported"] += 1

    def _skip(self, block: Block, reason: str) -> None:
        self.report.skipped.append((entry_mapping.label(block), reason))

    def _note(self, label: str, reason: str) -> None:
        labels, count = self.notes.get(reason, ([], 0))
        self.notes[reason] = (labels if count >= _LISTED else [*labels, label]), count + 1
