"""Authors, categories and tags, which group entries, and the slugs that name them in addresses."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from appliance import db
from appliance.content.changes import record
from appliance.content.models import Author, Category, Site, Tag
from appliance.errors import ContentError

#: Maximum length of a slug in bytes of UTF-8. A file name holds 255 bytes, and path templates add to the slug.
SLUG_BYTES = 180

#: ASCII spellings of Latin letters that Unicode does not decompose, and of signs that distinguish names (C, C++, C#).
_SPELLINGS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ı": "i",
        "ŋ": "ng",
        "ĸ": "k",
        "ŧ": "t",
        "ſ": "s",
        "+": "-plus-",
        "#": "-sharp-",
        "&": "-and-",
        "'": "",
        "’": "",
    }
)
_DASHES = re.compile(r"-{2,}")


@lru_cache(maxsize=4096)
def slugify(text: str) -> str:
    """Turn `text` into one segment of an address: lower case, words joined by dashes.

    Latin letters lose their accents; letters of other scripts stay. A slug is never empty, `.` or `..`, and never
    longer than `SLUG_BYTES`. Text without a letter or digit gets a slug made from its digest.
    """
    characters: list[str] = []
    is_latin = False
    for character in unicodedata.normalize("NFKD", text.strip().lower().translate(_SPELLINGS)):
        category = unicodedata.category(character)[0]
        if category == "M":
            if characters and characters[-1] != "-" and not is_latin:
                characters.append(character)
        elif category in "LN":
            is_latin = character.isascii()
            characters.append(character)
        else:
            is_latin = False
            characters.append("-")
    slug = unicodedata.normalize("NFC", _DASHES.sub("-", "".join(characters))).lower().strip("-")
    slug = slug.encode()[:SLUG_BYTES].decode(errors="ignore").rstrip("-")
    if slug:
        return slug
    stripped = text.strip()
    return (
        "n-" + hashlib.blake2b(stripped.encode(errors="replace"), digest_size=4).hexdigest() if stripped else "untitled"
    )


class SiteTerms:
    """The authors, categories and tags of one site, found by name or slug and created when they are missing.

    A term that was renamed is found by its name and by its slug. Ids are cached, so that saving many entries looks up
    each term once. Use one instance for one batch of related changes.
    """

    def __init__(self, site: Site, actor: str = "") -> None:
        self.site = site
        self.actor = actor
        self._authors: dict[str, int] = {}
        self._categories: dict[str, tuple[int, str]] = {}
        self._tags: dict[str, int] = {}
        self._renamed: dict[str, dict[tuple[int | None, str], Any]] = {}

    def author_id(self, name: str) -> int:
        """The id of an author, who is created if unknown."""
        slug = slugify(name)
        if slug not in self._authors:
            row = self.find_author(name) or self._add(Author, "author", slug=slug, name=name.strip())
            self._authors[slug] = row.id
        return self._authors[slug]

    def tag_id(self, name: str) -> int:
        """The id of a tag, which is created if unknown."""
        slug = slugify(name)
        if slug not in self._tags:
            row = self.find_tag(name) or self._add(Tag, "tag", slug=slug, name=name.strip())
            self._tags[slug] = row.id
        return self._tags[slug]

    def category_id(self, names: Sequence[str]) -> int:
        """The id of a category, given with its parents from the top down: `["News", "Local"]`.

        Categories that are unknown are created.

        Raises:
            ContentError: `names` is empty.
        """
        if not names:
            raise ContentError("a category needs a name; give one")
        return self._category(names)[0]

    def find_author(self, name: str) -> Author | None:
        """The author with this slug or name, or None."""
        found = Author.get_or_none(Author.site == self.site, Author.slug == slugify(name))
        return found or self._find_renamed(Author, None, name)

    def find_tag(self, name: str) -> Tag | None:
        """The tag with this slug or name, or None."""
        found = Tag.get_or_none(Tag.site == self.site, Tag.slug == slugify(name))
        return found or self._find_renamed(Tag, None, name)

    def find_category(self, names: Sequence[str]) -> Category | None:
        """The category with these slugs or names, given from the top down, or None."""
        found: Category | None = None
        for name in names:
            parent = found
            path = _join_path(parent.path if parent else "", slugify(name))
            found = Category.get_or_none(Category.site == self.site, Category.path == path)
            found = found or self._find_renamed(Category, parent.id if parent else None, name)
            if found is None:
                return None
        return found

    def _category(self, names: Sequence[str]) -> tuple[int, str]:
        path = category_path(names)
        if path not in self._categories:
            row = self.find_category(names)
            if row is None:
                parent, parent_path = self._category(names[:-1]) if len(names) > 1 else (None, "")
                slug, name = slugify(names[-1]), names[-1].strip()
                row = self._add(
                    Category, "category", path=_join_path(parent_path, slug), slug=slug, name=name, parent=parent
                )
            self._categories[path] = (row.id, row.path)
        return self._categories[path]

    def _find_renamed(self, model: Any, parent: int | None, name: str) -> Any:
        """Find a term by its current name when its slug still comes from an earlier one.

        The database cannot select these terms, so all of them are loaded when a name is unknown for the first time.
        Categories of a source are left out, because they are identified by their path in the source.
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
        return self._renamed[kind].get((parent, slugify(name)))

    def _add(self, model: Any, kind: str, **values: Any) -> Any:
        key = "path" if "path" in values else "slug"
        with db.write():
            row, was_added = model.get_or_create(site=self.site, **{key: values.pop(key)}, defaults=values)
            if was_added:
                record(self.site, f"{kind} added", kind, row.id, actor=self.actor)
        return row


def _join_path(parent: str, slug: str) -> str:
    return f"{parent}/{slug}" if parent else slug


def category_path(names: Sequence[str]) -> str:
    """The path of a category: slugs from the top down, joined by slashes."""
    return "/".join(slugify(name) for name in names)


def update_category(
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
    """Update the description of a category; returns whether readers could see a difference."""
    values = {
        "name": name,
        "address": address,
        "description": description,
        "always": always,
        "source": source,
        "source_path": source_path,
    }
    with db.write():
        category = Category.get_by_id(category_id)
        differing = {column for column, value in values.items() if getattr(category, column) != value}
        if not differing:
            return False
        for column in differing:
            setattr(category, column, values[column])
        category.save(only=sorted(differing))
        is_visible = bool(differing - {"source", "source_path"})
        if is_visible:
            record(category.site_id, "category edited", "category", category_id, actor=actor)
    return is_visible
