"""Authors, categories and tags of an export, by the names WordPress joins them with."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from urllib.parse import unquote

from appliance.content.excerpts import plain_text
from appliance.importing.wordpress.paragraphs import paragraphs
from appliance.importing.wordpress.wxr import Part

_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Category:
    """A category as the file declares it; `parent` is a nicename, or in older files a name."""

    name: str
    parent: str = ""
    #: HTML.
    description: str = ""


@dataclass(slots=True)
class Vocabulary:
    """All that the head of a file declares. Categories are by nicename, authors by login."""

    authors: dict[str, str] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    by_name: dict[str, str] = field(default_factory=dict)
    by_number: dict[int, str] = field(default_factory=dict)

    def take(self, part: Part) -> None:
        """Remember what an element of the channel declares."""
        if part.name == "wp:author":
            self.authors[part["wp:author_login"]] = _words(part["wp:author_display_name"]) or part["wp:author_login"]
        elif part.name == "wp:category":
            name, nicename = _words(part["wp:cat_name"]), part["wp:category_nicename"]
            description = paragraphs(part["wp:category_description"])
            nicename = nicename or name
            self.categories[nicename] = Category(name or unquote(nicename), part["wp:category_parent"], description)
            self.by_name.setdefault(name, nicename)
            self.by_number[part.number("wp:term_id")] = nicename

    def author(self, login: str) -> list[str]:
        """The name readers know an author by; none for an item without."""
        return [self.authors.get(login, login)] if login else []

    def names(self, nicename: str) -> tuple[str, ...]:
        """The names of a category from the topmost down; none when it is not declared."""
        found: list[str] = []
        seen: set[str] = set()
        while nicename and nicename not in seen and len(found) < _DEEPEST:
            seen.add(nicename)
            category = self.categories.get(nicename) or self.categories.get(self.by_name.get(nicename, ""))
            if category is None:
                break
            found.append(category.name)
            nicename = category.parent
        return tuple(reversed(found))

    def categories_of(self, part: Part) -> list[tuple[str, ...]]:
        """The categories of an item, each from the topmost down."""
        said = [(nicename, name) for domain, nicename, name in part.terms if domain == "category"]
        # The oldest files name categories only, and name those twice that have a nicename.
        plain = [("", name) for domain, _, name in part.terms if not domain and name]
        found = [self.names(nicename) or (_words(name) or unquote(nicename),) for nicename, name in said or plain]
        return [names for names in dict.fromkeys(found) if all(names)]

    def tags_of(self, part: Part) -> list[str]:
        """The tags of an item, in order."""
        found = [_words(name) or unquote(nice) for domain, nice, name in part.terms if domain in ("post_tag", "tag")]
        return [name for name in dict.fromkeys(found) if name]


def format_of(part: Part) -> str:
    """The post format, such as `aside`; empty for a common post."""
    found = next((nicename for domain, nicename, _ in part.terms if domain == "post_format"), "")
    return found.removeprefix("post-format-")


def _words(name: str) -> str:
    """A name as people read it: WordPress keeps `&amp;` and the like in names."""
    return plain_text(html.escape(html.unescape(name), quote=False))
