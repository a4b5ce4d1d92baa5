"""Entries and pages as people list them: typed rows, pages of a list, all there is to say of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from appliance import db
from appliance.config import Config
from appliance.content.entry_relations import EntryRelations
from appliance.content.models import ENTRY_STATUSES, Asset, Author, Category, Entry, EntryKind, EntryStatus, Site, Tag
from appliance.content.sites import find_site, find_sites
from appliance.content.term_names import find_term, full_name
from appliance.content.versions import version_of
from appliance.db import keyset
from appliance.db.keyset import REACH, Condition, Listing, Order, among
from appliance.editorial.dates import DateLike, local_datetime, parse_timestamp
from appliance.editorial.lookup import find_entry
from appliance.editorial.queries.choices import refuse_unknown
from appliance.paging import PAGE_SIZE, Counts, Group, Page

ENTRY_KINDS: Final[tuple[EntryKind, ...]] = get_args(EntryKind)
#: Texts that one page or one count looks for something in: a text may be long.
TEXT_REACH: Final = 1_000

#: How entries may be sorted. Titles are compared by the beginning that the index has.
ENTRY_ORDERS: Final[Mapping[str, Order]] = {
    "date": Order(("published_at", "id"), (int, int), descending=True),
    "oldest": Order(("published_at", "id"), (int, int)),
    "modified": Order(("modified_at", "id"), (int, int), descending=True),
    "title": Order(("substr(title, 1, 120)", "id"), (str, int)),
    "id": Order(("id",), (int,)),
}


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Selects entries and pages. All given conditions must hold."""

    status: str = ""
    kind: str = ""
    #: A name or slug.
    author: str = ""
    #: Those below this category count too: `News` or `News/Local`.
    category: str = ""
    tag: str = ""
    #: The first moment of publication, and the first that is too late.
    since: DateLike = ""
    until: DateLike = ""
    #: In the title or the text, in upper or lower case.
    text: str = ""


EVERY_ENTRY: Final = EntryFilter()


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry or page in a list. Moments are by the clock of its site."""

    id: int
    kind: EntryKind
    status: EntryStatus
    title: str
    slug: str
    #: When it was or will be published.
    date: datetime
    modified: datetime


@dataclass(frozen=True, slots=True)
class EntryDetails(EntryRow):
    """An entry or page with all that belongs to it."""

    #: What an edit may expect: it differs once somebody changed the entry.
    version: str
    expires: datetime | None
    address: str | None
    folder: str
    authors: tuple[str, ...]
    #: From the topmost down, `News/Local`; the primary one first.
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    #: Former addresses.
    aliases: tuple[str, ...]
    allow_comments: bool
    #: Number of comments by status.
    comments: Mapping[str, int]
    #: Paths of its files.
    assets: tuple[str, ...]
    source: str | None
    source_path: str | None
    extra: Mapping[str, Any]
    #: Whether its HTML was sanitised, since its author may not publish HTML as written.
    sanitised: bool
    format: str
    summary: str
    excerpt: str
    text: str
    html: str


def list_entries(
    config: Config,
    site: str = "",
    wanted: EntryFilter = EVERY_ENTRY,
    *,
    order: str = "date",
    size: int = PAGE_SIZE,
    after: str | None = None,
    with_total: bool = True,
) -> Page[EntryRow]:
    """Read a page of the entries and pages of a site.

    Args:
        config: the settings of the installation, which is open.
        site: its name; empty where there is only one.
        wanted: which entries.
        order: a key of `ENTRY_ORDERS`.
        size: rows of a page.
        after: the cursor of the page before; None for the first page.
        with_total: whether to count the entries of all pages.

    Raises:
        ContentError: the filter makes no sense, or names a term that does not exist.
        CursorError: the cursor is of another list.
    """
    row = find_site(config, site)
    refuse_unknown("order of entries", order, tuple(ENTRY_ORDERS))
    return keyset.page(
        _listing(row, wanted, order), order, "id, kind, status, title, slug, published_at, modified_at",
        lambda rows: [_row(row, *values) for values in rows], size=size, after=after, with_total=with_total,
    )  # fmt: skip


def count_entries(config: Config, sites: Sequence[str] = ()) -> Counts:
    """Count the entries and pages of these sites, or of all, by site, kind and status."""
    rows = find_sites(config, sites)
    groups = {
        Group(site.name, kind, status): _group(site, status, kind)
        for site in rows
        for kind in ENTRY_KINDS
        for status in ENTRY_STATUSES
    }
    return Counts(keyset.count_groups("entry", groups))


def get_entry(config: Config, site: str, entry: Entry | int | str) -> EntryDetails:
    """All there is to say of an entry.

    Raises:
        ContentError: there is none.
    """
    row = find_site(config, site)
    with db.snapshot():
        found: Any = find_entry(row, entry)
        links = EntryRelations.stored(found)
        comments = db.execute("SELECT status, COUNT(*) FROM comment WHERE entry_id = ? GROUP BY status", [found.id])
        return EntryDetails(
            id=found.id, kind=found.kind, status=found.status, title=found.title, slug=found.slug,
            date=local_datetime(row, found.published_at), modified=local_datetime(row, found.modified_at),
            version=version_of(found),
            expires=None if found.unpublish_at is None else local_datetime(row, found.unpublish_at),
            address=found.address, folder=found.folder,
            authors=tuple(Author.get_by_id(key).name for key in links.authors),
            categories=tuple(full_name(Category.get_by_id(key)) for key in links.categories),
            tags=tuple(Tag.get_by_id(key).name for key in links.tags),
            aliases=tuple(sorted(links.aliases)),
            allow_comments=found.allow_comments,
            comments=dict(sorted(comments.fetchall())),
            assets=tuple(one.path for one in Asset.select().where(Asset.entry == found.id).order_by(Asset.path)),
            source=found.source, source_path=found.source_path, extra=json.loads(found.extra),
            sanitised=bool(found.sanitised), format=found.format,
            summary=found.summary, excerpt=found.excerpt, text=found.text, html=found.html,
        )  # fmt: skip


def _row(site: Site, id: int, kind: Any, status: Any, title: str, slug: str, date: int, modified: int) -> EntryRow:
    return EntryRow(id, kind, status, title, slug, local_datetime(site, date), local_datetime(site, modified))


def _group(site: Site, status: str, kind: str) -> Condition:
    return Condition("site_id = ? AND status = ? AND kind = ?", (site.id, status, kind))


def _listing(site: Site, wanted: EntryFilter, order: str) -> Listing:
    refuse_unknown("status of an entry", wanted.status, ENTRY_STATUSES)
    refuse_unknown("kind of an entry", wanted.kind, ENTRY_KINDS)
    statuses = (wanted.status,) if wanted.status else ENTRY_STATUSES
    kinds = (wanted.kind,) if wanted.kind else ENTRY_KINDS
    one = Condition("site_id = ?", (site.id,)) & among("status", statuses) & among("kind", kinds)
    period, text, reach = _period(site, wanted), _text(wanted), TEXT_REACH if wanted.text else REACH
    table, joined = _joined(site, wanted, reach)
    if table:
        # The entries of a term are so few that they are read and sorted.
        return Listing(table, ENTRY_ORDERS[order], (one & period & joined & text,))
    if order == "id":
        return Listing("entry", ENTRY_ORDERS[order], filter=one & period & joined & text, reach=reach)
    groups = tuple(_group(site, status, kind) for status in statuses for kind in kinds)
    if order in ("date", "oldest"):
        return Listing("entry", ENTRY_ORDERS[order], tuple(one & period for one in groups), joined & text, reach)
    return Listing("entry", ENTRY_ORDERS[order], groups, period & joined & text, reach)


def _period(site: Site, wanted: EntryFilter) -> Condition:
    since = (
        Condition("published_at >= ?", (parse_timestamp(site, wanted.since),)) if wanted.since != "" else Condition()
    )
    until = Condition("published_at < ?", (parse_timestamp(site, wanted.until),)) if wanted.until != "" else Condition()
    return since & until


def _text(wanted: EntryFilter) -> Condition:
    if not wanted.text:
        return Condition()
    in_title, value = db.contains("title", wanted.text)
    in_text, _ = db.contains("text", wanted.text)
    return Condition(f"({in_title} OR {in_text})", (value, value))


def _joined(site: Site, wanted: EntryFilter, reach: int) -> tuple[str, Condition]:
    """The entries of the terms that are named.

    Returns:
        A table of the entries of the rarest term, empty when that is frequent or none is named; and the condition that
        an entry has the terms.
    """
    table, fewest, condition = "", reach, Condition()
    for kind, named in (("author", wanted.author), ("category", wanted.category), ("tag", wanted.tag)):
        if not named:
            continue
        links = f"FROM entry_{kind} WHERE {kind}_id IN ({', '.join(map(str, _terms(site, kind, named)))})"
        # Looked up entry by entry: a server would join the whole table instead of looking whether something exists.
        condition &= Condition(f"(SELECT 1 {links} AND entry_id = entry.id LIMIT 1) = 1")
        number = db.execute(f"SELECT COUNT(*) FROM (SELECT 1 {links} LIMIT {fewest}) AS links").fetchone()[0]
        if number < fewest:
            table, fewest = f"(SELECT DISTINCT entry_id {links}) AS chosen CROSS JOIN entry", max(number, 1)
    return table, condition & Condition("entry.id = chosen.entry_id") if table else condition


def _terms(site: Site, kind: str, named: str) -> list[int]:
    """The ids of a term and, of a category, of those below it."""
    term = find_term(site, kind, named)
    if not isinstance(term, Category):
        return [term.id]
    below = db.execute(
        "SELECT id FROM category WHERE site_id = ? AND substr(path, 1, ?) = ?",
        [site.id, len(term.path) + 1, term.path + "/"],
    )
    return [term.id, *(key for (key,) in below.fetchall())]
