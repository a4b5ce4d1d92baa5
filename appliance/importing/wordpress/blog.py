"""The first reading of an export: what is in it and how it hangs together, without the texts. It writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from appliance.content.entries import day_and_week
from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.importing.addresses import clean_address
from appliance.importing.report import Report
from appliance.importing.wordpress import items, wxr
from appliance.importing.wordpress.items import ATTACHMENT, Item, kind_of
from appliance.importing.wordpress.links import Index, Place, addresses_in, place_of
from appliance.importing.wordpress.terms import Vocabulary
from appliance.importing.wordpress.wxr import Part

#: Tells the path below the uploads of the file at an address; None when there is none.
HasFile = Callable[[Place], str | None]

_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Attachment:
    """An upload as the file tells of it; its bytes are elsewhere."""

    number: int
    label: str
    kind: tuple[str, str]
    url: str
    link: str
    #: Its path below wp-content/uploads; empty where the file does not say.
    stored: str
    parent: int

    @property
    def path(self) -> str:
        """The name it is known by from import to import."""
        return f"attachment/{self.number}"


class Blog:
    """An export as a whole. `items` and `attachments` are by number, `mentioned` the files that texts link to."""

    def __init__(self, site: Site, file: Path) -> None:
        self.site = site
        self.file = file
        self.zone = ZoneInfo(site.timezone)
        self.report = Report(unit="items")
        self.vocabulary = Vocabulary()
        self.index = Index(home=f"/{site.folder}/" if site.folder else "/")
        self.items: dict[int, Item] = {}
        self.attachments: dict[int, Attachment] = {}
        self.mentioned: dict[str, str] = {}
        self.used_categories: dict[tuple[str, ...], None] = {}
        self.remarks: dict[str, list[str]] = {}
        #: Numbers of items that are in the file and not in its trash.
        self.present: set[int] = set()
        self._values: dict[str, str] = {}
        self._slugs: dict[int, tuple[str, int]] = {}

    def read(self, has_file: HasFile, progress: Callable[[int], None]) -> None:
        """Read the whole file; `has_file` tells the path below the uploads of an address, if it has one there.

        Raises:
            ContentError: as `wxr.parts`; or there is no item in it.
        """
        for part in wxr.parts(self.file, progress):
            if part.name == "item":
                self._take_item(part, has_file)
            elif part.name in ("link", "wp:base_blog_url", "wp:base_site_url", "title"):
                self._values[part.name] = part.value
                self._place_index()
            else:
                self.vocabulary.take(part)
        if not self.report.files:
            raise ContentError(f"{self.file}: has no item in it; export all content of the blog and import that")
        self._arrange()

    @property
    def address(self) -> str:
        """The old site's address, without a slash at its end."""
        return (self._values.get("wp:base_blog_url") or self._values.get("link") or "").rstrip("/")

    def skip(self, label: str, kind: tuple[str, str], reason: str) -> None:
        """Account for an item that is not taken."""
        self.report.skipped.append((label, reason))
        self.report.kinds[*kind, "skipped"] += 1

    def refuse(self, item: Item, reason: str) -> None:
        """Account for a text that could have been taken."""
        del self.items[item.number]
        self.skip(item.label, item.said, reason)

    def former_address(self, link: str) -> str:
        """A permalink as an address below the site; empty when it is none."""
        place = place_of(link)
        if place is None or place.query or not self.index.is_own(place):
            return ""
        try:
            return clean_address(place.path[len(self.index.root) :])
        except ContentError:
            return ""

    def _place_index(self) -> None:
        known = [self._values.get(name, "") for name in ("link", "wp:base_blog_url")]
        hosts = [urlsplit(address).netloc.lower().removeprefix("www.") for address in known if address]
        self.index.base, self.index.hosts = self.address, frozenset(filter(None, hosts))

    def _take_item(self, part: Part, has_file: HasFile) -> None:
        self.report.files += 1
        number, kind = part.number("wp:post_id"), kind_of(part)
        reason = items.reason_against(part)
        if number and kind[1] != "trash":
            self.present.add(number)
        if not reason and (number in self.items or number in self.attachments):
            reason = "has the number of another item in the file; give one of them another"
        if reason:
            self.skip(items.label_of(part), kind, reason)
        elif kind[0] == ATTACHMENT:
            self.attachments[number] = _attachment(part)
        else:
            self._take_text(part, has_file)

    def _take_text(self, part: Part, has_file: HasFile) -> None:
        item = items.dated(part, self.zone)
        if isinstance(item, str):
            self.skip(items.label_of(part), kind_of(part), item)
            return
        self.items[item.number] = item
        if remark := items.remark_on(part):
            self.remarks.setdefault(remark, []).append(item.label)
        self.used_categories.update(dict.fromkeys(self.vocabulary.categories_of(part)))
        for address in addresses_in(part["content:encoded"] + part["excerpt:encoded"]):
            place = place_of(address, self.index.base)
            if place is not None and place.key not in self.mentioned and (path := has_file(place)):
                self.mentioned[place.key] = path

    def _arrange(self) -> None:
        """Give every page its folder and every text its former address."""
        for item in self.items.values():
            if item.kind == "page":
                item.folder = "/".join(self._folders(item))
            alias = self.former_address(item.link)
            beside = alias.rpartition("/")[0]
            former = [f"{beside}/{unquote(slug)}".strip("/") for slug in item.former if alias]
            item.aliases = tuple(dict.fromkeys(filter(None, [alias, *former])))

    def _folders(self, item: Item) -> list[str]:
        found: list[str] = []
        seen = {item.number}
        above = self.items.get(item.parent)
        while above is not None and above.number not in seen and len(found) < _DEEPEST:
            seen.add(above.number)
            found.append(above.slug)
            above = self.items.get(above.parent)
        return found[::-1]

    def date(self, item: Item, moment: int) -> None:
        """Settle when an item is published, and so its day."""
        item.moment = moment
        item.day = day_and_week(moment, self.site.timezone, self.site.week_starts)[0]


def _attachment(part: Part) -> Attachment:
    return Attachment(
        part.number("wp:post_id"),
        items.label_of(part),
        kind_of(part),
        part["wp:attachment_url"] or part["guid"],
        part["link"],
        part.meta.get("_wp_attached_file", "").strip("/"),
        part.number("wp:post_parent"),
    )
