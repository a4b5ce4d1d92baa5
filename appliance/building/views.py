"""The values that templates see: read-only, loaded a batch at a time, without queries on attribute access.

A `url` is root-relative (`/blog/2026/11/hello/`); an `absolute_url` begins with the scheme and host of the site.
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
    """An author."""

    id: int
    name: str
    #: The name in URLs.
    slug: str
    #: The page of the author; None when the theme has no such pages.
    url: str | None
    #: The author's own website; may be empty.
    website: str
    #: A text about the author; may be empty.
    about: Markup
    #: Number of published entries, in `site.authors()`; 0 elsewhere.
    count: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """A category or a tag."""

    id: int
    name: str
    #: The name in URLs.
    slug: str
    #: The slugs of a category from the topmost down, `news/local`; the slug of a tag.
    path: str
    #: Its page; None when the theme has no such pages, or when it has no entries.
    url: str | None
    description: Markup = _NOTHING
    #: Number of published entries, in `site.categories()` and `site.tags()`; 0 elsewhere.
    count: int = 0
    #: Number of categories above it; 0 for a tag.
    depth: int = 0


@dataclass(frozen=True, slots=True)
class CommentRules:
    """How the web process takes comments of the site."""

    #: Which comments wait for approval: `none`, `all`, or `first`: those without an e-mail address, and the first
    #: comment by each address.
    moderation: str
    #: Whether readers may ask to be told of replies by mail.
    notices: bool
    #: Minutes in which readers may delete a comment of theirs; 0 for not at all.
    delete_minutes: int
    #: Days after its publication until an entry takes no more comments; 0 for never.
    close_after: int = 0


@dataclass(frozen=True, slots=True)
class CommentView:
    """An approved comment with its replies."""

    id: int
    author: str
    #: May be empty.
    website: str
    html: Markup
    created: datetime
    #: Replies to it, oldest first.
    replies: tuple[CommentView, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Another entry or page, by title and URL."""

    id: int
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Post:
    """A published entry or page. Times are aware datetimes in the time zone of the site."""

    id: int
    #: `entry` or `page`.
    kind: str
    title: str
    #: The name in URLs.
    slug: str
    url: str
    absolute_url: str
    published: datetime
    modified: datetime
    authors: tuple[Person, ...]
    #: The primary category.
    category: Term | None
    categories: tuple[Term, ...]
    tags: tuple[Term, ...]
    #: The whole text.
    html: Markup
    #: The beginning of the text, or what the author wrote in its place.
    excerpt: Markup
    #: One or two sentences without markup, for descriptions and cards.
    summary: str
    #: Whether readers may comment: the entry is open for comments, and not too old for them.
    allow_comments: bool
    #: Number of approved comments.
    comment_count: int
    #: Approved top-level comments, oldest first; only on the page of the entry itself.
    comments: tuple[CommentView, ...] = ()
    #: The entry published before it; only on the page of the entry itself.
    previous: Link | None = None
    #: The entry published after it; only on the page of the entry itself.
    next: Link | None = None
    #: Further keys of the front matter, with their values.
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week, month or year of an archive. `count` is its number of entries, `url` its page if it has one."""

    #: `daily`, `weekly`, `monthly` or `yearly`.
    type: str
    #: Its first day.
    start: date
    url: str | None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a listing of entries, newest first."""

    #: `index`, or the archive type.
    type: str
    #: The entries on this page, newest first.
    entries: tuple[Post, ...]
    #: Number of entries on all pages of the listing. A page that shows it is built again with every new entry.
    total: int
    url: str
    #: The number in this page's address; 1 for the listing's own address, which has the newest entries.
    page: int = 1
    #: Number of pages. A page that shows it is built again when another comes or goes.
    pages: int = 1
    #: The page with newer entries.
    previous_url: str | None = None
    #: The page with older entries.
    next_url: str | None = None
    #: The category, in listings of one.
    category: Term | None = None
    #: The tag, in listings of one.
    tag: Term | None = None
    #: The author, in listings of one.
    author: Person | None = None
    #: The period, in listings of one.
    period: Period | None = None
