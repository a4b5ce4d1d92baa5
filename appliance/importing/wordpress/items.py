"""Items: which of them are texts of the site, and what they say of themselves besides their text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from urllib.parse import unquote

from appliance.content.excerpts import plain_text, shorten
from appliance.content.models import EntryKind, EntryStatus
from appliance.content.terms import slugify
from appliance.errors import ContentError
from appliance.importing import dates
from appliance.importing.wordpress.wxr import Part

KINDS: Final[dict[str, EntryKind]] = {"post": "entry", "page": "page"}
ATTACHMENT = "attachment"

_REASONS = {
    "nav_menu_item": "is an item of a menu, which the theme makes",
    "revision": "is an earlier state of another text",
    "custom_css": "is style of the other system's theme",
    "customize_changeset": "is a setting of the other system's theme",
    "wp_template": "is a template of the other system's theme",
    "wp_template_part": "is a template of the other system's theme",
    "wp_global_styles": "is style of the other system's theme",
    "wp_navigation": "is a menu, which the theme makes",
    "wp_block": "is a block that several texts may show; those that do go without it",
    "oembed_cache": "is a copy of what another site said",
}
_LEFT = {"trash": "is in the trash", "auto-draft": "is a draft that nobody began to write"}
#: Statuses that become drafts, and what the report says of them.
_DRAFTED = {
    "private": "private texts became drafts, since what is published can be read by everybody",
    "pending": "texts that wait for a review became drafts",
}
_SECRET = "texts with a password became drafts, since a published file keeps no secret"  # noqa: S105 - a sentence
_SEGMENT = re.compile(r"[^\s/\\?#%:*\"<>|\x00-\x1f\ufffd]+")
_TITLE_LENGTH = 60


@dataclass(slots=True)
class Item:
    """A post or page that is taken, without its text. Moments are seconds since the epoch."""

    number: int
    kind: EntryKind
    label: str
    title: str
    slug: str
    #: Whether the slug may be altered: WordPress gave none yet, or nobody has seen it.
    slug_is_free: bool
    parent: int
    moment: int | None
    link: str
    #: Type and status, as the report counts them.
    said: tuple[str, str]
    #: Slugs it had before.
    former: tuple[str, ...] = ()
    folder: str = ""
    day: str = ""
    id: int | None = None
    is_new: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The name it is known by from import to import."""
        return f"post/{self.number}"


def label_of(part: Part) -> str:
    """What a person knows an item by: `page 12 “About”`."""
    title = shorten(plain_text(part["title"]), _TITLE_LENGTH)
    return " ".join(filter(None, [part["wp:post_type"] or "item", part["wp:post_id"], f"“{title}”" if title else ""]))


def kind_of(part: Part) -> tuple[str, str]:
    """Type and status, as the report counts them."""
    return part["wp:post_type"] or "none", part["wp:status"] or "none"


def reason_against(part: Part) -> str:
    """Why an item is no text of the site; empty when it is one, or an attachment."""
    kind, status = part["wp:post_type"], part["wp:status"]
    if part.fault:
        return part.fault
    if kind not in KINDS and kind != ATTACHMENT:
        return _REASONS.get(kind) or f"is of the type “{kind[:40]}”, which has no place here"
    if not part.number("wp:post_id"):
        return "has no number (wp:post_id), so that it could not be recognised again"
    return _LEFT.get(status, "")


def item_of(part: Part, zone: tzinfo) -> Item:
    """What a post or page says of itself.

    Raises:
        ContentError: a date is none.
    """
    number = part.number("wp:post_id")
    title = plain_text(part["title"])
    given = unquote(part["wp:post_name"]).strip("/")
    fits = bool(_SEGMENT.fullmatch(given)) and not given.startswith(".") and len(given.encode()) <= 180
    name = title or shorten(plain_text(part["content:encoded"][:2000]), _TITLE_LENGTH)
    return Item(
        number=number,
        kind=KINDS[part["wp:post_type"]],
        label=label_of(part),
        title=name or given or f"{part['wp:post_type']} {number}",
        slug=given if fits else slugify(given or title or f"{part['wp:post_type']}-{number}"),
        slug_is_free=not given or part["wp:status"] in ("draft", "pending"),
        parent=part.number("wp:post_parent"),
        moment=moment_of(part, "wp:post_date", zone),
        link=part["link"],
        said=kind_of(part),
        former=tuple(part.meta.get("_wp_old_slug", "").split()),
    )


def moment_of(part: Part, name: str, zone: tzinfo) -> int | None:
    """The moment `name` tells, in Greenwich time if that is given, else by the clock of `zone`; None without any.

    Raises:
        ContentError: it is no date.
    """
    return moment_in(part.values, name, zone)


def moment_in(values: dict[str, str], name: str, zone: tzinfo) -> int | None:
    """As `moment_of`, among the values of a comment."""
    given = values.get(f"{name}_gmt", "")
    if not _is_empty(given):
        return dates.moment(f"{given}Z", zone)
    given = values.get(name, "")
    return None if _is_empty(given) else dates.moment(given, zone)


def status_of(part: Part, moment: int, now: float) -> EntryStatus:
    """Whether readers see it."""
    drafted = part["wp:status"] not in ("publish", "future") or part["wp:post_password"] != ""
    if drafted:
        return "draft"
    return "scheduled" if moment > now else "published"


def remark_on(part: Part) -> str:
    """What a person should know of how it was taken; empty when there is nothing."""
    if part["wp:post_password"]:
        return _SECRET
    status = part["wp:status"]
    if status in _DRAFTED:
        return _DRAFTED[status]
    if status not in ("publish", "future", "draft"):
        return f"texts of the status “{status[:40]}” became drafts"
    return ""


def _is_empty(given: str) -> bool:
    # What MySQL has for no date, and what PHP makes of it.
    return not given or given.startswith(("0000-00-00", "-0001"))


def dated(part: Part, zone: tzinfo) -> Item | str:
    """The item, or why it cannot be taken."""
    try:
        return item_of(part, zone)
    except ContentError as error:
        return str(error)
