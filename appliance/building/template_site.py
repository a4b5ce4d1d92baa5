"""The `site` of templates: the settings of a site and its site-wide lists, computed once and tracked when read.

The lists stay correct because they are cached for one state of the content only. Every change of content is recorded in
the transaction that makes it, and a new change has the builder make a new object.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from markupsafe import Markup

from appliance import clock, db
from appliance.building import loaders
from appliance.building.dependency_tracking import TrackedMapping, track, track_list, tracked_post
from appliance.building.loaders import SiteContext
from appliance.building.views import CommentRules, Link, Period, Person, Post, Term
from appliance.planning import listing_totals
from appliance.planning.archives import period_start
from appliance.planning.dependency_keys import step_start
from appliance.planning.listings import newest_entries
from appliance.planning.manifest import IndexTemplate

T = TypeVar("T")


def _cached(method: Callable[..., T]) -> Callable[..., T]:
    """Cache the results of a method, by argument, for the lifetime of the object."""

    @wraps(method)
    def cached(self: TemplateSite, *arguments: Any) -> T:
        key = (method.__name__, arguments)
        if key not in self._cache:
            self._cache[key] = method(self, *arguments)
        result: T = self._cache[key]
        return result

    return cached


#: Lists that may change at any time, not only with a plan.
_VOLATILE = frozenset({"recent"})


class TemplateSite:
    """`site` in templates: the settings of the site and the lists that any page may show."""

    def __init__(self, context: SiteContext, now: Callable[[], float], earlier: TemplateSite | None = None) -> None:
        """`now` gives the current time. Lists that change only with a plan are taken over from `earlier`."""
        site, theme = context.site, context.theme
        self._context = context
        self._cache: dict[Any, Any] = {
            key: value for key, value in (earlier._cache if earlier else {}).items() if key[0] not in _VOLATILE
        }
        self._now = now
        #: The name of the site in the settings.
        self.name: str = site.name
        self.title: str = site.title
        #: Absolute; ends with `/`.
        self.url: str = site.url
        #: Root-relative; begins and ends with `/`.
        self.root: str = context.root
        self.description: str = site.description
        #: A BCP 47 tag.
        self.language: str = site.language
        #: The URL that the comment form posts to; empty when there is none.
        self.comment_endpoint: str = site.comment_endpoint
        #: The URL that the search box asks; empty when there is none.
        self.search_endpoint: str = site.search_endpoint or ""
        #: The URL of the description by which browsers learn to search the site; empty when there is none.
        self.opensearch_url: str = _beside(self.search_endpoint, "opensearch.xml")
        #: None when the comment form posts elsewhere, or when there is none.
        self.comment_rules: CommentRules | None = (
            CommentRules(**json.loads(site.comment_rules)) if site.comment_rules else None
        )
        #: The theme's settings, with the values that this site gives them.
        self.settings: dict[str, Any] = TrackedMapping(theme.settings(json.loads(site.settings)), "setting")
        feeds = [o.first.text for o in theme.outputs if isinstance(o.source, IndexTemplate) and o.source.feed]
        #: The first feed of the theme, root-relative.
        self.feed_url: str | None = context.root + feeds[0] if feeds else None

    @_cached
    def recent(self, count: int) -> tuple[Post, ...]:
        """The newest `count` entries."""
        ids = newest_entries(self._context.site.id, count)
        found = loaders.load_posts(self._context, ids, view=self._view(f"recent:{count}"))
        return tuple(found[i] for i in ids if i in found)

    def now(self, every: str = "1d") -> datetime:
        """The current time, rounded down to a step (`10m`, `1h`, `1d`). Pages that show it are rebuilt at each step."""
        return step_start(self._now(), clock.parse_duration(every), self._context.zone)

    @_cached
    def categories(self) -> tuple[Term, ...]:
        """All categories in the order of their tree, with the number of entries in each and in those below it."""
        counts = self._counts("category")
        rows = db.execute(
            """SELECT t.id, t.name, t.slug, t.path, a.path, t.description FROM category t
               LEFT JOIN artifact a ON a.type = 'category' AND a.subject = t.id AND a.is_permalink AND a.wanted
               WHERE t.site_id = ? ORDER BY t.path""",
            [self._context.site.id],
        ).fetchall()
        return tuple(
            Term(
                id_,
                name,
                slug,
                path,
                at and self._context.url(at),
                Markup(about),
                counts.get(id_, 0),
                path.count("/"),
            )
            for id_, name, slug, path, at, about in sorted(rows, key=lambda row: row[3].split("/"))
        )

    @_cached
    def tags(self, count: int | None = None) -> tuple[Term, ...]:
        """Tags that have entries, most used first; at most `count` of them."""
        counts = self._counts("tag")
        rows = db.execute(
            """SELECT t.id, t.name, t.slug, a.path FROM tag t
               LEFT JOIN artifact a ON a.type = 'tag' AND a.subject = t.id AND a.is_permalink AND a.wanted
               WHERE t.site_id = ?""",
            [self._context.site.id],
        ).fetchall()
        terms = [
            Term(id_, name, slug, slug, at and self._context.url(at), count=counts[id_])
            for id_, name, slug, at in rows
            if id_ in counts
        ]
        return tuple(sorted(terms, key=lambda term: (-term.count, term.slug))[:count])

    @_cached
    def authors(self) -> tuple[Person, ...]:
        """Authors who have entries, by name."""
        counts = self._counts("author")
        rows = db.execute(
            """SELECT t.id, t.name, t.slug, a.path, t.url, t.about FROM author t
               LEFT JOIN artifact a ON a.type = 'author' AND a.subject = t.id AND a.is_permalink AND a.wanted
               WHERE t.site_id = ? ORDER BY t.name, t.id""",
            [self._context.site.id],
        ).fetchall()
        return tuple(
            Person(id_, name, slug, at and self._context.url(at), website, Markup(about), counts[id_])
            for id_, name, slug, at, website, about in rows
            if id_ in counts
        )

    @_cached
    def archives(self, kind: str) -> tuple[Period, ...]:
        """The periods of a type ('daily', 'weekly', 'monthly', 'yearly') that have entries, newest first."""
        rows = db.execute(
            """SELECT t.period, t.entries, a.path FROM listing_total t
               LEFT JOIN artifact a ON +a.site_id = t.site_id AND a.type = t.type AND a.subject IS NULL
                AND a.period = t.period AND a.is_permalink AND a.wanted
               WHERE t.site_id = ? AND t.type = ? ORDER BY t.period DESC""",
            [self._context.site.id, kind],
        ).fetchall()
        return tuple(Period(kind, period_start(name), at and self._context.url(at), count) for name, count, at in rows)

    @_cached
    def pages(self) -> tuple[Link, ...]:
        """Published pages that are in no folder, by title."""
        rows = db.execute(
            """SELECT e.id, e.title, a.path FROM entry e
               JOIN artifact a ON a.type = 'page' AND a.subject = e.id AND a.is_permalink AND a.wanted
               WHERE e.site_id = ? AND e.kind = 'page' AND e.status = 'published' AND e.folder = ''
               ORDER BY e.title, e.id""",
            [self._context.site.id],
        ).fetchall()
        return tuple(Link(page, title, self._context.url(path)) for page, title, path in rows)

    def _view(self, _name: str) -> type[Post]:
        return Post

    def _counts(self, term: str) -> dict[int, int]:
        return {total.subject: total.entries for total in listing_totals.totals(self._context.site.id, term)}


class TrackedSite(TemplateSite):
    """A TemplateSite that tracks what a template reads of it."""

    def recent(self, count: int) -> tuple[Post, ...]:
        """Like `TemplateSite.recent`, tracked."""
        track_list(f"recent:{count}")
        return super().recent(count)

    def categories(self) -> tuple[Term, ...]:
        """Like `TemplateSite.categories`, tracked."""
        track("categories")
        return super().categories()

    def tags(self, count: int | None = None) -> tuple[Term, ...]:
        """Like `TemplateSite.tags`, tracked."""
        track("tags" if count is None else f"tags:{count}")
        return super().tags(count)

    def authors(self) -> tuple[Person, ...]:
        """Like `TemplateSite.authors`, tracked."""
        track("authors")
        return super().authors()

    def archives(self, kind: str) -> tuple[Period, ...]:
        """Like `TemplateSite.archives`, tracked."""
        track(f"archives:{kind}")
        return super().archives(kind)

    def pages(self) -> tuple[Link, ...]:
        """Like `TemplateSite.pages`, tracked."""
        track("pages")
        return super().pages()

    def now(self, every: str = "1d") -> datetime:
        """Like `TemplateSite.now`, tracked."""
        track(f"now:{every}")
        return super().now(every)

    def _view(self, name: str) -> type[Post]:
        return tracked_post(name)


def _beside(url: str, name: str) -> str:
    """The URL of `name` in the folder of `url`; empty if `url` is."""
    return f"{url.rpartition('/')[0]}/{name}" if url else ""


def _tracked_attribute(name: str) -> property:
    key = f"site:{name}"

    def read(site: TemplateSite) -> Any:
        track(key)
        return site.__dict__[name]

    def write(site: TemplateSite, value: Any) -> None:
        site.__dict__[name] = value

    return property(read, write)


for _name in (
    *("name", "title", "url", "root", "description", "language", "feed_url"),
    *("comment_endpoint", "comment_rules", "search_endpoint", "opensearch_url"),
):
    setattr(TrackedSite, _name, _tracked_attribute(_name))
