"""Import of a folder of Markdown files.

    scan ─► read front matter ─► give names ids ─► keep assets ─► render and save ─► remove what is gone

Guarantees that every file is accounted for once; that a second import of the same folder writes no row; that
a file which was imported and cannot be read now keeps its entry; and that no more than a batch of texts is in
memory. Whether a file changed is told by a digest of its bytes and of what its place says of it. A file that
did not change is read again only if it mentions the name of one that came, went or moved, since its links may
now mean others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from appliance import clock, db
from appliance.config import Config
from appliance.content import assets, entries, guard, sites
from appliance.content.models import Asset, Entry
from appliance.content.terms import Terms
from appliance.errors import ContentError
from appliance.importing import layout as layouts
from appliance.importing.attachments import Attachments
from appliance.importing.discussions import Discussions
from appliance.importing.references import References
from appliance.importing.report import Report
from appliance.importing.scan import Scan, Text, read_text
from appliance.importing.sections import Sections

#: Told how many files are done, of how many.
Progress = Callable[[int, int], None]

FORMATS = ("auto", "markdown")
ACTOR = "import"

#: Entries saved in one transaction.
BATCH = 200
_NOTED = 5


def import_folder(
    config: Config,
    site_name: str,
    folder: Path | str,
    format: str = "auto",
    source: str | None = None,
    progress: Progress | None = None,
    allow_removals: bool = False,
) -> Report:
    """Make a site say what a folder says; returns what became of each file.

    `source` names the folder from import to import (its resolved path by default): files are recognised by
    it, and entries of other sources are left alone. `allow_removals` lets it remove more of what it brought earlier
    than `config.deletions` allows at once.

    Raises:
        ContentError: the folder is none or has no Markdown in it, there is no such format, or too much would go;
        nothing has been touched.
        ConfigError: there is no such site.
    """
    root = Path(folder)
    if format not in FORMATS:
        raise ContentError(f"“{format}” is no format to import; use one of {', '.join(FORMATS)}")
    if not root.is_dir():
        raise ContentError(
            f"{root}: {'is no folder' if root.exists() else 'does not exist'}; name a folder of Markdown"
        )
    settings = config.site(site_name)
    site = sites.sync(config)[settings.name]
    scan = Scan(site, root, source or str(root.resolve()), layouts.detect(root), clock.now())
    scan.run()
    if not scan.has_texts:
        raise ContentError(f"{root}: has no Markdown file in it; name the folder that holds the texts")
    _ = scan.noted  # what cannot be read is refused before anything is touched
    if not allow_removals:
        _refuse_removals(config, scan)
    return _Import(config, scan, progress or _silent).run()


def _refuse_removals(config: Config, scan: Scan) -> None:
    gone = len(scan.gone_texts()) + len(scan.gone_assets())
    total = len(scan.known) + len(scan.known_assets)
    guard.refuse(f"entries and files from {scan.source}", gone, total, config.deletions)


def _silent(done: int, total: int) -> None:
    pass


class _Import:
    """One run. Its steps are in order; each works on what the scan found."""

    def __init__(self, config: Config, scan: Scan, progress: Progress) -> None:
        self.config = config
        self.scan = scan
        self.site = scan.site
        self.report: Report = scan.report
        self.terms = Terms(scan.site, ACTOR)
        self.progress = progress
        self.broken: list[str] = []
        self.tags: dict[str, int] = {}
        self.discussions = Discussions(scan)

    def run(self) -> Report:
        self.scan.noted.save(self.site, ACTOR)
        self._name_new()
        sections = Sections(self.scan, self.terms)
        sections.save()
        Attachments(self.config, self.scan).save()
        self._fill_index()
        self._save_changed()
        self.discussions.account()
        self._remove_gone()
        self.report.removed += sections.retire()
        self._note()
        return self.report

    def _name_new(self) -> None:
        with_names = [text for text in self.scan.texts.values() if text.data is not None and text.id is None]
        for start in range(0, len(with_names), BATCH):
            batch = with_names[start : start + BATCH]
            ids = entries.reserve(self.site, [text.named() for text in batch])
            for text in batch:
                text.id = ids[text.path]

    def _fill_index(self) -> None:
        index = self.scan.index
        for text in self.scan.texts.values():
            if text.id is not None:
                index.add_entry(text.path, text.id, text.address, text.aliases)
        index.category = self.scan.category_named

    def _save_changed(self) -> None:
        changed = [text for text in self.scan.texts.values() if text.data is not None]
        done = self.scan.report.files - len(changed)
        self.report.texts["unchanged"] += len(self.scan.texts) - len(changed)
        self._release_aliases(changed)
        for start in range(0, len(changed), BATCH):
            self._save_batch(changed[start : start + BATCH])
            self.progress(done + min(start + BATCH, len(changed)), self.scan.report.files)
        self.progress(self.scan.report.files, self.scan.report.files)

    def _save_batch(self, batch: list[Text]) -> None:
        rendered = []
        for text in batch:
            references = References(self.scan.index, text.path, text.address)
            try:
                data = read_text(self.scan, text)
                html = entries.render(data, references)
            except ContentError as error:
                self.scan.skip(text.path, str(error))
                continue
            rendered.append((text, data, html, self.discussions.read(text)))
            self.broken += [f"{text.path}: {reference}" for reference in references.unresolved]
            for tag, count in references.tags.items():
                self.tags[tag] = self.tags.get(tag, 0) + count
        with db.write():
            rows: dict[int | None, Entry] = {
                row.id: row for row in Entry.select().where(Entry.id.in_([text.id for text, *_ in rendered]))
            }
            for text, data, html, talk in rendered:
                entry, changed = entries.save(
                    self.site,
                    data,
                    entry=rows[text.id],
                    rendered=html,
                    terms=self.terms,
                    checked=True,
                    actor=ACTOR,
                )
                self.report.texts[text.outcome(changed)] += 1
                self.discussions.save(text, talk, entry)

    def _release_aliases(self, changed: list[Text]) -> None:
        """Let go of former addresses that move from one entry to another, whichever is saved first."""
        moving = {alias: text.id for text in changed for alias in text.aliases}
        for alias, owner in self.scan.aliases_of_rows(list(moving)):
            if owner != moving[alias]:
                with db.write():
                    self.scan.drop_alias(alias)

    def _remove_gone(self) -> None:
        gone_texts, gone_assets = self.scan.gone_texts(), self.scan.gone_assets()
        for start in range(0, len(gone_texts), BATCH):
            with db.write():
                for entry in Entry.select().where(Entry.id.in_(gone_texts[start : start + BATCH])):
                    entries.delete(entry, ACTOR)
                    self.report.removed += 1
        for start in range(0, len(gone_assets), BATCH):
            with db.write():
                for asset in Asset.select().where(Asset.id.in_(gone_assets[start : start + BATCH])):
                    assets.delete(asset, ACTOR)
                    self.report.assets_removed += 1

    def _note(self) -> None:
        if self.broken:
            listed = "; ".join(self.broken[:_NOTED]) + (" …" if len(self.broken) > _NOTED else "")
            self.report.notes.append(
                f"{len(self.broken)} links lead to nothing in the folder and stay as they are: {listed}"
            )
        if self.tags:
            listed = ", ".join(f"{name} ({count})" for name, count in sorted(self.tags.items())[:20])
            self.report.notes.append(f"template tags nobody here knows stay as text: {listed}")
