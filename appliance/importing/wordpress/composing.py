"""From an item of the file to the entry it becomes, and the digest that tells whether it has to be made again."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from appliance.content.entries import EntryData
from appliance.errors import ContentError
from appliance.importing.wordpress import items
from appliance.importing.wordpress.blog import Blog
from appliance.importing.wordpress.items import Item
from appliance.importing.wordpress.links import Links, addresses_in
from appliance.importing.wordpress.paragraphs import paragraphs
from appliance.importing.wordpress.terms import format_of
from appliance.importing.wordpress.text import Seen, html_of
from appliance.importing.wordpress.wxr import Part

#: Part of every digest: raised when the same item would be read differently from then on.
VERSION = 1

#: Values of an item that change without its text.
_PASSING = frozenset({"pubDate", "description", "wp:ping_status"})


class Composing:
    """Makes entries of a blog's items. `addresses` are those of attachments that were taken, by number."""

    def __init__(self, blog: Blog, source: str, addresses: dict[int, str], now: float, seen: Seen) -> None:
        self.blog = blog
        self.source = source
        self.addresses = addresses
        self.now = now
        self.seen = seen

    def entry(self, part: Part, item: Item, digest: str) -> EntryData:
        """The entry or page that an item is."""
        assert item.moment is not None  # noqa: S101 - settled before
        vocabulary = self.blog.vocabulary
        excerpt = paragraphs(part["excerpt:encoded"]) if part["excerpt:encoded"].strip() else ""
        try:
            modified = items.moment_of(part, "wp:post_modified", self.blog.zone)
        except ContentError:
            modified = None
        return EntryData(
            title=item.title,
            slug=item.slug,
            published_at=item.moment,
            text=html_of(part["content:encoded"], self.seen),
            kind=item.kind,
            status=items.status_of(part, item.moment, self.now),
            format="html",
            modified_at=item.moment if modified is None else modified,
            folder=item.folder,
            excerpt=re.sub(r"\n\s*\n", "\n", excerpt),  # one block of HTML, which Markdown leaves alone
            allow_comments=part["wp:comment_status"] == "open",
            authors=vocabulary.author(part["dc:creator"]),
            categories=vocabulary.categories_of(part),
            tags=vocabulary.tags_of(part),
            aliases=item.aliases,
            extra=self._extra(part),
            source=self.source,
            source_path=item.path,
            source_digest=digest,
        )

    def _extra(self, part: Part) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if part["wp:is_sticky"] == "1":
            extra["sticky"] = True
        if found := format_of(part):
            extra["post_format"] = found
        if order := part.number("wp:menu_order"):
            extra["menu_order"] = order
        thumbnail = part.meta.get("_thumbnail_id", "")
        number = int(thumbnail) if thumbnail.isascii() and thumbnail.isdigit() else 0
        if number in self.addresses:
            extra["featured_image"] = self.addresses[number]
        elif number in self.blog.attachments:
            extra["featured_image"] = self.blog.attachments[number].url
        return extra

    def digest(self, part: Part, item: Item) -> str:
        """Tells whether anything differs that an entry is made of, in the file and around it."""
        links = Links(self.blog.index)
        texts = part["content:encoded"] + part["excerpt:encoded"]
        vocabulary = self.blog.vocabulary
        said = {key: value for key, value in part.values.items() if key not in _PASSING}
        around = [
            VERSION, str(self.blog.zone), item.slug, item.folder, item.aliases, vocabulary.author(part["dc:creator"]),
            vocabulary.categories_of(part), [links.address(address) for address in addresses_in(texts)],
            self._extra(part),
        ]  # fmt: skip
        whole = json.dumps([said, part.terms, part.comments, around], sort_keys=True)
        return hashlib.blake2b(whole.encode(), digest_size=32).hexdigest()
