"""The history of the senders of comments: how many were approved, taken for spam or deleted, since when, and as whom.

A sender is known by the e-mail address and, without one, by the network. Guarantees that comments of sites whose
senders one may not see are not counted, and that a sender of very many comments costs no more than one of a few.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from appliance import db
from appliance.config import Config
from appliance.content.sites import find_sites
from appliance.db.keyset import Condition, among
from appliance.paging import NONE, Count

#: Comments of a sender with one status that are counted one by one.
COUNTED: Final = 25
#: Names of a sender that are told.
_NAMES: Final = 5

Kind = Literal["email", "network"]
#: By what a sender is known, and the e-mail address in lower case or the network.
Sender = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class SenderHistory:
    """What a sender has sent so far; a number of comments that is capped says that there are more."""

    #: By what the sender is known.
    by: Kind
    approved: Count = NONE
    pending: Count = NONE
    spam: Count = NONE
    deleted: Count = NONE
    #: When the first comment that is still there was made, in seconds since the epoch; None if there is none.
    first: int | None = None
    #: Names under which comments came.
    names: tuple[str, ...] = ()


def sender_of(email: str, network: str) -> Sender | None:
    """By what a sender is known; None if by nothing."""
    return ("email", email.lower()) if email else ("network", network) if network else None


#: The newest comments of the sender `s.value`, the first one, and those that were deleted.
_NEWEST: Final[dict[Kind, str]] = {
    "email": """(SELECT entry_id, author_name FROM comment
                  WHERE lower(author_email) = s.value AND author_email <> '' AND status = t.status
                  ORDER BY created_at DESC, id DESC LIMIT {limit}) AS c""",
    "network": """(SELECT comment_id FROM comment_origin WHERE network = s.value AND network <> ''
                    ORDER BY created_at DESC LIMIT {limit}) AS o
                   JOIN comment c ON c.id = o.comment_id AND c.status = t.status""",
}
_FIRST: Final[dict[Kind, str]] = {
    "email": """(SELECT entry_id, created_at FROM comment
                 WHERE lower(author_email) = s.value AND author_email <> '' AND status = t.status
                 ORDER BY created_at, id LIMIT 1) AS c""",
    "network": _NEWEST["network"],
}
_DELETED: Final[dict[Kind, str]] = {"email": "lower(author_email) = s.value AND author_email <> ''",
                                    "network": "network = s.value AND network <> ''"}  # fmt: skip


def read_histories(
    config: Config, senders: Collection[Sender], sites: Collection[str], *, counted: int = COUNTED
) -> dict[Sender, SenderHistory]:
    """Return what some dozens of senders have sent to these sites, `counted` comments of each status at most."""
    every = {site.id: site.name for site in find_sites(config)}
    ids = [key for key, name in every.items() if name in sites]
    found: dict[Sender, SenderHistory] = {}
    for kind in _NEWEST:
        values = sorted({value for known, value in senders if known == kind})
        if values:
            found |= _read(kind, values, ids, counted, is_every=len(ids) == len(every))
    return found


def _read(
    kind: Kind, values: Sequence[str], ids: Sequence[int], counted: int, *, is_every: bool
) -> dict[Sender, SenderHistory]:
    seen = Condition() if is_every else among("(SELECT site_id FROM entry WHERE entry.id = c.entry_id)", ids)
    limit = counted + 1
    there = f"FROM {_NEWEST[kind].format(limit=limit)} WHERE {seen.where}"
    first = f"FROM {_FIRST[kind].format(limit=limit)} WHERE {seen.where}"
    sql = f"""
    WITH s(value) AS (VALUES {", ".join(["(?)"] * len(values))}),
         t(status) AS (VALUES ('approved'), ('pending'), ('spam'))
    SELECT s.value, t.status, (SELECT COUNT(*) {there}), (SELECT MIN(author_name) {there}),
           (SELECT MAX(author_name) {there}), (SELECT MIN(c.created_at) {first})
    FROM s CROSS JOIN t
    """
    gone = Condition() if is_every else among("site_id", ids)
    deleted = f"""
    WITH s(value) AS (VALUES {", ".join(["(?)"] * len(values))})
    SELECT s.value, (SELECT COUNT(*) FROM (SELECT site_id FROM comment_decision
        WHERE {_DELETED[kind]} ORDER BY made_at DESC LIMIT {limit}) AS d WHERE {gone.where})
    FROM s
    """
    rows = db.execute(sql, [*values, *seen.values * 4]).fetchall()
    removed = dict(db.execute(deleted, [*values, *gone.values]).fetchall())
    return {
        (kind, value): _history(kind, [row[1:] for row in rows if row[0] == value], removed[value], counted)
        for value in values
    }


def _history(kind: Kind, rows: Sequence[tuple[Any, ...]], deleted: int, most: int) -> SenderHistory:
    # Of a network the newest are counted together.
    has_more = kind == "network" and sum(row[1] for row in rows) > most
    numbers = {row[0]: Count(min(row[1], most), row[1] > most or (has_more and row[1] > 0)) for row in rows}
    names = sorted({name for row in rows for name in row[2:4] if name is not None})
    first = min((row[4] for row in rows if row[4] is not None), default=None)
    return SenderHistory(
        kind, numbers["approved"], numbers["pending"], numbers["spam"], Count(min(deleted, most), deleted > most),
        first, tuple(names[:_NAMES]),
    )  # fmt: skip
