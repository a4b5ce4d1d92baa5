"""Comments of several sites as moderators find them: by status, sender, text, entry and age.

Guarantees that a page, a count and the choice of all that match cost the same however many comments there are; and that
an e-mail or network address finds comments of those sites alone whose senders one may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance import db
from appliance.config import Config
from appliance.content.models import COMMENT_STATUSES, CommentStatus
from appliance.content.networks import network_of, parse_network
from appliance.content.sites import find_sites
from appliance.db import keyset
from appliance.db.keyset import CAP, Condition, Listing, Order, among
from appliance.editorial.queries.choices import refuse_unknown
from appliance.editorial.queries.comments import COMMENT_ORDERS
from appliance.editorial.queries.entries import TEXT_REACH
from appliance.paging import Count, Page

#: Comments that one page or count tests by their site or by the name of their author.
_REACH: Final = 5_000
#: Comments that are counted one by one where each has to be looked at.
_COUNTED: Final = 1_000
#: The most comments that one decision about all that match may be about.
MOST: Final = 10_000
#: Parts of a text search that the choice of all that match goes through.
_PARTS: Final = 20
#: The newest comments of a network that a search finds.
_OF_NETWORK: Final = 1_000


@dataclass(frozen=True, slots=True)
class ModerationFilter:
    """Selects comments. All given conditions must hold."""

    #: The names of the sites; none of no sites.
    sites: Sequence[str]
    #: Those of them whose senders may be seen.
    sender_sites: Sequence[str] = ()
    #: Empty for every status.
    status: str = ""
    #: In what the comment says, in upper or lower case.
    text: str = ""
    #: An e-mail address, `@` and a part of one, a network address or network, or a part of a name.
    sender: str = ""
    #: The id of the entry; 0 for all.
    entry: int = 0
    #: Comments that are at most so many seconds old; 0 for all.
    younger: float = 0
    #: Comments that are at least so many seconds old.
    older: float = 0
    #: The id of the newest comment that there was; 0 for all.
    newest: int = 0
    #: Comments about which nobody has decided since this time, in seconds since the epoch; 0 for all.
    undecided_since: int = 0

    @property
    def is_search(self) -> bool:
        """Whether anything but sites and status is asked for."""
        return bool(self.text or self.sender or self.entry or self.younger or self.older)


@dataclass(frozen=True, slots=True)
class Matches:
    """The comments that a filter selects at a moment."""

    #: By the name of the site, the newest first in each.
    ids: Mapping[str, tuple[int, ...]]
    #: Whether there are or may be more.
    has_more: bool

    @property
    def number(self) -> int:
        """How many they are."""
        return sum(map(len, self.ids.values()))


def find_page(
    config: Config, wanted: ModerationFilter, *, order: str = "newest", size: int = 50, after: str | None = None
) -> Page[int]:
    """Return a page of the ids of comments.

    Raises:
        FilterError: the status or the order is unknown.
        CursorError: the cursor is of another list.
    """
    refuse_unknown("order of comments", order, tuple(COMMENT_ORDERS))
    listing = _listing(wanted, COMMENT_ORDERS[order], _on_sites(config, _searched_sites(wanted)))
    return keyset.page(
        listing, order, "id", lambda keys: [key for (key,) in keys], size=size, after=after, with_total=False
    )


def count_by_status(config: Config, wanted: ModerationFilter) -> dict[CommentStatus, Count]:
    """Count the comments of each status that the filter selects, whatever status it names."""
    counts: dict[CommentStatus, Count] = {}
    on_sites = _on_sites(config, _searched_sites(wanted))
    for status in COMMENT_STATUSES:
        listing = _listing(replace(wanted, status=status), COMMENT_ORDERS["newest"], on_sites)
        if listing.filter:
            listing = replace(listing, reach=min(listing.reach or _COUNTED, _COUNTED))
        counts[status] = keyset.count(listing, _COUNTED if listing.filter else CAP)
    return counts


def newest_comment() -> int:
    """The id of the newest comment; 0 if there is none."""
    return int(db.execute("SELECT COALESCE(MAX(id), 0) FROM comment").fetchone()[0])


def count_newer(config: Config, wanted: ModerationFilter, than: int) -> Count:
    """Count the comments of the status and sites that came after the one with an id."""
    site = _on_sites(config, wanted.sites)
    status = Condition("status = ?", (wanted.status,)) if wanted.status else Condition()
    chosen = status & site
    sql = f"""SELECT COUNT(*) FROM (SELECT * FROM comment WHERE id > ? ORDER BY id LIMIT {_COUNTED}) AS comment
              WHERE {chosen.where}"""
    number = int(db.execute(sql, (than, *chosen.values)).fetchone()[0])
    return Count(number, number >= _COUNTED)


def find_matches(config: Config, wanted: ModerationFilter) -> Matches:
    """Return the comments that match now, at most `MOST` of them, and of a text as many as a search looks at."""
    listing = _listing(wanted, COMMENT_ORDERS["newest"], _on_sites(config, _searched_sites(wanted)))
    found, after = list[Any](), None
    columns = "id, (SELECT site_id FROM entry WHERE entry.id = comment.entry_id)"
    with db.snapshot():
        for _ in range(_PARTS):
            some, after = keyset.read(listing, columns, MOST - len(found), after)
            found += some
            if after is None or len(found) >= MOST:
                break
        names = {site.id: site.name for site in find_sites(config)}
    ids = dict[str, list[int]]()
    for comment, site in found:
        ids.setdefault(names[site], []).append(comment)
    return Matches({site: tuple(some) for site, some in ids.items()}, after is not None)


def _listing(wanted: ModerationFilter, order: Order, on_sites: Condition) -> Listing:
    if wanted.status:
        refuse_unknown("status of a comment", wanted.status, COMMENT_STATUSES)
    statuses = (wanted.status,) if wanted.status else COMMENT_STATUSES
    by_sender, said = Condition(), Condition()
    if wanted.text:
        said = Condition(*_contains("text", wanted.text))
    if _is_address(wanted.sender):
        if wanted.sender.startswith("@"):
            said = Condition("author_email <> ''") & Condition(*_contains("author_email", wanted.sender)) & said
        else:
            by_sender = _sent_by(wanted.sender)
    elif wanted.sender:
        said = Condition(*_contains("author_name", wanted.sender)) & said
    filters = said & on_sites & _undecided(wanted)
    reach = TEXT_REACH if wanted.text else _REACH
    times = _times(wanted)
    if wanted.entry:
        on_entry = Condition("entry_id = ?", (wanted.entry,)) & times
        of_status = among("status", statuses) if wanted.status else Condition()
        return Listing("comment", order, (on_entry,), of_status & by_sender & filters, reach)
    groups = tuple(by_sender & Condition("status = ?", (status,)) & times for status in statuses)
    return Listing("comment", order, groups, filters, reach)


def _searched_sites(wanted: ModerationFilter) -> Sequence[str]:
    """The sites that are searched: for an address those alone whose senders may be seen."""
    if _is_address(wanted.sender):
        return [site for site in wanted.sites if site in wanted.sender_sites]
    return wanted.sites


def _contains(column: str, text: str) -> tuple[str, tuple[str]]:
    sql, value = db.contains(column, text)
    return sql, (value,)


def _is_address(sender: str) -> bool:
    """Whether a text names what only those may search who may see it."""
    return "@" in sender or parse_network(sender) is not None


def _sent_by(sender: str) -> Condition:
    if "@" in sender:
        return Condition("lower(author_email) = ? AND author_email <> ''", (sender.lower(),))
    network = str(parse_network(sender)) if "/" in sender else network_of(sender)
    return Condition(
        f"""comment.id IN (SELECT comment_id FROM comment_origin WHERE network = ? AND network <> ''
                           ORDER BY created_at DESC LIMIT {_OF_NETWORK})""",
        (network,),
    )


def _times(wanted: ModerationFilter) -> Condition:
    found = Condition()
    now = db.now() if wanted.younger or wanted.older else 0
    if wanted.younger:
        found &= Condition("created_at >= ?", (int(now - wanted.younger),))
    if wanted.older:
        found &= Condition("created_at <= ?", (int(now - wanted.older),))
    if wanted.newest:
        found &= Condition("id <= ?", (wanted.newest,))
    return found


def _undecided(wanted: ModerationFilter) -> Condition:
    """The condition that nobody has decided about a comment since the number of all that match was shown."""
    if not wanted.undecided_since:
        return Condition()
    decided = "SELECT 1 FROM comment_decision d WHERE d.comment_id = comment.id AND d.made_at >= ?"
    return Condition(f"NOT EXISTS ({decided})", (wanted.undecided_since,))


def _on_sites(config: Config, names: Sequence[str]) -> Condition:
    """The condition that a comment is on an entry of these sites; nothing is looked up where they are all."""
    if set(names) >= {site.name for site in config.sites} and _are_all_in_settings(config):
        return Condition()
    ids = [site.id for site in find_sites(config, names)] if names else []
    return among("(SELECT site_id FROM entry WHERE entry.id = comment.entry_id)", ids)


def _are_all_in_settings(config: Config) -> bool:
    """Whether the database has no site that the settings do not have, such as one that was taken out of them."""
    number = db.execute(f"SELECT COUNT(*) FROM site WHERE name NOT IN ({db.placeholders(len(config.sites))})",
                        [site.name for site in config.sites]).fetchone()[0]  # fmt: skip
    return int(number) == 0
