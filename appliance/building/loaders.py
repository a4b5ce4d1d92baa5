"""Loads the artifacts and the content of a batch in a few queries over sets, as plain values (`building.views`)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from markupsafe import Markup

from appliance import clock, db
from appliance.building.addresses import addresses_in
from appliance.building.views import CommentView, Link, Person, Post, Term
from appliance.content.models import Site
from appliance.planning.permalinks import OF_ENTRY, url_of
from appliance.planning.theme import Theme


@dataclass(frozen=True)
class SiteContext:
    """A site with its theme, and what is needed to make its URLs and dates."""

    site: Site
    theme: Theme
    root: str
    zone: ZoneInfo

    @classmethod
    def of(cls, site: Site, theme: Theme) -> SiteContext:
        """The context of `site` under `theme`."""
        root = "/" + site.url.split("//", 1)[1].partition("/")[2]
        return cls(site, theme, root, ZoneInfo(site.timezone))

    def url(self, path: str) -> str:
        """The root-relative URL of a path below the docroot."""
        return url_of(path, self.site.folder, self.root)

    def absolute(self, url: str) -> str:
        """A root-relative URL with the scheme and host of the site."""
        return self.site.url[: -len(self.root)] + url


#: Levels of a comment thread; deeper replies follow each other on the last level. People may reply to each other a
#: thousand times, but the recursion of templates is limited.
_MAX_DEPTH = 32

_POSTS = f"""
SELECT e.id, e.kind, e.title, e.slug, e.published_at, e.modified_at, e.html, e.excerpt, e.summary, e.late_bound,
       e.allow_comments AND (c.until IS NULL OR e.published_at > c.until), e.extra, p.path
FROM entry e JOIN {OF_ENTRY} LEFT JOIN comment_closing c ON c.site_id = e.site_id
WHERE e.id IN (%s) AND e.status = 'published'
"""


@dataclass(frozen=True, slots=True)
class KnownTerms:
    """The authors, categories and tags of a site that have been loaded, by id. Posts share them."""

    authors: dict[int, Person] = field(default_factory=dict)
    categories: dict[int, Term] = field(default_factory=dict)
    tags: dict[int, Term] = field(default_factory=dict)


def load_posts(
    context: SiteContext,
    ids: Sequence[int],
    *,
    whole: bool = False,
    view: type[Post] = Post,
    terms: KnownTerms | None = None,
) -> dict[int, Post]:
    """The published entries and pages among `ids`, by id.

    Args:
        context: the site.
        ids: ids of entries and pages.
        whole: load comments and neighbours as well, for pages of their own.
        view: the class of the posts; see `dependency_tracking.tracked_post`.
        terms: what is known of the same state of the content; what is not is added.
    """
    if not ids:
        return {}
    rows = db.execute(_POSTS % db.placeholders(len(ids)), list(ids)).fetchall()
    addresses = addresses_in((t for r in rows if r[9] for t in (r[6], r[7])), context.theme, context.url)
    known = terms or KnownTerms()
    authors = _people(context, ids, known.authors)
    categories, tags = _categories(context, ids, known.categories), _tags(context, ids, known.tags)
    counts = _comment_counts(ids)
    comments_of = _comments(context, ids) if whole else {}
    before, after = (_neighbours(context, ids, "<"), _neighbours(context, ids, ">")) if whole else ({}, {})
    posts = {}
    for id_, kind, title, slug, at, modified, html, excerpt, summary, late, allow_comments, extra, path in rows:
        url = context.url(path)
        filed = categories.get(id_, ())
        posts[id_] = view(
            id=id_,
            kind=kind,
            title=title,
            slug=slug,
            url=url,
            absolute_url=context.absolute(url),
            published=clock.to_datetime(at, context.zone),
            modified=clock.to_datetime(modified, context.zone),
            authors=authors.get(id_, ()),
            category=filed[0] if filed else None,
            categories=filed,
            tags=tags.get(id_, ()),
            html=addresses.markup(html) if late else Markup(html),
            excerpt=addresses.markup(excerpt) if late else Markup(excerpt),
            summary=summary,
            allow_comments=bool(allow_comments),
            comment_count=counts.get(id_, 0),
            comments=comments_of.get(id_, ()),
            previous=before.get(id_),
            next=after.get(id_),
            extra=json.loads(extra) if extra != "{}" else {},
        )
    return posts


def _people(context: SiteContext, ids: Sequence[int], known: dict[int, Person]) -> dict[int, tuple[Person, ...]]:
    rows = db.execute(
        f"""SELECT entry_id, author_id FROM entry_author
            WHERE entry_id IN ({db.placeholders(len(ids))}) ORDER BY entry_id, position, author_id""",
        list(ids),
    ).fetchall()
    if unknown := list({author for _, author in rows} - known.keys()):
        found = db.execute(
            f"""SELECT t.id, t.name, t.slug, a.path, t.url, t.about FROM author t
                LEFT JOIN artifact a ON a.type = 'author' AND a.subject = t.id AND a.is_permalink AND a.wanted
                WHERE t.id IN ({db.placeholders(len(unknown))})""",
            unknown,
        ).fetchall()
        for id_, name, slug, path, website, about in found:
            known[id_] = Person(id_, name, slug, path and context.url(path), website, Markup(about))
    return _gathered(rows, known)


def _categories(context: SiteContext, ids: Sequence[int], known: dict[int, Term]) -> dict[int, tuple[Term, ...]]:
    rows = db.execute(
        f"""SELECT m.entry_id, m.category_id FROM entry_category m JOIN category t ON t.id = m.category_id
            WHERE m.entry_id IN ({db.placeholders(len(ids))}) ORDER BY m.entry_id, m.is_primary DESC, t.path""",
        list(ids),
    ).fetchall()
    _learn_terms(context, "category", "path", known, {category for _, category in rows})
    return _gathered(rows, known)


def _tags(context: SiteContext, ids: Sequence[int], known: dict[int, Term]) -> dict[int, tuple[Term, ...]]:
    rows = db.execute(
        f"""SELECT entry_id, tag_id FROM entry_tag
            WHERE entry_id IN ({db.placeholders(len(ids))}) ORDER BY entry_id, position, tag_id""",
        list(ids),
    ).fetchall()
    _learn_terms(context, "tag", "slug", known, {tag for _, tag in rows})
    return _gathered(rows, known)


def _learn_terms(context: SiteContext, kind: str, path: str, known: dict[int, Term], wanted: set[int]) -> None:
    if unknown := list(wanted - known.keys()):
        rows = db.execute(
            f"""SELECT t.id, t.name, t.slug, t.{path}, a.path FROM {kind} t
                LEFT JOIN artifact a ON a.type = '{kind}' AND a.subject = t.id AND a.is_permalink AND a.wanted
                WHERE t.id IN ({db.placeholders(len(unknown))})""",
            unknown,
        ).fetchall()
        for id_, name, slug, below, at in rows:
            known[id_] = Term(id_, name, slug, below, context.url(at) if at else None)


_T = TypeVar("_T")


def _gathered(rows: Iterable[tuple[int, int]], known: Mapping[int, _T]) -> dict[int, tuple[_T, ...]]:
    """What rows of (entry, id) name, by entry, in their order."""
    found: dict[int, tuple[_T, ...]] = {}
    for entry, members in groupby(rows, key=itemgetter(0)):
        found[entry] = tuple([known[member] for _, member in members if member in known])
    return found


def _comment_counts(ids: Sequence[int]) -> dict[int, int]:
    rows = db.execute(
        f"""SELECT entry_id, COUNT(*) FROM comment
            WHERE status = 'approved' AND entry_id IN ({db.placeholders(len(ids))}) GROUP BY entry_id""",
        list(ids),
    ).fetchall()
    return dict(rows)


def _comments(context: SiteContext, ids: Sequence[int]) -> dict[int, tuple[CommentView, ...]]:
    rows = db.execute(
        f"""SELECT entry_id, id, parent_id, author_name, author_url, html, created_at FROM comment
            WHERE status = 'approved' AND entry_id IN ({db.placeholders(len(ids))}) ORDER BY created_at, id""",
        list(ids),
    ).fetchall()
    shown = {row[1] for row in rows}
    replies: dict[int | None, list[_Comment]] = defaultdict(list)
    top_level: dict[int, list[_Comment]] = defaultdict(list)
    for entry, id_, parent, author, website, html, at in rows:
        comment = _Comment(id_, author, website, Markup(html), clock.to_datetime(at, context.zone))
        # A reply to a comment that is not shown becomes a top-level comment.
        (replies[parent] if parent in shown else top_level[entry]).append(comment)
    return {entry: _thread(comments, replies, _MAX_DEPTH) for entry, comments in top_level.items()}


class _Comment(NamedTuple):
    id: int
    author: str
    website: str
    html: Markup
    created: datetime


def _thread(
    comments: list[_Comment], replies: dict[int | None, list[_Comment]], levels: int
) -> tuple[CommentView, ...]:
    if levels == 1:
        return tuple(CommentView(*comment) for comment in _flattened(comments, replies))
    return tuple(
        CommentView(*comment, _thread(replies.get(comment.id, []), replies, levels - 1)) for comment in comments
    )


def _flattened(comments: list[_Comment], replies: dict[int | None, list[_Comment]]) -> Iterator[_Comment]:
    """Yield comments, each followed by its replies and theirs."""
    stack = comments[::-1]
    while stack:
        comment = stack.pop()
        yield comment
        stack += replies.get(comment.id, [])[::-1]


_NEIGHBOURS = """
SELECT near.entry_id, n.id, n.title, a.path
FROM (SELECT e.id AS entry_id,
             (SELECT p.id FROM entry p
              WHERE p.site_id = e.site_id AND p.kind = 'entry' AND p.status = 'published'
                AND (p.published_at, p.id) {way} (e.published_at, e.id)
              ORDER BY p.published_at {order}, p.id {order} LIMIT 1) AS id
      FROM entry e WHERE e.id IN ({ids}) AND e.kind = 'entry') AS near
JOIN entry n ON n.id = near.id
JOIN artifact a ON a.type = 'entry' AND a.subject = n.id AND a.is_permalink AND a.wanted
"""


def _neighbours(context: SiteContext, ids: Sequence[int], way: str) -> dict[int, Link]:
    order = "DESC" if way == "<" else "ASC"
    rows = db.execute(_NEIGHBOURS.format(way=way, order=order, ids=db.placeholders(len(ids))), list(ids)).fetchall()
    return {entry: Link(near, title, context.url(path)) for entry, near, title, path in rows}


class ArtifactRow(NamedTuple):
    """An artifact as the table has it."""

    id: int
    site: int
    path: str
    type: str
    template: str
    subject: int | None
    period: str
    page: int
    per_page: int
    #: Whether the pages of its listing are counted from the oldest entries.
    from_oldest: bool
    wanted: bool
    digest: str | None
    size: int | None
    version: int
    #: Number of the last plan that invalidated it, and of the plan that its content was built from.
    marked: int
    built: int
    #: Digest of everything that its last build read; None before the first build.
    reads: str | None
    #: The highest version that a publishing host took for it without publishing it since; 0 for none.
    reserved: int

    @property
    def is_stale(self) -> bool:
        """Whether something that it shows has changed since it was built."""
        return self.marked > self.built

    @property
    def was_interrupted(self) -> bool:
        """Whether a host may show something of it that was never committed, or lack what is published."""
        return self.reserved >= max(self.version, 1)

    @property
    def own_entry(self) -> int | None:
        """The id of the entry or page that this is the page of, or None."""
        return self.subject if self.type in ("entry", "page") else None


def find_artifacts(paths: Sequence[str]) -> dict[str, ArtifactRow]:
    """The artifacts at `paths`, by path."""
    if not paths:
        return {}
    rows = db.execute(
        f"""SELECT id, site_id, a.path, type, template, subject, period, page, per_page, from_oldest, wanted, digest,
                   size, a.version, marked, built, reads, COALESCE(r.version, 0)
            FROM artifact a LEFT JOIN reservation r ON r.path = a.path
            WHERE a.path IN ({db.placeholders(len(paths))})""",
        list(paths),
    ).fetchall()
    return {row[2]: ArtifactRow(*row) for row in rows}
