"""Saving, reserving and removing entries and pages.

An entry is saved as a whole, in one transaction with the changes that planning needs. Saving an entry that does not
differ writes nothing and records nothing. `html`, `excerpt`, `summary`, `day` and `week` always match the text, the
publication time and the site's time zone. Two entries never share a name: a slug that is taken is refused, never
altered. When an entry leaves a category, author or tag, a change is recorded for that term too, because afterwards
nothing else shows which listing the entry left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content import asset_references, listing_index, markup
from appliance.content.aspects import EVERYTHING, Aspect
from appliance.content.changes import record
from appliance.content.entry_differences import RESERVED, Difference
from appliance.content.entry_relations import EntryRelations
from appliance.content.markup import RenderedEntry, Resolver
from appliance.content.models import Alias, Entry, EntryKind, EntryStatus, Site
from appliance.content.terms import SiteTerms
from appliance.errors import ContentError


@dataclass(frozen=True, slots=True)
class EntryData:
    """The author's data of an entry or page. Times are seconds since the epoch, UTC."""

    title: str
    slug: str
    published_at: int
    text: str = ""
    kind: EntryKind = "entry"
    status: EntryStatus = "published"
    #: 'markdown' or 'html'.
    format: str = "markdown"
    #: None for a new entry: `published_at`; for a known one: the time of the last save that changed something.
    modified_at: int | None = None
    unpublish_at: int | None = None
    #: An address below the site that replaces the theme's pattern.
    address: str | None = None
    #: Only pages have a folder.
    folder: str = ""
    #: Empty: the beginning of the text.
    excerpt: str = ""
    #: The format of `excerpt`: 'markdown' or 'html'.
    excerpt_format: str = "markdown"
    #: Plain text. Empty: the beginning of the excerpt.
    summary: str = ""
    allow_comments: bool = True
    #: Names or slugs of the authors, in order.
    authors: Sequence[str] = ()
    #: Each category as a list of names or slugs from the top down; the primary category comes first.
    categories: Sequence[Sequence[str]] = ()
    #: Names or slugs of the tags, in order.
    tags: Sequence[str] = ()
    #: Former addresses below the site.
    aliases: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    #: Whether scripts and the like are left out of its HTML, since its author may not publish them.
    sanitised: bool | None = None
    #: Whether its path gives way to what the theme makes, since its author may not replace pages of the site.
    gives_way: bool | None = None
    source: str | None = None
    source_path: str | None = None
    source_digest: str | None = None


#: Columns that are copied from `EntryData` unchanged.
_COPIED_COLUMNS = (
    "kind",
    "status",
    "title",
    "slug",
    "address",
    "folder",
    "published_at",
    "unpublish_at",
    "format",
    "text",
    "allow_comments",
    "source",
    "source_path",
    "source_digest",
)


def save(
    site: Site,
    data: EntryData,
    *,
    entry: Entry | None = None,
    rendered: RenderedEntry | None = None,
    resolver: Resolver | None = None,
    terms: SiteTerms | None = None,
    names_checked: bool = False,
    actor: str = "",
) -> tuple[Entry, bool]:
    """Add or update an entry; returns the entry and whether readers could see a difference.

    Args:
        site: the site of the entry.
        data: the new state of the entry.
        entry: the entry to update. Without it, the entry of the same source and source path is updated, or a new one
            is added.
        rendered: the rendered text, if the caller has rendered it outside the transaction.
        resolver: resolves references while rendering, if `rendered` is not given.
        terms: the terms of the site; share one instance when saving many entries.
        names_checked: whether the caller has already made sure that no name is used twice.
        actor: who makes the change.

    Raises:
        ContentError: the address, the slug on that day or in that folder, or an alias belongs to another entry.
    """
    rendered = rendered or render(data, resolver)
    terms = terms or SiteTerms(site, actor)
    with db.write():
        entry = entry or _find_by_source(site, data)
        if not names_checked:
            _refuse_taken_names(site, data, entry)
        before = EntryRelations.stored(entry)
        previous = _position(entry) if entry else None
        after = EntryRelations.from_names(data.authors, data.categories, data.tags, data.aliases, terms)
        columns = columns_of(site, data, rendered)
        if entry is None:
            entry = _insert(site, columns, data)
            event, changed = "added", EVERYTHING
        else:
            event, changed = _update(entry, columns, data, after.changed_aspects(before))
        after.save(entry, before, actor)
        if event:
            asset_references.update(entry, is_new=event == "added", actor=actor)
        if event or before != after:
            listing_index.update([entry.id])
        if event:
            record(site, f"{entry.kind} {event}", "entry", entry.id, entry.id, actor, changed, previous)
            if data.status == "scheduled" or data.unpublish_at is not None:
                db.notify()  # the schedule process sleeps until the next due entry, and this one may be due earlier
    return entry, bool(event)


def reserve(site: Site, items: Iterable[EntryData]) -> dict[str, int]:
    """Insert placeholders for entries that will be saved soon; returns their ids by source path.

    Placeholders are empty drafts that record no change. Importers need them because entries that refer to each other
    need ids before any of them can be rendered.
    """
    rows: list[dict[str, Any]] = []
    for data in items:
        given = columns_of(site, data, RenderedEntry("", "", "", False))
        given |= {
            "status": "draft",
            "text": "",
            "extra": "{}",
            "source_digest": RESERVED,
            "modified_at": data.published_at,
        }
        rows.append({"site_id": site.id, **given})
    if not rows:
        return {}
    values = [value for row in rows for value in row.values()]
    with db.write():
        reserved = db.execute(
            f"INSERT INTO entry ({', '.join(rows[0])}) VALUES {db.placeholders(len(rows), len(rows[0]))}"
            " RETURNING source_path, id",
            values,
        ).fetchall()
    return dict(reserved)


def delete(entry: Entry, actor: str = "") -> None:
    """Remove an entry with its comments and aliases.

    The assets of a published entry stay as files of the site. Those of an unpublished entry are removed with it, unless
    another text shows them.
    """
    with db.write():
        before = EntryRelations.stored(entry)
        asset_references.release_assets(entry, actor)
        if Entry.delete().where(Entry.id == entry.id).execute():
            for kind, key in before.lost_terms(EntryRelations()):
                record(entry.site_id, f"{kind} lost an entry", kind, key, entry.id, actor)
            previous = _position(entry)
            record(entry.site_id, f"{entry.kind} removed", "entry", entry.id, entry.id, actor, previous=previous)


def _position(entry: Entry) -> dict[str, Any]:
    """Where an entry is in the listings by date."""
    return {"day": entry.day, "week": entry.week, "published_at": entry.published_at}


def render(data: EntryData, resolver: Resolver | None = None) -> RenderedEntry:
    """Render the HTML, excerpt and summary of `data`, without using the database."""
    return markup.render(
        data.text,
        format=data.format,
        excerpt=data.excerpt,
        excerpt_format=data.excerpt_format,
        summary=data.summary,
        sanitised=bool(data.sanitised),
        resolver=resolver,
    )


def day_and_week(timestamp: int, zone: str, week_starts: str) -> tuple[str, str]:
    """The local date of a time and the date of the first day of its week, both as `2026-11-22`."""
    day = clock.to_datetime(timestamp, ZoneInfo(zone)).date()
    since = (day.weekday() - (6 if week_starts == "sunday" else 0)) % 7
    first = date.min if day.toordinal() <= since else day - timedelta(days=since)
    return day.isoformat(), first.isoformat()


def update_days(site: Site) -> int:
    """Update `day` and `week` of every entry after the site's time zone or first weekday changed.

    Returns the number of entries that moved.
    """
    moved = 0
    with db.write():
        for entry in Entry.select(Entry.id, Entry.published_at, Entry.day, Entry.week).where(Entry.site == site):
            day, week = day_and_week(entry.published_at, site.timezone, site.week_starts)
            if (day, week) != (entry.day, entry.week):
                moved += Entry.update(day=day, week=week).where(Entry.id == entry.id).execute()
    return moved


def columns_of(site: Site, data: EntryData, rendered: RenderedEntry) -> dict[str, Any]:
    """The columns of an entry, but for the time of its modification."""
    day, week = day_and_week(data.published_at, site.timezone, site.week_starts)
    return {
        **{name: getattr(data, name) for name in _COPIED_COLUMNS},
        "day": day,
        "week": week,
        "html": rendered.html,
        "excerpt": rendered.excerpt,
        "summary": rendered.summary,
        "late_bound": rendered.late_bound,
        # As in rows that the release before wrote.
        "sanitised": data.sanitised or None,
        "gives_way": data.gives_way or None,
        "extra": json.dumps(data.extra, ensure_ascii=False, sort_keys=True, default=str),
    }


def _insert(site: Site, columns: dict[str, Any], data: EntryData) -> Entry:
    modified = data.published_at if data.modified_at is None else data.modified_at
    return Entry.create(site=site, modified_at=modified, **columns)


def _update(entry: Entry, columns: dict[str, Any], data: EntryData, relations: Aspect) -> tuple[str, Aspect]:
    """Write the columns that differ; returns as `Difference` the event and the changed aspects."""
    found = Difference.between(entry.__data__, columns, data.modified_at, relations)
    for column, value in found.values.items():
        setattr(entry, column, value)
    if found.values:
        entry.save(only=sorted(found.values))
    return found.event, found.aspects


def _find_by_source(site: Site, data: EntryData) -> Entry | None:
    if data.source_path is None:
        return None
    return Entry.get_or_none(Entry.site == site, Entry.source == data.source, Entry.source_path == data.source_path)


def _refuse_taken_names(site: Site, data: EntryData, entry: Entry | None) -> None:
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
                f"the former address “{alias.path}” of “{data.title}” already leads to “{alias.entry.title}”; "
                "remove it from one of them"
            )
