"""Import of a WordPress export.

    read it once ─► settle slugs ─► save uploads ─► read it again: render and save what changed ─► delete what is gone

Guarantees that the report accounts for every item once; that a second import of the same file writes no row; that
memory grows with the number of items and not with their texts; and that nothing is written before the whole file was
read. An item is saved again when the digest of its values, and of what its links and terms mean, has changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from appliance import clock, db
from appliance.config import Config
from appliance.content import entries, removal_guard, sites
from appliance.content.entries import EntryData
from appliance.content.markup import RenderedEntry
from appliance.content.models import Entry
from appliance.content.terms import SiteTerms
from appliance.errors import ContentError
from appliance.importing import ACTOR, BATCH_SIZE, Progress, ignore_progress
from appliance.importing.existing_entries import (
    ExistingEntry,
    delete_assets,
    delete_entries,
    entries_of_source,
    release_aliases,
)
from appliance.importing.imported_comments import count_as_unchanged
from appliance.importing.report import Outcome, Report
from appliance.importing.wordpress import address_claims, items, report_notes, wxr
from appliance.importing.wordpress.comments import ItemComments, comments_of
from appliance.importing.wordpress.entry_mapping import EntryMapper
from appliance.importing.wordpress.export_contents import ExportContents
from appliance.importing.wordpress.items import Item
from appliance.importing.wordpress.links import LinkResolver
from appliance.importing.wordpress.uploads import Uploads
from appliance.importing.wordpress.wxr import WxrElement

#: Characters of text that are held for one transaction.
_BATCH_CHARACTERS = 8_000_000


def import_file(
    config: Config,
    site_name: str,
    file: Path | str,
    source: str | None = None,
    uploads: Path | str | None = None,
    remove: bool = False,
    progress: Progress | None = None,
    allow_removals: bool = False,
) -> Report:
    """Import a WordPress export; returns what became of each item.

    Args:
        config: the settings.
        site_name: the site to import into.
        file: the export.
        source: the name by which the blog is known from import to import; its own address if not given.
        uploads: a copy of the blog's wp-content/uploads, since the export only names its files.
        remove: also delete what an earlier import brought and is not in the file.
        progress: called with bytes read and bytes to read; the file is read twice.
        allow_removals: delete more at once than `config.deletions` lets go.

    Raises:
        ContentError: the file is not an export that can be read, `uploads` is not a folder, or too much would be
            deleted. Nothing was written.
        ConfigError: there is no such site.
    """
    path, folder = Path(file), None if uploads is None else Path(uploads)
    if not path.is_file():
        problem = "is not a file" if path.exists() else "does not exist"
        raise ContentError(f"{path}: {problem}; name a WordPress export")
    if not wxr.is_export(path):
        raise ContentError(f"{path}: is not a WordPress export; make one in WordPress with Tools, Export")
    if folder is not None and not folder.is_dir():
        raise ContentError(f"{folder}: is not a folder; name a copy of the blog's wp-content/uploads")
    contents = ExportContents(sites.sync_site(config, site_name), path)
    contents.report.source = source or wxr.address_of(path) or str(path.resolve())
    return _Import(config, contents, folder, progress or ignore_progress).run(remove, allow_removals)


class _Pending(NamedTuple):
    """An item that is about to be saved."""

    item: Item
    data: EntryData
    rendered: RenderedEntry
    comments: ItemComments


class _Import:
    """One import of one file. Its steps run in order, and each uses what the first reading found."""

    def __init__(self, config: Config, contents: ExportContents, folder: Path | None, progress: Progress) -> None:
        self.config = config
        self.contents = contents
        self.report = contents.report
        self.source = source = contents.report.source
        self.now = clock.now()
        self.terms = SiteTerms(contents.site, ACTOR)
        self.existing = entries_of_source(contents.site, source)
        self.uploads = Uploads(config, contents, source, folder)
        self.mapper = EntryMapper(contents, source, self.uploads.asset_paths, self.now)
        self.unresolved: Counter[str] = Counter()
        self._progress = progress
        self._size = contents.file.stat().st_size * 2

    def run(self, remove: bool, allow_removals: bool) -> Report:
        contents = self.contents
        contents.read(self.uploads.find, lambda done: self._progress(done, self._size))
        if remove and not allow_removals:
            missing = len(self._missing()) + len(self.uploads.missing())
            total = len(self.existing) + len(self.uploads.existing)
            removal_guard.check_removal(f"texts and files from {self.source}", missing, total, self.config.deletions)
        self._set_dates()
        address_claims.settle(contents, self.source, self.existing)
        self._assign_ids()
        contents.index_texts()
        contents.terms.save_categories(contents.used_categories, self.terms, contents.index, self.source)
        self.uploads.save()
        release_aliases(contents.site, {alias: item.id for item in contents.items.values() for alias in item.aliases})
        self._save_changed()
        self._delete_missing(remove)
        report_notes.add(self.report, contents, self.mapper.counts, self.unresolved, self.uploads.other_files)
        return self.report

    def _set_dates(self) -> None:
        """Give every item a date: its own, that of the last import, or now."""
        for item in self.contents.items.values():
            row = self.existing.get(item.path)
            published_at = item.published_at
            if published_at is None:
                published_at = row.published_at if row else int(self.now)
            self.contents.set_date(item, published_at)

    def _assign_ids(self) -> None:
        """Give every item the id of its entry, so that links between items can be resolved before they are saved."""
        fresh = []
        for item in self.contents.items.values():
            row = self.existing.get(item.path)
            if row is not None:
                item.id, item.is_new = row.id, row.is_reserved
            else:
                fresh.append(item)
        for start in range(0, len(fresh), BATCH_SIZE):
            batch = fresh[start : start + BATCH_SIZE]
            ids = entries.reserve(self.contents.site, [self._reservation(item) for item in batch])
            for item in batch:
                item.id = ids[item.path]

    def _reservation(self, item: Item) -> EntryData:
        assert item.published_at is not None  # noqa: S101 - see _set_dates
        return EntryData(
            item.title, item.slug, item.published_at, kind=item.kind, format="html", folder=item.folder,
            source=self.source, source_path=item.path,
        )  # fmt: skip

    def _save_changed(self) -> None:
        batch: list[_Pending] = []
        size = 0
        for element in self._read_again():
            item = self.contents.items[element.number("wp:post_id")]
            try:
                pending = self._pending(element, item)
            except ContentError as error:  # a text beyond the limits of rendering
                self.contents.drop(item, str(error))
                continue
            if pending is not None:
                batch.append(pending)
                size += len(pending.data.text) + sum(len(one.text) for one in pending.comments.comments)
            if len(batch) >= BATCH_SIZE or size > _BATCH_CHARACTERS:
                self._save(batch)
                batch, size = [], 0
        self._save(batch)

    def _read_again(self) -> Iterator[WxrElement]:
        """The whole elements of the items that are imported, each once."""
        left = set(self.contents.items)
        half = self._size // 2
        for element in wxr.read_elements(self.contents.file, lambda done: self._progress(half + done, self._size)):
            number = element.number("wp:post_id")
            is_wanted = element.name == "item" and number in left
            if is_wanted and items.label_of(element) == self.contents.items[number].label:
                left.discard(number)
                yield element
        for number in left:
            item = self.contents.items[number]
            self.contents.drop(item, "is no longer in the file, which was changed while it was read; import again")

    def _pending(self, element: WxrElement, item: Item) -> _Pending | None:
        """Map and render an item; None when nothing changed since the last import."""
        digest = self.mapper.digest(element, item)
        row = self.existing.get(item.path)
        if row is not None and row.digest == digest:
            self._count(item, "unchanged")
            found = comments_of(element.comments, self.contents.zone, row.published_at, self.report)
            count_as_unchanged(self.report.comments, len(found.comments))
            count_as_unchanged(self.report.pings, len(found.pings))
            return None
        links = LinkResolver(self.contents.index)
        data = self.mapper.map_entry(element, item, digest)
        rendered = entries.render(data, links)
        self.unresolved += links.unresolved
        found = comments_of(element.comments, self.contents.zone, data.published_at, self.report)
        return _Pending(item, data, rendered, found)

    def _save(self, batch: list[_Pending]) -> None:
        if not batch:
            return
        with db.write():
            rows: dict[int | None, Entry] = {
                row.id: row for row in Entry.select().where(Entry.id.in_([pending.item.id for pending in batch]))
            }
            for item, data, rendered, found in batch:
                entry, changed = entries.save(
                    self.contents.site,
                    data,
                    entry=rows[item.id],
                    rendered=rendered,
                    terms=self.terms,
                    names_checked=True,
                    actor=ACTOR,
                )
                changed |= found.save(entry, self.report)
                self._count(item, "added" if item.is_new else "changed" if changed else "unchanged")

    def _count(self, item: Item, outcome: Outcome) -> None:
        self.report.texts[outcome] += 1
        self.report.kinds[*item.kinds, outcome] += 1

    def _missing(self) -> list[ExistingEntry]:
        """Entries of texts that the export no longer has."""
        here = {f"post/{number}" for number in self.contents.present}
        return [row for path, row in self.existing.items() if path not in here]

    def _delete_missing(self, remove: bool) -> None:
        texts, files = self._missing(), self.uploads.missing()
        if remove:
            self.report.removed += delete_entries([row.id for row in texts])
            self.report.assets_removed += delete_assets([asset.id for asset in files])
        elif texts or files:
            paths = [row.path for row in texts] + [asset.path for asset in files]
            self.report.notes.append(
                f"{len(paths)} of an earlier import are not in the file and stay: {report_notes.shorten_list(paths)}; "
                "import with --remove to delete them"
            )
