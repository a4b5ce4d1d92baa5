"""Export of a site in Movable Type's text format.

Guarantees that the order and every byte follow from the content alone, that entries are read batch by batch, and
that an import of the file into an empty site of the same time zone exports the same bytes again. A line of dashes
that would part entries or their texts is written with a space more at its end, which our import takes off again.
Pages are not written: the format has none.
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
from appliance.exporting.movabletype.block import Writing, block

#: Entries read at once.
BATCH = 200


@dataclass(slots=True)
class Counts:
    """What an export wrote, and what it left out."""

    entries: int = 0
    comments: int = 0
    pings: int = 0
    #: Pages, which the format has no place for.
    pages_left: int = 0
    #: Comments that wait for approval or are spam.
    comments_left: int = 0

    def lines(self) -> list[str]:
        """The counts as lines of text."""
        lines = [f"{self.entries} entries, {self.comments} comments, {self.pings} pings"]
        if self.pages_left:
            lines.append(f"  {self.pages_left} pages not written: the format has none")
        if self.comments_left:
            lines.append(f"  {self.comments_left} comments not written: they are not approved")
        return lines


def export(config: Config, site_name: str, out: TextIO | Path) -> Counts:
    """Write every entry of a site, whatever its status, with its approved comments and its pings.

    A file is written as UTF-8, whole or not at all: it is renamed into place at the end.

    Raises:
        ConfigError: there is no such site.
        OSError: the file cannot be written.
    """
    settings = config.site(site_name)
    site = sites.sync(config)[settings.name]
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


def _write(site: Site, out: TextIO) -> Counts:
    """All of it, as it is at one moment."""
    counts = Counts()
    with db.snapshot():
        names = {model: _names(model, site) for model in (Author, Category, Tag)}
        order = _order(site)
        for start in range(0, len(order), BATCH):
            for writing in _batch(site, order[start : start + BATCH], names):
                out.write(block(writing))
                counts.entries += 1
                counts.comments += len(writing.comments)
                counts.pings += len(writing.pings)
        counts.pages_left = Entry.select().where(Entry.site == site, Entry.kind == "page").count()
        counts.comments_left = _comments(site).count() - counts.comments
    return counts


def _batch(site: Site, ids: list[int], names: dict[Any, dict[str, str]]) -> Iterator[Writing]:
    """The entries of these ids, in this order, each with what belongs to it."""
    zone = ZoneInfo(site.timezone)
    rows = {entry.id: entry for entry in Entry.select().where(Entry.id.in_(ids))}
    authors = _terms(EntryAuthor.author, EntryAuthor.position, ids, names[Author])
    tags = _terms(EntryTag.tag, EntryTag.position, ids, names[Tag])
    categories = _terms(EntryCategory.category, EntryCategory.is_primary, ids, names[Category])
    approved = _comments(site).where(Comment.entry.in_(ids), Comment.status == "approved")
    comments, pings = _grouped(approved), _grouped(Ping.select().where(Ping.entry.in_(ids)))
    for key in ids:
        primary, rest = categories[key][:1], categories[key][1:]
        yield Writing(
            site=site,
            zone=zone,
            entry=rows[key],
            author=next(iter(authors[key]), ""),
            categories=primary + sorted(rest, key=slugify),
            tags=tags[key],
            comments=sorted(comments[key], key=lambda one: (_wall(one.created_at, zone), one.id)),
            pings=sorted(pings[key], key=lambda one: (_wall(one.at, zone), one.id)),
        )


def _terms(link: Any, order: Any, ids: list[int], names: dict[str, str]) -> dict[int, list[str]]:
    """Names to write, by entry, in their order, each once."""
    term, entry = link.rel_model, link.model.entry
    by = order.desc() if order is EntryCategory.is_primary else order
    rows = (
        link.model.select(entry, term.name).join(term, on=link == term.id).where(entry.in_(ids)).order_by(by, term.id)
    )
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for key, name in rows.tuples():
        if written := names[slugify(name)]:
            found[key][written] = None
    return defaultdict(list, {key: list(written) for key, written in found.items()})


def _comments(site: Site) -> Any:
    entries = Entry.select(Entry.id).where(Entry.site == site, Entry.kind == "entry")
    return Comment.select().where(Comment.entry.in_(entries))


def _grouped(rows: Any) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.entry_id].append(row)
    return found


def _order(site: Site) -> list[int]:
    """Ids of the entries by wall clock, as that is all the format says of a moment; those of one second by id."""
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
        keys += [_wall(at, zone) << 32 | key for key, at in rows]


def _wall(at: int, zone: ZoneInfo) -> int:
    """Seconds that order moments as a clock on the wall shows them."""
    offset = clock.local(at, zone).utcoffset()
    return at + (int(offset.total_seconds()) if offset else 0)


def _names(model: Any, site: Site) -> dict[str, str]:
    """The name to write, by the slug a name makes: categories lose what they are in, so two may become one."""
    order = model.path if model is Category else model.slug
    found: dict[str, str] = {}
    for (name,) in model.select(model.name).where(model.site == site).order_by(order, model.id).tuples():
        found.setdefault(slugify(name), " ".join(name.split()))
    return found
