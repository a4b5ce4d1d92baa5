"""Comments as people list and judge them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from appliance import db
from appliance.config import Config
from appliance.content.models import COMMENT_STATUSES, Comment, CommentStatus, Entry, Site
from appliance.content.sites import find_site, find_sites
from appliance.content.versions import version_of
from appliance.db import keyset
from appliance.db.keyset import CAP, REACH, Condition, Listing, Order, among
from appliance.editorial.dates import DateLike, local_datetime, parse_timestamp
from appliance.editorial.lookup import find_comment, find_entry
from appliance.editorial.queries.choices import refuse_unknown
from appliance.editorial.queries.entries import TEXT_REACH
from appliance.paging import PAGE_SIZE, Count, Counts, Group, Page

COMMENT_ORDERS: Final[Mapping[str, Order]] = {
    "newest": Order(("created_at", "id"), (int, int), descending=True),
    "oldest": Order(("created_at", "id"), (int, int)),
}


@dataclass(frozen=True, slots=True)
class CommentFilter:
    """Selects comments. All given conditions must hold."""

    #: The entry they are on, by id, slug or address.
    entry: Entry | int | str | None = None
    status: str = ""
    #: In the author's name, in upper or lower case.
    author: str = ""
    #: In what the comment says, likewise.
    text: str = ""
    since: DateLike = ""


EVERY_COMMENT: Final = CommentFilter()


@dataclass(frozen=True, slots=True)
class CommentRow:
    """A comment. Moments are by the clock of its site."""

    id: int
    status: CommentStatus
    #: The entry it is on, by id and title.
    entry: int
    title: str
    #: The comment it answers.
    reply_to: int | None
    date: datetime
    author: str
    email: str
    url: str
    text: str
    #: What an edit may expect: it differs once somebody changed the comment.
    version: str


def list_comments(
    config: Config,
    site: str = "",
    wanted: CommentFilter = EVERY_COMMENT,
    *,
    order: str = "newest",
    size: int = PAGE_SIZE,
    after: str | None = None,
    with_total: bool = True,
) -> Page[CommentRow]:
    """Read a page of the comments on entries of a site. Arguments and errors are those of `list_entries`."""
    row = find_site(config, site)
    refuse_unknown("order of comments", order, tuple(COMMENT_ORDERS))
    return keyset.page(
        _listing(row, wanted, order), order, "id", lambda keys: _rows(row, [key for (key,) in keys]),
        size=size, after=after, with_total=with_total,
    )  # fmt: skip


def get_comment(config: Config, site: str, number: int) -> CommentRow:
    """The comment with this id.

    Raises:
        ContentError: there is none on an entry of the site.
    """
    row = find_site(config, site)
    with db.snapshot():
        return _rows(row, [find_comment(row, number).id])[0]


def count_comments(config: Config, sites: Sequence[str] = (), *, cap: int = CAP) -> Counts:
    """Count the comments on entries of these sites, or of all, by site and status; of each status the newest `cap`."""
    names = {site.id: site.name for site in find_sites(config, sites)}
    counts: dict[Group, Count] = {}
    for status in COMMENT_STATUSES:
        rows = db.execute(
            """SELECT (SELECT site_id FROM entry WHERE entry.id = newest.entry_id) AS site, COUNT(*)
               FROM (SELECT entry_id FROM comment WHERE status = ? ORDER BY created_at DESC, id DESC LIMIT ?) AS newest
               GROUP BY site""",
            [status, cap + 1],
        ).fetchall()
        is_capped = sum(number for _, number in rows) > cap
        for site, number in rows:
            if site in names:
                counts[Group(names[site], "comment", status)] = Count(min(number, cap), is_capped)
    return Counts(counts)


def _rows(site: Site, keys: Sequence[Any]) -> list[CommentRow]:
    chosen = Comment.select(Comment, Entry.id, Entry.title).join(Entry).where(Comment.id.in_(list(keys)))
    found = {one.id: one for one in chosen}
    return [_row(site, found[key]) for key in keys]


def _row(site: Site, one: Any) -> CommentRow:
    return CommentRow(
        id=one.id, status=one.status, entry=one.entry_id, title=one.entry.title, reply_to=one.parent_id,
        date=local_datetime(site, one.created_at), author=one.author_name, email=one.author_email, url=one.author_url,
        text=one.text, version=version_of(one),
    )  # fmt: skip


def _listing(site: Site, wanted: CommentFilter, order: str) -> Listing:
    refuse_unknown("status of a comment", wanted.status, COMMENT_STATUSES)
    statuses = (wanted.status,) if wanted.status else COMMENT_STATUSES
    since = Condition("created_at >= ?", (parse_timestamp(site, wanted.since),)) if wanted.since != "" else Condition()
    said = Condition()
    for column, text in (("author_name", wanted.author), ("text", wanted.text)):
        if text:
            sql, value = db.contains(column, text)
            said &= Condition(sql, (value,))
    reach = TEXT_REACH if wanted.text else REACH
    if wanted.entry is not None:
        on_entry = Condition("entry_id = ?", (find_entry(site, wanted.entry).id,)) & since
        of_status = among("status", statuses) if wanted.status else Condition()
        return Listing("comment", COMMENT_ORDERS[order], (on_entry,), of_status & said, reach)
    groups = tuple(Condition("status = ?", (status,)) & since for status in statuses)
    on_site = Condition("(SELECT site_id FROM entry WHERE entry.id = comment.entry_id) = ?", (site.id,))
    return Listing("comment", COMMENT_ORDERS[order], groups, said & on_site, reach)
