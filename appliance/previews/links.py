"""Links to previews: made, revoked and listed by people, and found by the secret that a visitor has.

Guarantees that a link cannot be guessed or read from the database: its secret has 256 random bits and only the SHA-256
of it is kept. A link that was revoked, that expired or that never was is not found, each by the same query.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

from appliance import audit, db
from appliance.actor import UNKNOWN, Actor
from appliance.actor import current as current_actor
from appliance.config import Config
from appliance.content.models import Entry, Site
from appliance.content.sites import find_site, find_sites
from appliance.db import NOW, keyset
from appliance.db.keyset import Condition, Listing, Order, among
from appliance.editorial.lookup import find_entry
from appliance.errors import ConfigError, ContentError
from appliance.paging import PAGE_SIZE, Page
from appliance.preview_requests import request_previews
from appliance.previews.models import Link, Preview
from appliance.queue.enqueue import Cause

#: Days that a link is valid: unless somebody says otherwise, and at most.
DEFAULT_DAYS: Final = 7
LONGEST_DAYS: Final = 30
#: Links of one entry that are valid at once.
MOST_LINKS: Final = 100
_DAY: Final = 86_400.0
_SECRET_BYTES: Final = 32
_ORDER: Final = Order(("id",), (int,), descending=True)
_VALID: Final = f"revoked_at IS NULL AND expires_at > {NOW}"

#: Whether a link is valid, and how far the preview is that it shows.
LinkState = Literal["active", "expired", "revoked"]
BuildState = Literal["waiting", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class PreviewLink:
    """A link to a preview, for lists. Times are seconds since the epoch."""

    id: int
    site: str
    #: The id and the title of the entry.
    entry: int
    title: str
    created_by: str
    created_at: float
    expires_at: float
    revoked_at: float | None
    seen_at: float | None
    state: LinkState
    build: BuildState
    #: Why the preview cannot be built, or what is left out of it; empty if all is well.
    fault: str
    built_at: float | None
    revoked_by: str


def share(
    config: Config, site: str, entry: Entry | int | str, *, days: int = DEFAULT_DAYS, actor: Actor = UNKNOWN
) -> tuple[str, PreviewLink]:
    """Make a link to the preview of an entry, and have the preview built.

    Returns:
        The secret of the link, which cannot be read again, and the link.

    Raises:
        ConfigError: the settings name no address for previews, or there is no such site.
        ContentError: there is no such entry, the number of days is out of range, or it has too many links.
    """
    if not config.admin.preview_url:
        raise ConfigError(["admin.preview_url: no previews can be shared; name a host for them"], config.path)
    if not 1 <= days <= LONGEST_DAYS:
        raise ContentError(f"A link is valid for 1 to {LONGEST_DAYS} days, not for {days}.")
    row = find_site(config, site)
    found, who = find_entry(row, entry), _name(actor)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    with db.write():
        _refuse_too_many(found)
        now = db.now()
        expires = now + days * _DAY
        values = (_digest(secret), found.id, row.id, who, now, expires)
        number = db.execute(
            """INSERT INTO preview_link (digest, entry_id, site_id, created_by, created_at, expires_at, revoked_by)
               VALUES (?, ?, ?, ?, ?, ?, '') RETURNING id""",
            values,
        ).fetchone()[0]
        db.execute(
            """INSERT INTO preview (entry_id, site_id, requested, built, page, fault, left_out)
               VALUES (?, ?, ?, 0, '', '', '') ON CONFLICT (entry_id) DO NOTHING""",
            [found.id, row.id, int(now * 1000)],
        )
        request_previews(row.name, [found.id], Cause("preview shared", who))
        audit.record(
            "entry.share", "entry", found.id, site=row.name, label=found.title,
            after={"link": number, "days": days}, actor=actor,
        )  # fmt: skip
    return secret, _rows([number])[0]


def revoke(config: Config, site: str, link: int, *, actor: Actor = UNKNOWN) -> PreviewLink:
    """Revoke a link at once. To revoke one that is no longer valid changes nothing.

    Args:
        config: the settings of the opened installation.
        site: the name of the site; empty for a link of any site.
        link: the id of the link.
        actor: who revokes it.

    Raises:
        ContentError: there is no such link.
    """
    sites = {row.id: row for row in ([find_site(config, site)] if site else find_sites(config))}
    found = Link.get_or_none(Link.id == link, Link.site.in_(list(sites)))
    if found is None:
        where = f" on the site {site}" if site else ""
        raise ContentError(f"There is no link {link}{where}; previews.list lists them.")
    with db.write():
        revoked = db.execute(
            f"UPDATE preview_link SET revoked_at = {NOW}, revoked_by = ? WHERE id = ? AND {_VALID} RETURNING id",
            [_name(actor), link],
        ).fetchall()
        if revoked:
            entry = Entry.get_by_id(found.entry_id)
            audit.record(
                "entry.unshare", "entry", entry.id, site=sites[found.site_id].name, label=entry.title,
                before={"link": link}, after={"link": None}, actor=actor,
            )  # fmt: skip
            delete_unshown()
    return _rows([link])[0]


def get_link(config: Config, site: str, link: int) -> PreviewLink | None:
    """The link of a site with this id, valid or not; None if the site has none."""
    row = find_site(config, site)
    return _rows([link])[0] if Link.get_or_none(Link.id == link, Link.site == row) else None


def list_links(
    config: Config,
    site: str = "",
    entry: Entry | int | str | None = None,
    *,
    within: Collection[str] | None = None,
    size: int = PAGE_SIZE,
    after: str | None = None,
) -> Page[PreviewLink]:
    """Read a page of the links to previews of a site, or of all sites if none is named, the newest first.

    Args:
        config: the settings of the opened installation.
        site: the name of the site; empty for all sites.
        entry: only links to this entry of the site.
        within: the names of the sites that count, where none is named; None for all.
        size: the number of links of a page.
        after: the cursor of the page before.

    Raises:
        ContentError: there is no such entry.
        CursorError: `after` is no cursor of this list.
    """
    if site or entry is not None:
        sites = [find_site(config, site)]
    else:
        sites = [row for row in find_sites(config) if within is None or row.name in within]
    chosen = among("site_id", [row.id for row in sites])
    if entry is not None:
        chosen &= Condition("entry_id = ?", (find_entry(sites[0], entry).id,))
    return keyset.page(
        Listing("preview_link", _ORDER, filter=chosen), "newest", "id",
        lambda keys: _rows([key for (key,) in keys]), size=size, after=after,
    )  # fmt: skip


def link_url(config: Config, secret: str) -> str:
    """The address to give to whoever may see the preview."""
    return f"{config.admin.preview_url}{secret}"


@dataclass(frozen=True, slots=True)
class OpenPreview:
    """What a visitor with a valid link may see."""

    link: int
    entry: int
    site: str
    requested: int
    built: int
    #: When it was built, and when the site was last planned.
    built_at: float | None
    planned_at: float | None
    page: str
    fault: str
    #: When the link was last opened, and the current time.
    seen_at: float | None
    now: float


_FIND: Final = f"""
SELECT l.id, l.entry_id, s.name, p.requested, p.built, p.built_at, planned.at, p.page, p.fault, l.seen_at, {NOW}
FROM preview_link l JOIN preview p ON p.entry_id = l.entry_id JOIN site s ON s.id = l.site_id
LEFT JOIN planned ON planned.site_id = l.site_id
WHERE l.digest = ? AND l.revoked_at IS NULL AND l.expires_at > {NOW}
"""


def find(secret: str) -> OpenPreview | None:
    """What the link with this secret shows; None unless it is valid."""
    row = db.execute(_FIND, [_digest(secret)]).fetchone()
    return OpenPreview(*row) if row else None


def note_visit(found: OpenPreview) -> None:
    """Keep when a link was opened, at most once a minute."""
    if found.seen_at is None or found.seen_at < found.now - 60:
        with db.write():
            db.execute(f"UPDATE preview_link SET seen_at = {NOW} WHERE id = ?", [found.link])


def delete_unshown() -> int:
    """Delete the previews that no valid link shows; returns how many. Call it in a transaction."""
    return int(
        db.execute(
            f"DELETE FROM preview WHERE entry_id NOT IN (SELECT entry_id FROM preview_link WHERE {_VALID})"
        ).rowcount
    )


def _refuse_too_many(entry: Entry) -> None:
    query = f"SELECT COUNT(*) FROM preview_link WHERE entry_id = ? AND {_VALID}"
    if db.execute(query, [entry.id]).fetchone()[0] >= MOST_LINKS:
        raise ContentError(f"“{entry.title}” has {MOST_LINKS} links to its preview; revoke some of them first.")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _name(actor: Actor) -> str:
    return (current_actor() if actor == UNKNOWN else actor).name


def _rows(ids: list[int]) -> list[PreviewLink]:
    """The links with these ids, in this order."""
    found = {
        row.id: row
        for row in Link.select(Link, Entry, Site).join(Entry).switch(Link).join(Site).where(Link.id.in_(ids))
    }
    previews = {
        one.entry_id: one for one in Preview.select().where(Preview.entry.in_([r.entry_id for r in found.values()]))
    }
    now = db.now()
    return [_row(found[one], previews.get(found[one].entry_id), now) for one in ids if one in found]


def _row(link: Any, preview: Preview | None, now: float) -> PreviewLink:
    state: LinkState = "revoked" if link.revoked_at is not None else "expired" if link.expires_at <= now else "active"
    build: BuildState = "waiting"
    if preview is not None and preview.built >= preview.requested:
        build = "failed" if preview.fault else "ready"
    return PreviewLink(
        id=link.id, site=link.site.name, entry=link.entry_id, title=link.entry.title, created_by=link.created_by,
        created_at=link.created_at, expires_at=link.expires_at, revoked_at=link.revoked_at, seen_at=link.seen_at,
        state=state, build=build, fault=(preview.fault or preview.left_out) if preview else "",
        built_at=preview.built_at if preview else None, revoked_by=link.revoked_by,
    )  # fmt: skip
