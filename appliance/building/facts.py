"""What every page of a site may ask for: the `site` of templates, with lists that are made once and kept.

The lists stay right because they are kept for one state of the content only: whoever changes content records a
change in the same transaction, and a new change number drops them all (`Facts` is made anew).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from markupsafe import Markup

from appliance import clock, db
from appliance.building import loading
from appliance.building.loading import Place
from appliance.building.reads import Noted
from appliance.building.views import Link, Period, Person, Post, Term
from appliance.planning import passing
from appliance.planning.archives import PERIODS, PUBLISHED, TERMS, start_of
from appliance.planning.pages import newest
from appliance.planning.theme import IndexTemplate

T = TypeVar("T")


def _kept(method: Callable[..., T]) -> Callable[..., T]:
    """Keep a method's answers for as long as the object lives; by argument."""

    @wraps(method)
    def ask(self: Facts, *arguments: Any) -> T:
        key = (method.__name__, arguments)
        if key not in self._answers:
            self._answers[key] = method(self, *arguments)
        answer: T = self._answers[key]
        return answer

    return ask


#: What may be other at any time, whatever was planned.
_FLEETING = frozenset({"recent"})


class Facts:
    """`site` in templates: the site's settings and the lists any page may show."""

    def __init__(self, place: Place, when: Callable[[], float], earlier: Facts | None = None) -> None:
        """The facts of `place`. Lists that change only with what is planned are taken over from `earlier`."""
        site, theme = place.site, place.theme
        self._place = place
        self._answers: dict[Any, Any] = {
            key: answer for key, answer in (earlier._answers if earlier else {}).items() if key[0] not in _FLEETING
        }
        self._when = when
        #: What the site is called in the settings.
        self.name: str = site.name
        self.title: str = site.title
        #: Absolute, ending with `/`.
        self.url: str = site.url
        #: Root-relative, beginning and ending with `/`.
        self.root: str = place.root
        self.description: str = site.description
        #: A BCP 47 tag.
        self.language: str = site.language
        #: Where the comment form posts to; empty when there is none.
        self.comment_endpoint: str = site.comment_endpoint
        #: The theme's settings as this site has them.
        self.settings: dict[str, Any] = Noted(theme.settings(json.loads(site.settings)), "setting")
        feeds = [o.first.text for o in theme.outputs if isinstance(o.source, IndexTemplate) and o.source.feed]
        #: The first feed of the theme, root-relative.
        self.feed_url: str | None = place.root + feeds[0] if feeds else None

    @_kept
    def recent(self, count: int) -> tuple[Post, ...]:
        """The newest `count` entries."""
        ids = newest(self._place.site.id, count)
        found = loading.posts(self._place, ids, view=self._view(f"recent:{count}"))
        return tuple(found[i] for i in ids if i in found)

    def now(self, every: str = "1d") -> datetime:
        """When it is, to so many minutes, hours or days (`10m`, `1h`, `1d`): what shows it is built again as often."""
        return passing.floor(self._when(), clock.span(every), self._place.zone)

    @_kept
    def categories(self) -> tuple[Term, ...]:
        """All categories in the order of their tree, with the number of their entries, those below included."""
        counts = self._counts("category")
        rows = db.execute(
            """SELECT t.id, t.name, t.slug, t.path, a.path, t.description FROM category t
               LEFT JOIN artifact a ON a.type = 'category' AND a.subject = t.id AND a.is_permalink AND a.wanted
               WHERE t.site_id = ? ORDER BY t.path""",
            [self._place.site.id],
        ).fetchall()
        return tuple(
            Term(
                id_,
                name,
                slug,
                path,
                at and self._place.url(at),
                Markup(about),
                counts.get(id_, 0),
                path.count("/"),
            )
            for id_, name, slug, path, at, about in sorted(rows, key=lambda row: row[3].split("/"))
        )

    @_kept
    def tags(self, count: int | None = None) -> tuple[Term, ...]:
        """Tags that have entries, most used first; `count` of them."""
        counts = self._counts("tag")
        rows = db.execute(
            """SELECT t.id, t.name, t.slug, a.path FROM tag t
               LEFT JOIN artifact a ON a.type = 'tag' AND a.subject = t.id AND a.is_permalink AND a.wanted
               WHERE t.site_id = ?""",
            [self._place.site.id],
        ).fetchall()
        terms = [
            Term(id_, name, slug, slug, at and self._place.url(at), count=counts[id_])
            for id_, name, slug, at in rows
            if id_ in counts
        ]
        return tuple(sorted(terms, key=lambda term: (-term.count, term.slug))[:count])

    @_kept
    def authors(self) -> tuple[Person, ...]:
        """Authors who have entries, by name."""
        counts = self._counts("author")
        rows = db.execute(
            """SELECT t.id, t.name, t.slug, a.path, t.url, t.about FROM author t
               LEFT JOIN artifact a ON a.type = 'author' AND a.subject = t.id AND a.is_permalink AND a.wanted
               WHERE t.site_id = ? ORDER BY t.name, t.id""",
            [self._place.site.id],
        ).fetchall()
        return tuple(
            Person(id_, name, slug, at and self._place.url(at), website, Markup(about), counts[id_])
            for id_, name, slug, at, website, about in rows
            if id_ in counts
        )

    @_kept
    def archives(self, kind: str) -> tuple[Period, ...]:
        """The days, weeks, months or years ('daily', 'weekly', 'monthly', 'yearly') with entries, newest first."""
        rows = db.execute(
            f"""SELECT g.period, g.entries, a.path
                FROM (SELECT {PERIODS[kind]} AS period, COUNT(*) AS entries FROM entry e
                      WHERE {PUBLISHED} GROUP BY 1) AS g
                LEFT JOIN artifact a ON a.site_id = ? AND a.type = ? AND a.period = g.period
                AND a.is_permalink AND a.wanted ORDER BY g.period DESC""",
            [self._place.site.id, self._place.site.id, kind],
        ).fetchall()
        return tuple(Period(kind, start_of(name), at and self._place.url(at), count) for name, count, at in rows)

    @_kept
    def pages(self) -> tuple[Link, ...]:
        """Published pages that are in no folder, by title."""
        rows = db.execute(
            """SELECT e.id, e.title, a.path FROM entry e
               JOIN artifact a ON a.type = 'page' AND a.subject = e.id AND a.is_permalink AND a.wanted
               WHERE e.site_id = ? AND e.kind = 'page' AND e.status = 'published' AND e.folder = ''
               ORDER BY e.title, e.id""",
            [self._place.site.id],
        ).fetchall()
        return tuple(Link(page, title, self._place.url(path)) for page, title, path in rows)

    def _view(self, _name: str) -> type[Post]:
        return Post

    def _counts(self, term: str) -> dict[int, int]:
        rows = db.execute(
            f"SELECT t.id, COUNT(DISTINCT e.id) FROM entry e {TERMS[term]} WHERE {PUBLISHED} GROUP BY t.id",
            [self._place.site.id],
        ).fetchall()
        return dict(rows)
