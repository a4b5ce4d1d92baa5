"""Entries and pages: saved whole, in one write transaction, with the changes that planning must see.

Guarantees that saving what is already there writes nothing and records nothing; that `html`, `excerpt`,
`summary`, `day` and `week` always belong to the text, the moment and the site's time zone beside them; and
that two entries never claim one name: a slug is refused, never quietly altered. An entry that leaves a
category, author or tag is also a change to this term, since afterwards nothing else tells which listing it
left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content import aspects, markup, order
from appliance.content.aspects import EVERYTHING, Aspect
from appliance.content.changes import record
from appliance.content.links import Links
from appliance.content.markup import Rendered, Resolver
from appliance.content.models import (
    Alias,
    Entry,
    EntryKind,
    EntryStatus,
    Site,
)
from appliance.content.terms import Terms
from appliance.errors import ContentError


@dataclass(frozen=True, slots=True)
class EntryData:
    """An entry or page as its author gives it. Moments are seconds since the epoch, UTC."""

    title: str
    slug: str
    published_at: int
    text: str = ""
    kind: EntryKind = "entry"
    status: EntryStatus = "published"
    #: 'markdown' or 'html'.
    format: str = "markdown"
    #: None: the moment of publication, later that of the last save that changed something.
    modified_at: int | None = None
    unpublish_at: int | None = None
    #: Below the site, instead of what the theme's pattern gives.
    address: str | None = None
    #: For pages.
    folder: str = ""
    #: Empty: taken from the text.
    excerpt: str = ""
    #: 'markdown' or 'html': what `excerpt` is.
    excerpt_format: str = "markdown"
    #: Plain text; empty: taken from the excerpt.
    summary: str = ""
    allow_comments: bool = True
    #: Names, the first author first.
    authors: Sequence[str] = ()
    #: Names from the topmost category down, the primary category first.
    categories: Sequence[Sequence[str]] = ()
    tags: Sequence[str] = ()
    #: Former addresses below the site.
    aliases: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    source_path: str | None = None
    source_digest: str | None = None


#: Columns that are as given.
_PLAIN = (
    "kind", "status", "title", "slug", "address", "folder", "published_at", "unpublish_at", "format", "text",
    "allow_comments", "source", "source_path", "source_digest",
)  # fmt: skip
#: The source digest of an entry that has only a name so far; see `reserve`.
_RESERVED = ""
#: Columns that say where an entry came from; a difference in them is nobody's change.
_ORIGIN = frozenset({"source", "source_path", "source_digest"})


def save(
    site: Site,
    data: EntryData,
    *,
    entry: Entry | None = None,
    rendered: Rendered | None = None,
    resolver: Resolver | None = None,
    terms: Terms | None = None,
    checked: bool = False,
    actor: str = "",
) -> tuple[Entry, bool]:
    """Add or edit an entry; returns it and whether a reader could see a difference.

    `entry` is the one to edit; without it, the one of the same source and source path, or a new one. Whoever
    saves many passes `rendered` (made outside the transaction), one `terms` for all, and `checked` once it
    has made sure itself that no name is used twice.

    Raises:
        ContentError: its address, its name on that day or in that folder, or an alias is another entry's.
    """
    rendered = rendered or render(data, resolver)
    terms = terms or Terms(site, actor)
    with db.write():
        entry = entry or _of_source(site, data)
        if not checked:
            _refuse_taken(site, data, entry)
        before = Links.of(entry)
        was = {"day": entry.day, "week": entry.week} if entry else None
        after = Links.named(data.authors, data.categories, data.tags, data.aliases, terms)
        columns = _columns(site, data, rendered)
        if entry is None:
            entry = _insert(site, columns, data)
            what, touched = "added", EVERYTHING
        else:
            what, touched = _update(entry, columns, data, after.touched(before))
        after.replace(entry, before, actor)
        if what or before != after:
            order.keep([entry.id])
        if what:
            record(site, f"{entry.kind} {what}", "entry", entry.id, entry.id, actor, touched, was)
            if data.status == "scheduled" or data.unpublish_at is not None:
                db.notify()  # it may be due before anything else is
    return entry, bool(what)


def reserve(site: Site, items: Iterable[EntryData]) -> dict[str, int]:
    """Add entries by name only, as invisible drafts to be saved soon; returns their ids by source path.

    For importers: entries that refer to each other need ids before any of them can be rendered.
    """
    rows = []
    for data in items:
        columns = _columns(site, data, Rendered("", "", "", False))
        columns |= {
            "status": "draft",
            "text": "",
            "source_digest": _RESERVED,
            "modified_at": data.published_at,
        }
        rows.append({"site": site.id, **columns})
    with db.write():
        for row in rows:
            Entry.insert(row).execute()
    names = [row["source_path"] for row in rows]
    return _ids(site, rows[0]["source"], names) if rows else {}


def delete(entry: Entry, actor: str = "") -> None:
    """Remove an entry with its comments and aliases; its assets stay as files of the site."""
    with db.write():
        before = Links.of(entry)
        if Entry.delete().where(Entry.id == entry.id).execute():
            before.record_leaving(entry, set(), actor)
            was = {"day": entry.day, "week": entry.week}
            record(entry.site_id, f"{entry.kind} removed", "entry", entry.id, entry.id, actor, was=was)


def render(data: EntryData, resolver: Resolver | None = None) -> Rendered:
    """The HTML, excerpt and summary of `data`; needs no database."""
    return markup.render(
        data.text,
        format=data.format,
        excerpt=data.excerpt,
        excerpt_format=data.excerpt_format,
        summary=data.summary,
        resolver=resolver,
    )


def day_and_week(moment: int, zone: str, week_starts: str) -> tuple[str, str]:
    """The local date of a moment and that of the first day of its week, both as `2026-11-22`."""
    day = clock.local(moment, ZoneInfo(zone)).date()
    since = (day.weekday() - (6 if week_starts == "sunday" else 0)) % 7
    first = date.min if day.toordinal() <= since else day - timedelta(days=since)
    return day.isoformat(), first.isoformat()


def move_days(site: Site) -> int:
    """Derive `day` and `week` of every entry again, after the zone or the week changed; returns how many."""
    moved = 0
    with db.write():
        for entry in Entry.select(Entry.id, Entry.published_at, Entry.day, Entry.week).where(Entry.site == site):
            day, week = day_and_week(entry.published_at, site.timezone, site.week_starts)
            if (day, week) != (entry.day, entry.week):
                moved += Entry.update(day=day, week=week).where(Entry.id == entry.id).execute()
    return moved


def _columns(site: Site, data: EntryData, rendered: Rendered) -> dict[str, Any]:
    day, week = day_and_week(data.published_at, site.timezone, site.week_starts)
    return {
        **{name: getattr(data, name) for name in _PLAIN},
        "day": day,
        "week": week,
        "html": rendered.html,
        "excerpt": rendered.excerpt,
        "summary": rendered.summary,
        "late_bound": rendered.late_bound,
        "extra": json.dumps(data.extra, ensure_ascii=False, sort_keys=True, default=str),
    }


def _insert(site: Site, columns: dict[str, Any], data: EntryData) -> Entry:
    modified = data.published_at if data.modified_at is None else data.modified_at
    return Entry.create(site=site, modified_at=modified, **columns)


def _update(entry: Entry, columns: dict[str, Any], data: EntryData, linked: Aspect) -> tuple[str, Aspect]:
    """Write the columns that differ; says what happened, in a word, or nothing, and what is touched.

    `linked` is what a change of its terms touches.
    """
    reserved = entry.source_digest == _RESERVED
    was, now = entry.__data__, dict(columns)
    differing = {column for column, value in now.items() if was[column] != value}
    visible = bool(differing - _ORIGIN) or bool(linked) or reserved
    if data.modified_at is not None:
        now["modified_at"] = data.modified_at
    elif reserved:
        now["modified_at"] = data.published_at
    elif visible:
        now["modified_at"] = int(clock.now())
    differing |= {"modified_at"} & {column for column, value in now.items() if was[column] != value}
    visible = visible or "modified_at" in differing
    status = entry.status
    for column in differing:
        setattr(entry, column, now[column])
    if differing:
        entry.save(only=sorted(differing))
    if not visible:
        return "", Aspect(0)
    if reserved:
        return "added", EVERYTHING
    touched = aspects.of_columns(differing) | linked
    if status != entry.status and "published" in (status, entry.status):
        return "published" if entry.status == "published" else "unpublished", touched
    return "edited", touched


def _of_source(site: Site, data: EntryData) -> Entry | None:
    if data.source_path is None:
        return None
    return Entry.get_or_none(Entry.site == site, Entry.source == data.source, Entry.source_path == data.source_path)


def _ids(site: Site, source: str, source_paths: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(source_paths), 500):
        names = source_paths[start : start + 500]
        rows = Entry.select(Entry.id, Entry.source_path).where(
            Entry.site == site, Entry.source == source, Entry.source_path.in_(names)
        )
        found.update((path, key) for key, path in _tuples(rows))
    return found


def _refuse_taken(site: Site, data: EntryData, entry: Entry | None) -> None:
    others = Entry.select(Entry.id, Entry.title).where(Entry.site == site, Entry.id != (entry.id if entry else 0))
    if data.address is not None:
        taken, name = others.where(Entry.address == data.address), f"the address “{data.address}”"
    else:
        taken = others.where(Entry.address.is_null(), Entry.kind == data.kind, Entry.slug == data.slug)
        if data.kind == "page":
            taken, name = taken.where(Entry.folder == data.folder), f"the name “{data.slug}” in its folder"
        else:
            day, _ = day_and_week(data.published_at, site.timezone, site.week_starts)
            taken, name = taken.where(Entry.day == day), f"the name “{data.slug}” on {day}"
    if (other := taken.first()) is not None:
        raise ContentError(f"“{data.title}” has {name}, as “{other.title}” has; give one of them another")
    for alias in (
        Alias.select(Alias, Entry.id, Entry.title)
        .join(Entry)
        .where(Alias.site == site, Alias.path.in_(list(data.aliases)))
    ):
        if entry is None or alias.entry_id != entry.id:
            raise ContentError(
                f"the former address “{alias.path}” of “{data.title}” leads to “{alias.entry.title}”; "
                "take it from one of them"
            )


def _tuples(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())
