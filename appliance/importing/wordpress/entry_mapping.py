"""From an item of the file to an entry, and the digest that tells whether the entry has to be mapped again."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from appliance.content.entries import EntryData
from appliance.errors import ContentError
from appliance.importing.wordpress import items
from appliance.importing.wordpress.export_contents import ExportContents
from appliance.importing.wordpress.items import Item
from appliance.importing.wordpress.links import LinkResolver, addresses_in
from appliance.importing.wordpress.paragraphs import paragraphs
from appliance.importing.wordpress.post_content import MarkupCounts, content_html
from appliance.importing.wordpress.terms import post_format, tags_of
from appliance.importing.wordpress.wxr import WxrElement

#: Part of every digest. Raise it when the same item maps to another entry, so that old items are read again.
VERSION = 1

#: Values of an item that no entry depends on.
_IGNORED = frozenset({"pubDate", "description", "wp:ping_status"})


class EntryMapper:
    """Maps the items of an export to entries."""

    def __init__(self, contents: ExportContents, source: str, asset_paths: dict[int, str], now: float) -> None:
        """Map items of `contents`.

        Args:
            contents: the export.
            source: the name of the source.
            asset_paths: paths below the site of the attachments that were imported, by number.
            now: the present, in seconds since the epoch.
        """
        self.contents = contents
        self.source = source
        self.asset_paths = asset_paths
        self.now = now
        self.counts = MarkupCounts()

    def map_entry(self, element: WxrElement, item: Item, digest: str) -> EntryData:
        """The entry or page of an item."""
        assert item.published_at is not None  # noqa: S101 - set before
        terms = self.contents.terms
        excerpt = paragraphs(element["excerpt:encoded"]) if element["excerpt:encoded"].strip() else ""
        try:
            modified = items.date_in(element.values, "wp:post_modified", self.contents.zone)
        except ContentError:
            modified = None
        return EntryData(
            title=item.title,
            slug=item.slug,
            published_at=item.published_at,
            text=content_html(element["content:encoded"], self.counts),
            kind=item.kind,
            status=items.status_of(element, item.published_at, self.now),
            format="html",
            modified_at=item.published_at if modified is None else modified,
            folder=item.folder,
            # Without blank lines it is one block of HTML, which Markdown leaves alone.
            excerpt=re.sub(r"\n\s*\n", "\n", excerpt),
            allow_comments=element["wp:comment_status"] == "open",
            authors=terms.author(element["dc:creator"]),
            categories=terms.categories_of(element),
            tags=tags_of(element),
            aliases=item.aliases,
            extra=self._extra(element),
            source=self.source,
            source_path=item.path,
            source_digest=digest,
        )

    def _extra(self, element: WxrElement) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if element["wp:is_sticky"] == "1":
            extra["sticky"] = True
        if found := post_format(element):
            extra["post_format"] = found
        if order := element.number("wp:menu_order"):
            extra["menu_order"] = order
        thumbnail = element.meta.get("_thumbnail_id", "")
        number = int(thumbnail) if thumbnail.isascii() and thumbnail.isdigit() else 0
        if number in self.asset_paths:
            extra["featured_image"] = self.asset_paths[number]
        elif number in self.contents.attachments:
            extra["featured_image"] = self.contents.attachments[number].url
        return extra

    def digest(self, element: WxrElement, item: Item) -> str:
        """A value that differs when the entry of an item would: with its values, its terms, or what its links mean."""
        links = LinkResolver(self.contents.index)
        texts = element["content:encoded"] + element["excerpt:encoded"]
        terms = self.contents.terms
        values = {key: value for key, value in element.values.items() if key not in _IGNORED}
        context = [
            VERSION, str(self.contents.zone), item.slug, item.folder, item.aliases, terms.author(element["dc:creator"]),
            terms.categories_of(element), [links.address(address) for address in addresses_in(texts)],
            self._extra(element),
        ]  # fmt: skip
        whole = json.dumps([values, element.terms, element.comments, context], sort_keys=True)
        return hashlib.blake2b(whole.encode(), digest_size=32).hexdigest()
