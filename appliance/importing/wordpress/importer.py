"""Import of a WordPress export.

    read it once ─► settle names ─► keep uploads ─► read it again: render and save what changed ─► remove what is gone

Guarantees that every item is accounted for once; that a second import of the same file writes no row; that memory
grows with the number of items and not with their texts; and that nothing is written before the whole file was read.
Whether an item changed is told by a digest of what the file says of it and of what its links and terms mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from appliance import clock, db
from appliance.config import Config
from appliance.content import assets, entries, guard, sites
from appliance.content.entries import EntryData
from appliance.content.markup import Rendered
from appliance.content.models import Alias, Entry
from appliance.content.terms import Terms
from appliance.errors import ContentError
from appliance.importing.report import Outcome, Report
from appliance.importing.wordpress import categories, discussion, items, names, wxr
from appliance.importing.wordpress.blog import Blog
from appliance.importing.wordpress.composing import Composing
from appliance.importing.wordpress.discussion import Talk
from appliance.importing.wordpress.items import Item
from appliance.importing.wordpress.links import Links, place_of
from appliance.importing.wordpress.names import Known
from appliance.importing.wordpress.text import Seen
from appliance.importing.wordpress.uploads import Uploads
from appliance.importing.wordpress.wxr import Part

ACTOR = "import"
#: Told how much is done, of how much, in bytes of the file; it is read twice.
Progress = Callable[[int, int], None]

#: Entries saved in one transaction, and characters of text held for it.
BATCH = 200
_BATCH_SIZE = 8_000_000
_LISTED = 5


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
    """Bring a WordPress export into a site; returns what became of each item.

    `source` names the blog from import to import (its own address by default): items are recognised by it.
    `uploads` is a copy of the blog's wp-content/uploads, whose files the export only names. What was imported
    before and is not in the file is removed only with `remove`, and more of it than `config.deletions` lets go at
    once only with `allow_removals`.

    Raises:
        ContentError: the file is no export that can be read, `uploads` is no folder, or too much would go; nothing
        has been touched.
        ConfigError: there is no such site.
    """
    path, folder = Path(file), None if uploads is None else Path(uploads)
    if not path.is_file():
        raise ContentError(f"{path}: {'is no file' if path.exists() else 'does not exist'}; name a WordPress export")
    if not wxr.looks_right(path):
        raise ContentError(f"{path}: is no WordPress export; make one there with Tools, Export")
    if folder is not None and not folder.is_dir():
        raise ContentError(f"{folder}: is no folder; name a copy of the blog's wp-content/uploads")
    settings = config.site(site_name)
    blog = Blog(sites.sync(config)[settings.name], path)
    return _Import(config, blog, source, folder, progress or _silent).run(remove, allow_removals)


def _silent(done: int, total: int) -> None:
    pass


class _Ready(NamedTuple):
    """An item that is about to be saved."""

    item: Item
    data: EntryData
    rendered: Rendered
    talk: Talk


class _Import:
    """One run. Its steps are in order; each works on what the first reading found."""

    def __init__(self, config: Config, blog: Blog, source: str | None, folder: Path | None, progress: Progress) -> None:
        self.config = config
        self.blog = blog
        self.report = blog.report
        self.now = clock.now()
        self.terms = Terms(blog.site, ACTOR)
        self.seen = Seen()
        self.composing: Composing
        self.unresolved: Counter[str] = Counter()
        self.known: dict[str, Known] = {}
        self._given_source = source
        self._folder = folder
        self._progress = progress
        self._size = blog.file.stat().st_size * 2

    def run(self, remove: bool, allow_removals: bool) -> Report:
        self._read()
        if remove and not allow_removals:
            gone, total = len(self._gone()) + len(self.uploads.gone()), len(self.known) + len(self.uploads.known)
            guard.refuse(f"texts and files from {self.source}", gone, total, self.config.deletions)
        self._settle()
        categories.save(self.blog, self.terms, self.source, ACTOR)
        self.uploads.save()
        self._release_aliases()
        self._save_changed()
        self._remove_gone(remove)
        self._note()
        return self.report

    def _read(self) -> None:
        source = self._given_source or wxr.address_of(self.blog.file) or str(self.blog.file.resolve())
        self.source = self.report.source = source
        self.known = names.known_entries(self.blog.site, source)
        self.uploads = Uploads(self.config, self.blog, source, self._folder)
        self.composing = Composing(self.blog, source, self.uploads.addresses, self.now, self.seen)
        self.blog.read(self.uploads.has_file, lambda done: self._progress(done, self._size))

    def _settle(self) -> None:
        """Give every item its moment, its name and its id."""
        for item in self.blog.items.values():
            row = self.known.get(item.path)
            self.blog.date(item, item.moment if item.moment is not None else row.published_at if row else int(self.now))
        names.give(self.blog, self.source, self.known)
        fresh = []
        for item in self.blog.items.values():
            row = self.known.get(item.path)
            if row is not None:
                item.id, item.is_new = row.id, row.digest == ""
            else:
                fresh.append(item)
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            ids = entries.reserve(self.blog.site, [self._named(item) for item in batch])
            for item in batch:
                item.id = ids[item.path]
        self._point()

    def _named(self, item: Item) -> EntryData:
        assert item.moment is not None  # noqa: S101 - settled before
        return EntryData(
            item.title, item.slug, item.moment, kind=item.kind, format="html", folder=item.folder,
            source=self.source, source_path=item.path,
        )  # fmt: skip

    def _point(self) -> None:
        """Let links find every text."""
        index = self.blog.index
        for item in self.blog.items.values():
            reference = f"appliance:entry/{item.id}"
            index.by_number[item.number] = reference
            index.by_slug[item.slug] = "" if item.slug in index.by_slug else reference
            place = place_of(item.link)
            if place is not None and not place.query:
                index.by_address.setdefault(place.key, reference)
            root = index.base.partition("://")[2].removeprefix("www.")
            for alias in item.aliases:
                index.by_address.setdefault(f"{root}/{alias}", reference)

    def _release_aliases(self) -> None:
        """Let go of former addresses that move from one text to another, whichever is saved first."""
        owners = {alias: item.id for item in self.blog.items.values() for alias in item.aliases}
        ours = {item.id for item in self.blog.items.values()}
        rows: Any = Alias.select(Alias.id, Alias.path, Alias.entry).where(Alias.site == self.blog.site).tuples()
        moving = [key for key, path, entry in rows if entry in ours and owners.get(path, entry) != entry]
        for start in range(0, len(moving), BATCH):
            with db.write():
                Alias.delete().where(Alias.id.in_(moving[start : start + BATCH])).execute()

    def _save_changed(self) -> None:
        batch: list[_Ready] = []
        size = 0
        for part in self._again():
            item = self.blog.items[part.number("wp:post_id")]
            ready = self._ready(part, item)
            if ready is not None:
                batch.append(ready)
                size += len(ready.data.text) + sum(len(one.text) for one in ready.talk.comments)
            if len(batch) >= BATCH or size > _BATCH_SIZE:
                self._save(batch)
                batch, size = [], 0
        self._save(batch)

    def _again(self) -> Iterator[Part]:
        """The items that are texts of the site, whole, each once."""
        left = set(self.blog.items)
        half = self._size // 2
        for part in wxr.parts(self.blog.file, lambda done: self._progress(half + done, self._size)):
            number = part.number("wp:post_id")
            if part.name == "item" and number in left and items.label_of(part) == self.blog.items[number].label:
                left.discard(number)
                yield part
        for number in left:
            item = self.blog.items[number]
            self.blog.refuse(item, "is no longer in the file, which was changed while it was read; import again")

    def _ready(self, part: Part, item: Item) -> _Ready | None:
        """What is to be saved of an item; None when nothing changed."""
        digest = self.composing.digest(part, item)
        row = self.known.get(item.path)
        if row is not None and row.digest == digest:
            self._count(item, "unchanged")
            talk = discussion.read(part.comments, self.blog.zone, row.published_at, self.report)
            self.report.comments["unchanged"] += len(talk.comments)
            self.report.pings["unchanged"] += len(talk.pings)
            return None
        links = Links(self.blog.index)
        data = self.composing.entry(part, item, digest)
        rendered = entries.render(data, links)
        self.unresolved += links.unresolved
        talk = discussion.read(part.comments, self.blog.zone, data.published_at, self.report)
        return _Ready(item, data, rendered, talk)

    def _save(self, batch: list[_Ready]) -> None:
        if not batch:
            return
        with db.write():
            rows: dict[int | None, Entry] = {
                row.id: row for row in Entry.select().where(Entry.id.in_([ready.item.id for ready in batch]))
            }
            for ready in batch:
                entry, changed = entries.save(
                    self.blog.site, ready.data, entry=rows[ready.item.id], rendered=ready.rendered, terms=self.terms,
                    checked=True, actor=ACTOR,
                )  # fmt: skip
                changed |= discussion.save(entry, ready.talk, self.report)
                self._count(ready.item, "added" if ready.item.is_new else "changed" if changed else "unchanged")

    def _count(self, item: Item, outcome: Outcome) -> None:
        self.report.texts[outcome] += 1
        self.report.kinds[*item.said, outcome] += 1

    def _gone(self) -> list[Known]:
        """Rows of texts that the file no longer has."""
        here = {f"post/{number}" for number in self.blog.present}
        return [row for path, row in self.known.items() if path not in here]

    def _remove_gone(self, remove: bool) -> None:
        gone, gone_assets = self._gone(), self.uploads.gone()
        if not remove:
            if gone or gone_assets:
                said = _listed([row.path for row in gone] + [asset.path for asset in gone_assets])
                self.report.notes.append(
                    f"what was imported before and is not in the file stays unless --remove is given "
                    f"({len(gone) + len(gone_assets)}): {said}"
                )
            return
        for start in range(0, len(gone), BATCH):
            with db.write():
                for entry in Entry.select().where(Entry.id.in_([row.id for row in gone[start : start + BATCH]])):
                    entries.delete(entry, ACTOR)
                    self.report.removed += 1
        with db.write():
            for asset in gone_assets:
                assets.delete(asset, ACTOR)
                self.report.assets_removed += 1

    def _note(self) -> None:
        notes, seen = self.report.notes, self.seen
        notes += [f"{remark} ({len(labels)}): {_listed(labels)}" for remark, labels in self.blog.remarks.items()]
        if self.uploads.others:
            notes.append(f"files that texts show and that are no attachments were taken as well: {self.uploads.others}")
        if self.unresolved:
            notes.append(
                f"links to {self.blog.address} that lead to nothing that was taken stay as they are "
                f"({self.unresolved.total()}): {_listed(sorted(self.unresolved))}"
            )
        for counts, sentence in (
            (seen.shortcodes, "shortcodes, which nobody here knows, stay as text"),
            (seen.blocks, "blocks that only WordPress can fill in are left out"),
        ):
            if counts:
                notes.append(f"{sentence}: " + ", ".join(f"{name} ({n})" for name, n in sorted(counts.items())[:20]))
        if seen.embeds:
            notes.append(
                f"addresses on a line of their own became links, where WordPress shows the media: {seen.embeds}"
            )
        if seen.page_breaks:
            notes.append(f"page breaks are left out, each text is one page here: {seen.page_breaks}")


def _listed(labels: list[str]) -> str:
    return "; ".join(labels[:_LISTED]) + (" …" if len(labels) > _LISTED else "")
