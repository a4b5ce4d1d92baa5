"""What templates see: plain read-only values, loaded a batch at a time; no attribute of theirs queries.

Addresses called `url` are root-relative (`/blog/2026/11/hello/`), `absolute_url` begins with the site's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from markupsafe import Markup

_NOTHING = Markup()


@dataclass(frozen=True, slots=True)
class Person:
    """An author. `url` is the address of the author's page here, None when the theme has none."""

    id: int
    name: str
    #: The name as it stands in addresses.
    slug: str
    #: The author's page here; none when the theme has none.
    url: str | None
    #: The author's own web site; may be empty.
    website: str
    #: What the author says of themselves; may be empty.
    about: Markup
    #: How many published entries, in `site.authors()`; 0 elsewhere.
    count: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A category or a tag. `count` is the number of its published entries where a listing of terms asks for it."""

    id: int
    name: str
    #: The name as it stands in addresses.
    slug: str
    #: A category's slugs from the topmost down, `news/local`; a tag's slug.
    path: str
    #: Its page; none when the theme has none, or it has no entries.
    url: str | None
    description: Markup = _NOTHING
    #: How many published entries, in `site.categories()` and `site.tags()`; 0 elsewhere.
    count: int = 0
    #: How many categories are above it; 0 for a tag.
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Remark:
    """An approved comment with its replies, oldest first."""

    id: int
    author: str
    #: May be empty.
    website: str
    html: Markup
    created: datetime
    #: What answers it, oldest first.
    replies: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Another entry or page, by title and address."""

    id: int
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Post:
    """A published entry or page. Moments are aware datetimes in the site's time zone."""

    id: int
    #: `entry` or `page`.
    kind: str
    title: str
    #: Its name in addresses.
    slug: str
    url: str
    absolute_url: str
    published: datetime
    modified: datetime
    authors: tuple[Person, ...]
    #: Its primary category.
    category: Term | None
    categories: tuple[Term, ...]
    tags: tuple[Term, ...]
    #: The whole text.
    html: Markup
    #: The beginning of the text, or what its author wrote for that place.
    excerpt: Markup
    #: One or two sentences without markup, for descriptions and cards.
    summary: str
    #: Whether readers may comment.
    allow_comments: bool
    #: How many approved comments.
    comment_count: int
    #: Approved comments that answer no other, oldest first; filled on its own page only.
    comments: tuple[Remark, ...] = ()
    #: The entry published before it; filled on its own page only.
    previous: Link | None = None
    #: The entry published after it; filled on its own page only.
    next: Link | None = None
    #: What its front matter says beyond all this, by key.
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week, month or year of an archive. `count` is its number of entries, `url` its page if there is one."""

    #: `daily`, `weekly`, `monthly` or `yearly`.
    type: str
    #: Its first day.
    start: date
    url: str | None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of entries, newest first: of the site, a term, an author, a period, or a term's or author's period."""

    #: What it is a listing of: `index` or the archive type.
    type: str
    #: The entries on this page, newest first.
    entries: tuple[Post, ...]
    #: How many entries all its pages show together.
    total: int
    url: str
    #: Which page this is, from 1.
    page: int = 1
    #: How many there are.
    pages: int = 1
    #: The page with newer entries.
    previous_url: str | None = None
    #: The page with older entries.
    next_url: str | None = None
    #: What it is of, in listings of a category.
    category: Term | None = None
    #: What it is of, in listings of a tag.
    tag: Term | None = None
    #: What it is of, in listings of an author.
    author: Person | None = None
    #: What it is of, in listings of a period.
    period: Period | None = None
