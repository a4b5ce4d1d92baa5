"""The items of an export: which are posts and pages that can be imported, and their values besides the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from urllib.parse import unquote

from appliance.content.excerpts import plain_text, truncate
from appliance.content.models import EntryKind, EntryStatus
from appliance.content.terms import slugify
from appliance.importing import dates
from appliance.importing.addresses import is_slug
from appliance.importing.wordpress.wxr import WxrElement

KINDS: Final[dict[str, EntryKind]] = {"post": "entry", "page": "page"}
ATTACHMENT = "attachment"

#: Why items of a type are not imported.
_EXCLUDED_TYPES = {
    "nav_menu_item": "is an item of a menu, which the theme makes",
    "revision": "is an earlier revision of another text",
    "custom_css": "is a style of the WordPress theme",
    "customize_changeset": "is a setting of the WordPress theme",
    "wp_template": "is a template of the WordPress theme",
    "wp_template_part": "is a template of the WordPress theme",
    "wp_global_styles": "is a style of the WordPress theme",
    "wp_navigation": "is a menu, which the theme makes",
    "wp_block": "is a block that several texts may share; they are imported without it",
    "oembed_cache": "is a cached embed of another site",
}
#: Why items of a status are not imported.
_EXCLUDED_STATUSES = {"trash": "is in the trash", "auto-draft": "is an empty draft that WordPress made by itself"}
#: Statuses that become drafts here, with the note of the report.
_DRAFTED = {
    "private": "private texts became drafts, since everybody can read what is published",
    "pending": "texts that wait for a review became drafts",
}
_PROTECTED = "texts with a password became drafts, since a published file cannot ask for one"
_TITLE_LENGTH = 60


@dataclass(slots=True)
class Item:
    """A post or page that is imported, without its text."""

    number: int
    kind: EntryKind
    label: str
    title: str
    slug: str
    #: Whether the slug may be changed: WordPress gave none, or the text was never published.
    slug_is_free: bool
    parent: int
    #: Seconds since the epoch; None while the file gives no date.
    published_at: int | None
    link: str
    #: As `type_and_status`.
    kinds: tuple[str, str]
    #: Slugs that it had before.
    old_slugs: tuple[str, ...] = ()
    folder: str = ""
    day: str = ""
    id: int | None = None
    is_new: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Its source path, by which it is recognised at the next import."""
        return f"post/{self.number}"


def label_of(item: WxrElement) -> str:
    """The name of an item in the report: `page 12 “About”`."""
    title = truncate(plain_text(item["title"]), _TITLE_LENGTH)
    return " ".join(filter(None, [item["wp:post_type"] or "item", item["wp:post_id"], f"“{title}”" if title else ""]))


def type_and_status(item: WxrElement) -> tuple[str, str]:
    """The type and status by which the report counts an item: `("page", "draft")`."""
    return item["wp:post_type"] or "none", item["wp:status"] or "none"


def exclusion_reason(item: WxrElement) -> str:
    """Why an item is not imported; empty for a post, a page or an attachment that can be."""
    kind, status = item["wp:post_type"], item["wp:status"]
    if item.fault:
        return item.fault
    if kind not in KINDS and kind != ATTACHMENT:
        return _EXCLUDED_TYPES.get(kind) or f"is of the type “{kind[:40]}”, which has no place here"
    if not item.number("wp:post_id"):
        return "has no number (wp:post_id), so a second import could not recognise it"
    return _EXCLUDED_STATUSES.get(status, "")


def item_of(item: WxrElement, zone: tzinfo) -> Item:
    """The values of a post or page.

    Raises:
        ContentError: its date cannot be read.
    """
    number = item.number("wp:post_id")
    title = plain_text(item["title"])
    given = unquote(item["wp:post_name"]).strip("/")
    is_usable = is_slug(given) and "\ufffd" not in given
    name = title or truncate(plain_text(item["content:encoded"][:2000]), _TITLE_LENGTH)
    return Item(
        number=number,
        kind=KINDS[item["wp:post_type"]],
        label=label_of(item),
        title=name or given or f"{item['wp:post_type']} {number}",
        slug=given if is_usable else slugify(given or title or f"{item['wp:post_type']}-{number}"),
        slug_is_free=not given or item["wp:status"] in ("draft", "pending"),
        parent=item.number("wp:post_parent"),
        published_at=date_in(item.values, "wp:post_date", zone),
        link=item["link"],
        kinds=type_and_status(item),
        old_slugs=tuple(item.meta.get("_wp_old_slug", "").split()),
    )


def date_in(values: Mapping[str, str], name: str, zone: tzinfo) -> int | None:
    """Seconds since the epoch of `NAME_gmt`, or else of `name` by the clock of `zone`; None when neither is given.

    Raises:
        ContentError: it is not a date.
    """
    given = values.get(f"{name}_gmt", "")
    if not _is_empty(given):
        return dates.timestamp(f"{given}Z", zone)
    given = values.get(name, "")
    return None if _is_empty(given) else dates.timestamp(given, zone)


def status_of(item: WxrElement, published_at: int, now: float) -> EntryStatus:
    """The status of the entry: whatever WordPress did not show to everybody is a draft."""
    drafted = item["wp:status"] not in ("publish", "future") or item["wp:post_password"] != ""
    if drafted:
        return "draft"
    return "scheduled" if published_at > now else "published"


def draft_note(item: WxrElement) -> str:
    """The note of the report on why an item became a draft; empty when it did not, or was one in WordPress."""
    if item["wp:post_password"]:
        return _PROTECTED
    status = item["wp:status"]
    if status in _DRAFTED:
        return _DRAFTED[status]
    if status not in ("publish", "future", "draft"):
        return f"texts of the status “{status[:40]}” became drafts"
    return ""


def _is_empty(given: str) -> bool:
    # The zero date of MySQL, and what PHP makes of it.
    return not given or given.startswith(("0000-00-00", "-0001"))
