"""The authors, categories and tags of an export, which items name by login, nicename or name."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from appliance.content import models
from appliance.content.excerpts import plain_text
from appliance.content.html_elements import unescape
from appliance.content.terms import SiteTerms, update_category
from appliance.importing import ACTOR
from appliance.importing.wordpress.links import AddressIndex
from appliance.importing.wordpress.paragraphs import paragraphs
from appliance.importing.wordpress.wxr import WxrElement

#: How deep categories are nested at most.
_DEEPEST = 20

#: The names of a category and of those above it, the topmost first.
CategoryPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """A category as the file declares it."""

    name: str
    #: The nicename of the category above it; in older files its name.
    parent: str = ""
    #: HTML.
    description: str = ""


@dataclass(slots=True)
class DeclaredTerms:
    """The authors and categories that the head of a file declares."""

    #: Names of authors by login.
    authors: dict[str, str] = field(default_factory=dict)
    #: Categories by nicename.
    categories: dict[str, Category] = field(default_factory=dict)
    #: Nicenames of categories by name.
    nicenames: dict[str, str] = field(default_factory=dict)
    #: Numbers of the terms of categories, by nicename.
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, element: WxrElement) -> None:
        """Add the author or category that an element of the channel declares; others are passed over."""
        if element.name == "wp:author":
            login = element["wp:author_login"]
            self.authors[login] = _plain(element["wp:author_display_name"]) or login
        elif element.name == "wp:category":
            name = _plain(element["wp:cat_name"])
            nicename = element["wp:category_nicename"] or name
            description = paragraphs(element["wp:category_description"])
            self.categories[nicename] = Category(name or unquote(nicename), element["wp:category_parent"], description)
            self.nicenames.setdefault(name, nicename)
            self.numbers[nicename] = element.number("wp:term_id")

    def author(self, login: str) -> list[str]:
        """The name under which readers know an author; empty for an item without one."""
        return [self.authors.get(login, login)] if login else []

    def category_path(self, nicename: str) -> CategoryPath:
        """The names of a declared category and of those above it; empty when it is not declared."""
        found: list[str] = []
        seen: set[str] = set()
        while nicename and nicename not in seen and len(found) < _DEEPEST:
            seen.add(nicename)
            category = self.categories.get(nicename) or self.categories.get(self.nicenames.get(nicename, ""))
            if category is None:
                break
            found.append(category.name)
            nicename = category.parent
        return tuple(reversed(found))

    def categories_of(self, item: WxrElement) -> list[CategoryPath]:
        """The categories of an item."""
        named = [(nicename, name) for domain, nicename, name in item.terms if domain == "category"]
        # The oldest files have categories without a domain, and repeat those that have a nicename.
        plain = [("", name) for domain, _, name in item.terms if not domain and name]
        paths = [self.category_path(nicename) or (_name(name, nicename),) for nicename, name in named or plain]
        return [path for path in dict.fromkeys(paths) if all(path)]

    def save_categories(self, used: Iterable[CategoryPath], terms: SiteTerms, index: AddressIndex, source: str) -> None:
        """Create the categories that texts have, with their descriptions, and let links find them."""
        with_parents = {path[:depth] for path in used for depth in range(1, len(path) + 1)}
        for nicename, category in self.categories.items():
            path = self.category_path(nicename)
            if path in with_parents:
                key = terms.category_id(path)
                reference = f"appliance:category/{key}"
                index.categories[nicename] = index.category_numbers[self.numbers[nicename]] = reference
                _describe(key, nicename, category.description, source)


def tags_of(item: WxrElement) -> list[str]:
    """The tags of an item, in order."""
    found = [_name(name, nicename) for domain, nicename, name in item.terms if domain in ("post_tag", "tag")]
    return [name for name in dict.fromkeys(found) if name]


def post_format(item: WxrElement) -> str:
    """The post format, such as `aside`; empty for a standard post."""
    found = next((nicename for domain, nicename, _ in item.terms if domain == "post_format"), "")
    return found.removeprefix("post-format-")


def _describe(key: int, nicename: str, description: str, source: str) -> None:
    """Save the description of a category, unless it has one that this source did not bring."""
    row = models.Category.get_by_id(key)
    source_path = f"category/{nicename}"
    is_ours = row.source == source and row.source_path == source_path
    is_free = row.source is None and not row.description and description
    if is_ours or is_free:
        update_category(
            key, name=row.name, address=row.address, description=description, always=row.always, source=source,
            source_path=source_path, actor=ACTOR,
        )  # fmt: skip


def _name(name: str, nicename: str) -> str:
    return _plain(name) or unquote(nicename)


def _plain(name: str) -> str:
    """A name as readers see it: WordPress stores `&amp;` and the like in names."""
    return plain_text(html.escape(unescape(name), quote=False))
