"""The contents of an export as its first reading finds them: items, attachments and terms, without the texts.

Nothing is written to the database.
"""

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
from appliance.importing.wordpress.items import ATTACHMENT, Item, type_and_status
from appliance.importing.wordpress.links import AddressIndex, OldAddress, addresses_in, parse_address
from appliance.importing.wordpress.terms import CategoryPath, DeclaredTerms
from appliance.importing.wordpress.wxr import WxrElement

#: The path below the uploads of the file at an address; None when there is no such file.
FindUpload = Callable[[OldAddress], str | None]

#: How deep pages are nested at most.
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Attachment:
    """An upload as the export describes it. The export does not have its bytes."""

    number: int
    label: str
    #: As `items.type_and_status`.
    kinds: tuple[str, str]
    url: str
    link: str
    #: Its path below wp-content/uploads; empty where the export does not say.
    upload_path: str
    parent: int

    @property
    def path(self) -> str:
        """Its source path, by which it is recognised at the next import."""
        return f"attachment/{self.number}"


class ExportContents:
    """The contents of one export."""

    def __init__(self, site: Site, file: Path) -> None:
        self.site = site
        self.file = file
        self.zone = ZoneInfo(site.timezone)
        self.report = Report(unit="items")
        self.terms = DeclaredTerms()
        self.index = AddressIndex(home=f"/{site.folder}/" if site.folder else "/")
        #: By number.
        self.items: dict[int, Item] = {}
        #: By number.
        self.attachments: dict[int, Attachment] = {}
        #: Paths below the uploads of the files that texts link to or show, by `OldAddress.key`.
        self.linked_uploads: dict[str, str] = {}
        self.used_categories: dict[CategoryPath, None] = {}
        #: Labels of items by the note that the report has on them.
        self.draft_notes: dict[str, list[str]] = {}
        #: Numbers of items that are in the file and not in the trash.
        self.present: set[int] = set()
        self._values: dict[str, str] = {}

    def read(self, find_upload: FindUpload, progress: Callable[[int], None]) -> None:
        """Read the whole file; `progress` is called with the bytes read so far.

        Raises:
            ContentError: as `wxr.read_elements`; or the file has no item.
        """
        for element in wxr.read_elements(self.file, progress):
            if element.name == "item":
                self._add_item(element, find_upload)
            elif element.name in ("link", "wp:base_blog_url", "wp:base_site_url", "title"):
                self._values[element.name] = element.value
                self._set_index_base()
            else:
                self.terms.add(element)
        if not self.report.files:
            raise ContentError(f"{self.file}: has no item in it; export all content of the blog and import that")
        self._set_folders_and_aliases()

    @property
    def address(self) -> str:
        """The old site's address, without a slash at its end."""
        return (self._values.get("wp:base_blog_url") or self._values.get("link") or "").rstrip("/")

    def skip(self, label: str, kinds: tuple[str, str], reason: str) -> None:
        """Account for an item that is not imported."""
        self.report.skipped.append((label, reason))
        self.report.kinds[*kinds, "skipped"] += 1

    def drop(self, item: Item, reason: str) -> None:
        """Leave out a text that was to be imported, and account for it."""
        del self.items[item.number]
        self.skip(item.label, item.kinds, reason)

    def alias_of(self, permalink: str) -> str:
        """The path below this site that redirects from a permalink; empty when there can be none."""
        address = parse_address(permalink)
        if address is None or address.query or not self.index.is_own(address):
            return ""
        try:
            return clean_address(address.path[len(self.index.root) :])
        except ContentError:
            return ""

    def _set_index_base(self) -> None:
        known = [self._values.get(name, "") for name in ("link", "wp:base_blog_url")]
        hosts = [urlsplit(address).netloc.lower().removeprefix("www.") for address in known if address]
        self.index.base, self.index.hosts = self.address, frozenset(filter(None, hosts))

    def _add_item(self, element: WxrElement, find_upload: FindUpload) -> None:
        self.report.files += 1
        number, kinds = element.number("wp:post_id"), type_and_status(element)
        reason = items.exclusion_reason(element)
        if number and kinds[1] != "trash":
            self.present.add(number)
        if not reason and (number in self.items or number in self.attachments):
            reason = "has the number of another item in the file; give one of them another"
        if reason:
            self.skip(items.label_of(element), kinds, reason)
        elif kinds[0] == ATTACHMENT:
            self.attachments[number] = _attachment(element)
        else:
            try:
                self._add_text(items.item_of(element, self.zone), element, find_upload)
            except ContentError as error:
                self.skip(items.label_of(element), kinds, str(error))

    def _add_text(self, item: Item, element: WxrElement, find_upload: FindUpload) -> None:
        self.items[item.number] = item
        if note := items.draft_note(element):
            self.draft_notes.setdefault(note, []).append(item.label)
        self.used_categories.update(dict.fromkeys(self.terms.categories_of(element)))
        for given in addresses_in(element["content:encoded"] + element["excerpt:encoded"]):
            address = parse_address(given, self.index.base)
            if address is not None and address.key not in self.linked_uploads and (path := find_upload(address)):
                self.linked_uploads[address.key] = path

    def _set_folders_and_aliases(self) -> None:
        """Put every page in the folder of its parents, and let every text redirect from its old addresses."""
        for item in self.items.values():
            if item.kind == "page":
                item.folder = "/".join(self._folders(item))
            alias = self.alias_of(item.link)
            beside = alias.rpartition("/")[0]
            former = [f"{beside}/{unquote(slug)}".strip("/") for slug in item.old_slugs if alias]
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

    def set_date(self, item: Item, published_at: int) -> None:
        """Set when an item is published, and so its day on this site."""
        item.published_at = published_at
        item.day = day_and_week(published_at, self.site.timezone, self.site.week_starts)[0]

    def index_texts(self) -> None:
        """Let links find every text, once each has its id."""
        index = self.index
        root = index.base.partition("://")[2].removeprefix("www.")
        for item in self.items.values():
            reference = f"appliance:entry/{item.id}"
            index.by_number[item.number] = reference
            index.by_slug[item.slug] = "" if item.slug in index.by_slug else reference
            address = parse_address(item.link)
            if address is not None and not address.query:
                index.by_address.setdefault(address.key, reference)
            for alias in item.aliases:
                index.by_address.setdefault(f"{root}/{alias}", reference)


def _attachment(element: WxrElement) -> Attachment:
    return Attachment(
        element.number("wp:post_id"),
        items.label_of(element),
        type_and_status(element),
        element["wp:attachment_url"] or element["guid"],
        element["link"],
        element.meta.get("_wp_attached_file", "").strip("/"),
        element.number("wp:post_parent"),
    )
