"""Entries and pages: added, edited, looked at, listed, removed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack, cast, get_args

from appliance import db
from appliance.config import Config
from appliance.content import editing
from appliance.content import entries as content
from appliance.content.editing import Edits
from appliance.content.links import Links
from appliance.content.models import ENTRY_STATUSES, Asset, Author, Category, Comment, Entry, EntryKind, Site, Tag
from appliance.content.term_names import called, find, kind_of, links_of
from appliance.editorial.done import Done, carry_out
from appliance.editorial.finding import entry_named, own_entry, site_named
from appliance.editorial.moments import moment, shown
from appliance.errors import ContentError

#: Moments as people type them, or seconds since the epoch; `editorial.moments` reads them.
When = str | int | float | datetime

#: What entries may be listed by: a column, from its greatest down where people want the latest first.
SORTS: Final[Mapping[str, Any]] = {
    "date": Entry.published_at.desc(),
    "oldest": Entry.published_at.asc(),
    "modified": Entry.modified_at.desc(),
    "title": Entry.title.asc(),
    "id": Entry.id.asc(),
}


class Named(TypedDict, total=False):
    """What an edit may name. `categories` are `News` or `News/Local`, the primary one first."""

    slug: str
    #: When it was or is to be published.
    date: When
    status: str
    kind: str
    #: 'markdown' or 'html'.
    format: str
    #: When it is to be withdrawn; None for never.
    expires: When | None
    #: Its own address below the site; None for that of the theme.
    address: str | None
    #: For pages.
    folder: str
    #: Markdown; empty for the beginning of the text.
    excerpt: str
    #: Plain text; empty for the beginning of the excerpt.
    summary: str
    allow_comments: bool
    authors: Sequence[str]
    categories: Sequence[str]
    tags: Sequence[str]
    #: Former addresses below the site, which lead to it.
    aliases: Sequence[str]
    extra: Mapping[str, Any]


class NamedAnew(Named, total=False):
    """What an edit of an entry may name."""

    title: str
    text: str


def add(
    config: Config, site: str, title: str, text: str = "", *, actor: str = "", later: bool = False,
    **named: Unpack[Named],
) -> Done[Entry]:  # fmt: skip
    """Add an entry, or a page (`kind` or `folder`): a draft of now with a free slug, unless named otherwise.

    Raises:
        ContentError: something named makes no sense, or its name is another entry's.
        ConfigError, ThemeError: nothing has been added.
    """

    def work(row: Site) -> tuple[Entry, bool]:
        edits = _edits(row, named)
        return editing.add(row, title, text, actor=actor, **edits), True  # type: ignore[misc]

    return carry_out(config, site, later, work)


def edit(
    config: Config, site: str, entry: Entry | int | str, *, actor: str = "", later: bool = False,
    **named: Unpack[NamedAnew],
) -> Done[Entry]:  # fmt: skip
    """Change what is named of an entry (its id, slug or address) and nothing else.

    Raises:
        ContentError: there is none, it belongs to a source, something named makes no sense, or its new name is
            another entry's.
        ConfigError, ThemeError: nothing has been changed.
    """
    return carry_out(
        config, site, later, lambda row: editing.edit(own_entry(config, row, entry), actor=actor, **_edits(row, named))
    )


def publish(
    config: Config, site: str, entry: Entry | int | str, *, actor: str = "", later: bool = False
) -> Done[Entry]:
    """Publish an entry now; its date stays, unless that is to come. Errors as `edit`."""
    return edit(config, site, entry, actor=actor, later=later, status="published")


def unpublish(
    config: Config, site: str, entry: Entry | int | str, *, actor: str = "", later: bool = False
) -> Done[Entry]:
    """Make an entry a draft again: its files go. Errors as `edit`."""
    return edit(config, site, entry, actor=actor, later=later, status="draft")


def schedule(
    config: Config, site: str, entry: Entry | int | str, at: When, *, actor: str = "", later: bool = False
) -> Done[Entry]:
    """Have an entry published at a moment to come. Errors as `edit`, and ContentError for a moment that is past."""

    def work(row: Site) -> tuple[Entry, bool]:
        found = own_entry(config, row, entry)
        changed = editing.schedule(found, moment(row, at), actor)
        return entry_named(row, found), changed

    return carry_out(config, site, later, work)


def delete(
    config: Config, site: str, *entries: Entry | int | str, actor: str = "", later: bool = False
) -> Done[list[Entry]]:
    """Remove entries with their comments, all or none. Errors as `edit`."""

    def work(row: Site) -> tuple[list[Entry], bool]:
        found = list({entry.id: entry for entry in (own_entry(config, row, named) for named in entries)}.values())
        with db.write():
            for entry in found:
                content.delete(entry, actor)
        return found, bool(found)

    return carry_out(config, site, later, work)


def show(config: Config, site: str, entry: Entry | int | str) -> dict[str, Any]:
    """All there is to say of an entry, as plain values; moments by the site's clock, in ISO 8601.

    Raises:
        ContentError: there is none.
    """
    row = site_named(config, site)
    found = entry_named(row, entry)
    links = Links.of(found)
    comments = [one.status for one in Comment.select().where(Comment.entry == found.id)]
    return {
        **_brief(row, found),
        "expires": shown(row, found.unpublish_at),
        "address": found.address,
        "folder": found.folder,
        "authors": [Author.get_by_id(key).name for key in links.authors],
        "categories": [called(Category.get_by_id(key)) for key in links.categories],
        "tags": [Tag.get_by_id(key).name for key in links.tags],
        "aliases": sorted(links.aliases),
        "allow_comments": found.allow_comments,
        "comments": {status: comments.count(status) for status in dict.fromkeys(comments)},
        "assets": [one.path for one in Asset.select().where(Asset.entry == found.id).order_by(Asset.path)],
        "source": found.source,
        "source_path": found.source_path,
        "extra": json.loads(found.extra),
        "format": found.format,
        "summary": found.summary,
        "excerpt": found.excerpt,
        "text": found.text,
        "html": found.html,
    }


def list_(
    config: Config, site: str, *, status: str = "", kind: str = "", author: str = "", category: str = "", tag: str = "",
    since: When = "", until: When = "", text: str = "", sort: str = "date", limit: int | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Entries and pages for which all that is named holds, as plain values.

    `category` takes those below it too; `since` is the first moment and `until` the first no more; `text` is
    looked for in titles and texts; `sort` is a key of `SORTS`.

    Raises:
        ContentError: something named makes no sense, or there is no such term.
    """
    row = site_named(config, site)
    for what, value, allowed in (
        ("status of an entry", status, ENTRY_STATUSES), ("kind of an entry", kind, get_args(EntryKind)),
        ("order of entries", sort, tuple(SORTS)),
    ):  # fmt: skip
        if value and value not in allowed:
            raise ContentError(f"“{value}” is no {what}; use one of {', '.join(allowed)}")
    query = Entry.select().where(Entry.site == row)
    for column, value in ((Entry.status, status), (Entry.kind, kind)):
        query = query.where(column == value) if value else query
    for what, named in (("author", author), ("category", category), ("tag", tag)):
        query = query.where(Entry.id.in_(_joined(row, what, named))) if named else query
    query = query.where(Entry.published_at >= moment(row, since)) if since != "" else query
    query = query.where(Entry.published_at < moment(row, until)) if until != "" else query
    query = query.where(Entry.title.contains(text) | Entry.text.contains(text)) if text else query
    return [_brief(row, entry) for entry in query.order_by(SORTS[sort or "date"], Entry.id.desc()).limit(limit)]


def _brief(site: Site, entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "status": entry.status,
        "title": entry.title,
        "slug": entry.slug,
        "date": shown(site, entry.published_at),
        "modified": shown(site, entry.modified_at),
    }


def _joined(site: Site, kind: str, named: str) -> Any:
    """The ids of the entries of a term."""
    term = find(site, kind, named)
    link = links_of(kind_of(term))
    ids = [term.id]
    if isinstance(term, Category):
        below = Category.select(Category.id, Category.path).where(Category.site == site)
        ids += [row.id for row in below if row.path.startswith(term.path + "/")]
    return link.select(link.entry).where(getattr(link, kind).in_(ids))


def _edits(site: Site, named: Mapping[str, Any]) -> Edits:
    """What was named, as content takes it."""
    edits = dict(named)
    if "date" in edits:
        edits["published_at"] = moment(site, edits.pop("date"))
    if "expires" in edits:
        ends = edits.pop("expires")
        edits["unpublish_at"] = None if ends is None else moment(site, ends)
    if "categories" in edits:
        edits["categories"] = [[part.strip() for part in one.split("/")] for one in edits["categories"]]
    return cast(Edits, edits)
