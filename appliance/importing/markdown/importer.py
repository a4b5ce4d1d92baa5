"""Import of a folder of Markdown.

    scan ─► read texts ─► reserve ids ─► save assets ─► render and save ─► delete what is gone

Guarantees that the report accounts for every file once; that a second import of the same folder writes no row; that a
file which was imported and cannot be read now keeps its entry; and that only one batch of texts is in memory.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from appliance import clock, db
from appliance.config import Config
from appliance.content import entries, entry_batches, removal_guard, sites
from appliance.content.entries import EntryData
from appliance.content.entry_batches import BatchItem
from appliance.content.markup import RenderedEntry
from appliance.content.terms import SiteTerms
from appliance.errors import ContentError
from appliance.importing import ACTOR, BATCH_SIZE, Progress, ignore_progress
from appliance.importing.existing_entries import delete_assets, delete_entries, release_aliases
from appliance.importing.markdown import layout as layouts
from appliance.importing.markdown.address_claims import AddressClaims
from appliance.importing.markdown.asset_files import AssetFiles
from appliance.importing.markdown.comment_files import CommentFiles, FileComments
from appliance.importing.markdown.references import ReferenceResolver
from appliance.importing.markdown.scan import Scan
from appliance.importing.markdown.section_files import SectionFiles
from appliance.importing.markdown.text_files import TextFile, key_of
from appliance.importing.report import Report
from appliance.importing.short_slices import ShortSlices

#: Links that a note of the report lists, and template tags.
_LISTED = 5
_LISTED_TAGS = 20


def import_folder(
    config: Config,
    site_name: str,
    folder: Path | str,
    source: str | None = None,
    progress: Progress | None = None,
    allow_removals: bool = False,
) -> Report:
    """Make the content of a site that of a folder; returns what became of each file.

    Args:
        config: the settings.
        site_name: the site to import into.
        folder: the folder.
        source: the name by which the folder is known from import to import; its resolved path if not given. Entries of
            other sources are left alone.
        progress: called with files done and files in the folder.
        allow_removals: delete more at once than `config.deletions` lets go.

    Raises:
        ContentError: there is no such folder, it has no Markdown file, its settings cannot be read, or too much would
            be deleted. Nothing was written.
        ConfigError: there is no such site.
    """
    root = Path(folder)
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "does not exist"
        raise ContentError(f"{root}: {problem}; name a folder of Markdown")
    site = sites.sync_site(config, site_name)
    scan = Scan(site, root, source or str(root.resolve()), layouts.detect(root), clock.now())
    with closing(scan.spool):
        scan.run()
        if not scan.files.has_texts:
            raise ContentError(f"{root}: has no Markdown file in it; name the folder that holds the texts")
        AddressClaims(scan).settle()
        manifest = scan.files.manifest
        if not allow_removals:
            missing = len(scan.missing_entries()) + len(scan.missing_assets())
            total = len(scan.existing.entries) + len(scan.existing.assets)
            removal_guard.check_removal(f"entries and files from {scan.source}", missing, total, config.deletions)
        manifest.save(site, ACTOR)
        return _Import(config, scan, progress or ignore_progress).run()


class _Pending(NamedTuple):
    """A text that is about to be saved."""

    text: TextFile
    data: EntryData
    rendered: RenderedEntry
    comments: FileComments


class _Import:
    """One import of one folder. Its steps run in order, and each uses what the scan found."""

    def __init__(self, config: Config, scan: Scan, progress: Progress) -> None:
        self.config = config
        self.scan = scan
        self.site = scan.site
        self.report: Report = scan.report
        self.terms = SiteTerms(scan.site, ACTOR)
        self.progress = progress
        self.broken_links: list[str] = []
        self.unknown_tags: Counter[str] = Counter()
        self.comment_files = CommentFiles(scan)
        self.slices = ShortSlices(BATCH_SIZE)

    def run(self) -> Report:
        self._reserve_ids()
        sections = SectionFiles(self.scan, self.terms)
        sections.save()
        AssetFiles(self.config, self.scan).save()
        for text in self.scan.texts.values():
            if text.id is not None:
                self.scan.index.add_entry(text.path, text.id, text.address, text.aliases)
        self._save_changed()
        self.comment_files.count()
        self.report.removed += delete_entries(self.scan.missing_entries())
        self.report.assets_removed += delete_assets(self.scan.missing_assets())
        self.report.removed += sections.remove_missing()
        self._add_notes()
        return self.report

    def _reserve_ids(self) -> None:
        """Give every new text an id, so that links between texts can be resolved before they are saved."""
        fresh = [text for text in self.scan.changed_texts() if text.id is None]
        for start in range(0, len(fresh), BATCH_SIZE):
            batch = fresh[start : start + BATCH_SIZE]
            ids = entries.reserve(self.site, [self.scan.read_whole(text) for text in batch])
            for text in batch:
                text.id = ids[text.path]

    def _save_changed(self) -> None:
        changed = self.scan.changed_texts()
        total = self.report.files
        done = total - len(changed)
        self.report.texts["unchanged"] += len(self.scan.texts) - len(changed)
        release_aliases(self.site, {alias: text.id for text in changed for alias in text.aliases})
        for start in range(0, len(changed), BATCH_SIZE):
            self._save_batch(changed[start : start + BATCH_SIZE])
            self.progress(done + min(start + BATCH_SIZE, len(changed)), total)
        self.progress(total, total)

    def _save_batch(self, batch: list[TextFile]) -> None:
        pending = [one for text in batch if (one := self._render(text)) is not None]
        for some in self.slices.of(pending):
            with db.write():
                items = [BatchItem(key_of(one.text), one.data, one.rendered) for one in some]
                changed = entry_batches.save(self.site, items, self.terms, ACTOR)
                for text, _, _, comments in some:
                    self.report.texts[text.outcome(changed=text.id in changed)] += 1
                    self.comment_files.save(text, comments)

    def _render(self, text: TextFile) -> _Pending | None:
        """Read and render a text; None when that fails."""
        references = ReferenceResolver(self.scan.index, text.path, text.address)
        try:
            data = self.scan.read_whole(text)
            rendered = entries.render(data, references)
        except ContentError as error:
            self.scan.skip(text.path, str(error))
            return None
        self.broken_links += [f"{text.path}: {reference}" for reference in references.unresolved]
        self.unknown_tags += references.unknown_tags
        return _Pending(text, data, rendered, self.comment_files.read(text))

    def _add_notes(self) -> None:
        if self.broken_links:
            listed = "; ".join(self.broken_links[:_LISTED]) + (" …" if len(self.broken_links) > _LISTED else "")
            self.report.notes.append(
                f"{len(self.broken_links)} links lead to nothing in the folder and stay as they are: {listed}"
            )
        if self.unknown_tags:
            tags = sorted(self.unknown_tags.items())[:_LISTED_TAGS]
            listed = ", ".join(f"{name} ({count})" for name, count in tags)
            self.report.notes.append(f"unknown template tags stay as text: {listed}")
