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
    slug: str
    url: str | None
    website: str
    about: Markup
    count: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A category or a tag. `count` is the number of its published entries where a listing of terms asks for it."""

    id: int
    name: str
    slug: str
    path: str
    url: str | None
    description: Markup = _NOTHING
    count: int = 0
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Remark:
    """An approved comment with its replies, oldest first."""

    id: int
    author: str
    website: str
    html: Markup
    created: datetime
    replies: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Another entry or page, by title and address."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Post:
    """A published entry or page. Moments are aware datetimes in the site's time zone."""

    id: int
    kind: str
    title: str
    slug: str
    url: str
    absolute_url: str
    published: datetime
    modified: datetime
    authors: tuple[Person, ...]
    category: Term | None
    categories: tuple[Term, ...]
    tags: tuple[Term, ...]
    html: Markup
    excerpt: Markup
    summary: str
    allow_comments: bool
    comment_count: int
    comments: tuple[Remark, ...] = ()
    previous: Link | None = None
    next: Link | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week, month or year of an archive. `count` is its number of entries, `url` its page if there is one."""

    type: str
    start: date
    url: str | None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of entries, newest first: of the site, a term, an author, a period, or a term's or author's period."""

    type: str
    entries: tuple[Post, ...]
    total: int
    url: str
    page: int = 1
    pages: int = 1
    previous_url: str | None = None
    next_url: str | None = None
    category: Term | None = None
    tag: Term | None = None
    author: Person | None = None
    period: Period | None = None
