"""Exporting a site to a file in Movable Type's text format.

The order and every byte depend only on the content. Entries are read in batches. Importing the file into an empty site
of the same time zone and exporting that site gives the same bytes. A line of dashes in a text, which would separate
entries or parts, is written with one more space at its end; the importer removes the space. Pages are not exported,
since the format has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.config import Config
from appliance.content import sites
from appliance.content.models import (
    Author,
    Category,
    Comment,
    Entry,
    EntryAuthor,
    EntryCategory,
    EntryTag,
    Ping,
    Site,
    Tag,
)
from appliance.content.terms import slugify
from appliance.exporting.movabletype.entry_format import EntryRecord, format_entry

#: Entries read at once.
BATCH = 200


@dataclass(slots=True)
class ExportCounts:
    """The numbers of things that an export wrote and skipped."""

    entries: int = 0
    comments: int = 0
    pings: int = 0
    #: Pages, which the format does not support.
    skipped_pages: int = 0
    #: Comments that are pending or spam.
    skipped_comments: int = 0

    def lines(self) -> list[str]:
        """The counts as lines of text."""
        lines = [f"{self.entries} entries, {self.comments} comments, {self.pings} pings"]
        if self.skipped_pages:
            lines.append(f"  {self.skipped_pages} pages not written: the format has none")
        if self.skipped_comments:
            lines.append(f"  {self.skipped_comments} comments not written: they are not approved")
        return lines


def export(config: Config, site_name: str, out: TextIO | Path) -> ExportCounts:
    """Write all entries of a site, including drafts, with their approved comments and their pings.

    A file is written as UTF-8 under a temporary name and then renamed, so it is complete or absent.

    Raises:
        ConfigError: there is no such site.
        OSError: the file cannot be written.
    """
    site = sites.sync_site(config, site_name)
    if not isinstance(out, Path):
        return _write(site, out)
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            counts = _write(site, file)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return counts


def _write(site: Site, out: TextIO) -> ExportCounts:
    counts = ExportCounts()
    with db.snapshot():
        names = {model: _names_by_slug(model, site) for model in (Author, Category, Tag)}
        ids = _entry_ids(site)
        for start in range(0, len(ids), BATCH):
            for record in _load_records(site, ids[start : start + BATCH], names):
                out.write(format_entry(record))
                counts.entries += 1
                counts.comments += len(record.comments)
                counts.pings += len(record.pings)
        counts.skipped_pages = Entry.select().where(Entry.site == site, Entry.kind == "page").count()
        counts.skipped_comments = _comments(site).count() - counts.comments
    return counts


def _load_records(site: Site, ids: list[int], names: dict[Any, dict[str, str]]) -> Iterator[EntryRecord]:
    """The entries with these ids, in this order, each with everything that its block contains."""
    zone = ZoneInfo(site.timezone)
    rows = {entry.id: entry for entry in Entry.select().where(Entry.id.in_(ids))}
    authors = _term_names(EntryAuthor.author, EntryAuthor.position, ids, names[Author])
    tags = _term_names(EntryTag.tag, EntryTag.position, ids, names[Tag])
    categories = _term_names(EntryCategory.category, EntryCategory.is_primary, ids, names[Category])
    approved = _comments(site).where(Comment.entry.in_(ids), Comment.status == "approved")
    comments, pings = _group_by_entry(approved), _group_by_entry(Ping.select().where(Ping.entry.in_(ids)))
    for key in ids:
        primary, rest = categories[key][:1], categories[key][1:]
        yield EntryRecord(
            site=site,
            zone=zone,
            entry=rows[key],
            author=next(iter(authors[key]), ""),
            categories=primary + sorted(rest, key=slugify),
            tags=tags[key],
            comments=sorted(comments[key], key=lambda row: (_local_seconds(row.created_at, zone), row.id)),
            pings=sorted(pings[key], key=lambda row: (_local_seconds(row.at, zone), row.id)),
        )


def _term_names(link: Any, order: Any, ids: list[int], names: dict[str, str]) -> dict[int, list[str]]:
    """The distinct names of terms to write, in order, by id of the entry."""
    term, entry = link.rel_model, link.model.entry
    by = order.desc() if order is EntryCategory.is_primary else order
    rows = (
        link.model.select(entry, term.name).join(term, on=link == term.id).where(entry.in_(ids)).order_by(by, term.id)
    )
    term_names: dict[int, dict[str, None]] = defaultdict(dict)
    for key, name in rows.tuples():
        if written := names[slugify(name)]:
            term_names[key][written] = None
    return defaultdict(list, {key: list(written) for key, written in term_names.items()})


def _comments(site: Site) -> Any:
    entries = Entry.select(Entry.id).where(Entry.site == site, Entry.kind == "entry")
    return Comment.select().where(Comment.entry.in_(entries))


def _group_by_entry(rows: Any) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.entry_id].append(row)
    return groups


def _entry_ids(site: Site) -> list[int]:
    """The ids of the entries ordered by local time, which is all the format records of a time, and then by id."""
    zone, last = ZoneInfo(site.timezone), 0
    keys: list[int] = []
    while True:
        rows = db.execute(
            """SELECT id, published_at FROM entry
               WHERE site_id = ? AND kind = 'entry' AND id > ? AND source_digest IS DISTINCT FROM ''
               ORDER BY id LIMIT 5000""",
            [site.id, last],
        ).fetchall()
        if not rows:
            return [key & 0xFFFFFFFF for key in sorted(keys)]
        last = rows[-1][0]
        keys += [_local_seconds(at, zone) << 32 | key for key, at in rows]


def _local_seconds(at: int, zone: ZoneInfo) -> int:
    """A number that orders times by their local date and time in `zone`."""
    offset = clock.to_datetime(at, zone).utcoffset()
    return at + (int(offset.total_seconds()) if offset else 0)


def _names_by_slug(model: Any, site: Site) -> dict[str, str]:
    """The name to write for each slug. Categories are written without their parents, so two may share a name."""
    order = model.path if model is Category else model.slug
    names: dict[str, str] = {}
    for (name,) in model.select(model.name).where(model.site == site).order_by(order, model.id).tuples():
        names.setdefault(slugify(name), " ".join(name.split()))
    return names
