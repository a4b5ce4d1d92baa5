"""Authors, categories and tags: what entries are grouped by, and the slugs that name them in addresses."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from appliance import db
from appliance.content.changes import record
from appliance.content.models import Author, Category, Site, Tag
from appliance.errors import ContentError

#: Bytes of UTF-8 a slug may have: a file name holds 255, and templates add to it.
SLUG_BYTES = 180

#: Latin letters that no decomposition turns into ASCII, and signs that tell names apart (C, C++, C#).
_SPELLED = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h",
        "ı": "i", "ŋ": "ng", "ĸ": "k", "ŧ": "t", "ſ": "s", "+": "-plus-", "#": "-sharp-", "&": "-and-",
        "'": "", "’": "",
    }
)  # fmt: skip
_DASHES = re.compile(r"-{2,}")


def slugify(text: str) -> str:
    """`text` as one segment of an address: lower case, words joined by dashes.

    Latin letters lose their accents; letters of other scripts stay. Never empty, never `.` or `..`, never
    longer than `SLUG_BYTES`; what has no letter or digit gets a name made of its digest.
    """
    kept: list[str] = []
    latin = False
    for character in unicodedata.normalize("NFKD", text.strip().lower().translate(_SPELLED)):
        category = unicodedata.category(character)[0]
        if category == "M":
            if kept and kept[-1] != "-" and not latin:
                kept.append(character)
        elif category in "LN":
            latin = character.isascii()
            kept.append(character)
        else:
            latin = False
            kept.append("-")
    slug = unicodedata.normalize("NFC", _DASHES.sub("-", "".join(kept))).lower().strip("-")
    slug = slug.encode()[:SLUG_BYTES].decode(errors="ignore").rstrip("-")
    if slug:
        return slug
    stripped = text.strip()
    return (
        "n-" + hashlib.blake2b(stripped.encode(errors="replace"), digest_size=4).hexdigest() if stripped else "untitled"
    )


class Terms:
    """The authors, categories and tags of one site, made when they are first named.

    Whoever names one may say its slug or its name, also where the two differ since it was renamed. Remembers what it
    found, so that saving many entries asks once for each; use one per write of related changes.
    """

    def __init__(self, site: Site, actor: str = "") -> None:
        self.site = site
        self.actor = actor
        self._authors: dict[str, int] = {}
        self._categories: dict[str, tuple[int, str]] = {}
        self._tags: dict[str, int] = {}
        self._renamed: dict[str, dict[tuple[int | None, str], Any]] = {}

    def author(self, name: str) -> int:
        """Id of the author called `name`."""
        slug = slugify(name)
        if slug not in self._authors:
            row = self.known_author(name) or self._add(Author, "author", slug=slug, name=name.strip())
            self._authors[slug] = row.id
        return self._authors[slug]

    def tag(self, name: str) -> int:
        """Id of the tag called `name`."""
        slug = slugify(name)
        if slug not in self._tags:
            row = self.known_tag(name) or self._add(Tag, "tag", slug=slug, name=name.strip())
            self._tags[slug] = row.id
        return self._tags[slug]

    def category(self, names: Sequence[str]) -> int:
        """Id of the category named from the topmost down, `["News", "Local"]`; parents are made as needed.

        Raises:
            ContentError: `names` is empty.
        """
        if not names:
            raise ContentError("a category needs a name; give one")
        return self._category(names)[0]

    def known_author(self, name: str) -> Author | None:
        """The author with this slug or name, if there is one."""
        found = Author.get_or_none(Author.site == self.site, Author.slug == slugify(name))
        return found or self._renamed_one(Author, None, name)

    def known_tag(self, name: str) -> Tag | None:
        """The tag with this slug or name, if there is one."""
        found = Tag.get_or_none(Tag.site == self.site, Tag.slug == slugify(name))
        return found or self._renamed_one(Tag, None, name)

    def known_category(self, names: Sequence[str]) -> Category | None:
        """The category named from the topmost down, by slugs or names, if there is one."""
        found: Category | None = None
        for name in names:
            above = found
            path = _below(above.path if above else "", slugify(name))
            found = Category.get_or_none(Category.site == self.site, Category.path == path)
            found = found or self._renamed_one(Category, above.id if above else None, name)
            if found is None:
                return None
        return found

    def _category(self, names: Sequence[str]) -> tuple[int, str]:
        path = category_path(names)
        if path not in self._categories:
            row = self.known_category(names)
            if row is None:
                above, place = self._category(names[:-1]) if len(names) > 1 else (None, "")
                slug = slugify(names[-1])
                row = self._add(
                    Category, "category", path=_below(place, slug), slug=slug, name=names[-1].strip(), parent=above
                )
            self._categories[path] = (row.id, row.path)
        return self._categories[path]

    def _renamed_one(self, model: Any, above: int | None, name: str) -> Any:
        """A term whose slug is not made of its name, by the slug that is.

        They are read when the first name is unknown: nothing in the database tells them from the others. What a
        source describes is known by its place in the source alone.
        """
        kind = model.__name__
        if kind not in self._renamed:
            columns = (model.id, model.name, model.slug)
            more = (model.parent, model.path, model.source) if model is Category else ()
            self._renamed[kind] = {
                (row.parent_id if more else None, slugify(row.name)): row
                for row in model.select(*columns, *more).where(model.site == self.site).order_by(model.id.desc())
                if slugify(row.name) != row.slug and not (more and row.source)
            }
        return self._renamed[kind].get((above, slugify(name)))

    def _add(self, model: Any, subject: str, **values: Any) -> Any:
        key = "path" if "path" in values else "slug"
        with db.write():
            row, added = model.get_or_create(site=self.site, **{key: values.pop(key)}, defaults=values)
            if added:
                record(self.site, f"{subject} added", subject, row.id, actor=self.actor)
        return row


def _below(above: str, slug: str) -> str:
    return f"{above}/{slug}" if above else slug


def category_path(names: Sequence[str]) -> str:
    """The path of a category: slugs from the topmost down, joined by slashes."""
    return "/".join(slugify(name) for name in names)


def describe_category(
    category_id: int,
    *,
    name: str,
    address: str | None,
    description: str,
    always: bool,
    source: str | None = None,
    source_path: str | None = None,
    actor: str = "",
) -> bool:
    """Set what a category says of itself; returns whether a reader could see a difference."""
    values = {
        "name": name, "address": address, "description": description, "always": always,
        "source": source, "source_path": source_path,
    }  # fmt: skip
    with db.write():
        category = Category.get_by_id(category_id)
        differing = {column for column, value in values.items() if getattr(category, column) != value}
        if not differing:
            return False
        for column in differing:
            setattr(category, column, values[column])
        category.save(only=sorted(differing))
        visible = bool(differing - {"source", "source_path"})
        if visible:
            record(category.site_id, "category edited", "category", category_id, actor=actor)
    return visible
