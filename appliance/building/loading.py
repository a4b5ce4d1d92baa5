"""The content of a batch, in a few queries over sets, as plain values (`views`)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup

from appliance import clock, db
from appliance.building.addresses import addresses_in, url_of
from appliance.building.views import Link, Person, Post, Remark, Term
from appliance.content.models import Site
from appliance.planning.theme import Theme


@dataclass(frozen=True)
class Place:
    """A site as loading needs it: who it is, how its addresses begin, in which zone its days are."""

    site: Site
    theme: Theme
    root: str
    zone: ZoneInfo

    @classmethod
    def of(cls, site: Site, theme: Theme) -> Place:
        """The place of `site` under `theme`."""
        root = "/" + site.url.split("//", 1)[1].partition("/")[2]
        return cls(site, theme, root, ZoneInfo(site.timezone))

    def url(self, path: str) -> str:
        """The root-relative address of a path below the docroot."""
        return url_of(path, self.site.folder, self.root)

    def absolute(self, url: str) -> str:
        """A root-relative address with the site's scheme and host."""
        return self.site.url[: -len(self.root)] + url


#: Levels of a thread of comments. Answers further down follow each other on the last one: people may answer each other
#: a thousand times, templates cannot call themselves that often.
_DEEPEST = 32

_POSTS = """
SELECT e.id, e.kind, e.title, e.slug, e.published_at, e.modified_at, e.html, e.excerpt, e.summary, e.late_bound,
       e.allow_comments, e.extra, a.path
FROM entry e JOIN artifact a ON a.type = e.kind AND a.subject = e.id AND a.is_permalink AND a.wanted
WHERE e.id IN (%s) AND e.status = 'published'
"""


def posts(place: Place, ids: Sequence[int], *, whole: bool = False, view: type[Post] = Post) -> dict[int, Post]:
    """The published entries and pages among `ids`, by id.

    Args:
        place: the site.
        ids: of entries and pages.
        whole: with comments and neighbours too, for their own pages.
        view: what they are made as; see `reads.noted_post`.
    """
    if not ids:
        return {}
    rows = db.execute(_POSTS % db.marks(len(ids)), list(ids)).fetchall()
    bound = addresses_in((t for r in rows if r[9] for t in (r[6], r[7])), place.theme, place.url)
    people, categories, tags = _people(place, ids), _categories(place, ids), _tags(place, ids)
    counts = _comment_counts(ids)
    remarks = _remarks(place, ids) if whole else {}
    before, after = (_neighbours(place, ids, "<"), _neighbours(place, ids, ">")) if whole else ({}, {})
    made = {}
    for id_, kind, title, slug, at, modified, html, excerpt, summary, late, comments, extra, path in rows:
        url = place.url(path)
        terms = categories.get(id_, [])
        made[id_] = view(
            id=id_, kind=kind, title=title, slug=slug, url=url, absolute_url=place.absolute(url),
            published=clock.local(at, place.zone), modified=clock.local(modified, place.zone),
            authors=tuple(people.get(id_, ())), category=terms[0] if terms else None,
            categories=tuple(terms), tags=tuple(tags.get(id_, ())),
            html=bound.markup(html) if late else Markup(html),
            excerpt=bound.markup(excerpt) if late else Markup(excerpt), summary=summary,
            allow_comments=bool(comments), comment_count=counts.get(id_, 0), comments=remarks.get(id_, ()),
            previous=before.get(id_), next=after.get(id_), extra=json.loads(extra) if extra != "{}" else {},
        )  # fmt: skip
    return made


def _people(place: Place, ids: Sequence[int]) -> dict[int, list[Person]]:
    rows = db.execute(
        f"""SELECT m.entry_id, t.id, t.name, t.slug, a.path, t.url, t.about
            FROM entry_author m JOIN author t ON t.id = m.author_id
            LEFT JOIN artifact a ON a.type = 'author' AND a.subject = t.id AND a.is_permalink AND a.wanted
            WHERE m.entry_id IN ({db.marks(len(ids))}) ORDER BY m.entry_id, m.position, t.id""",
        list(ids),
    ).fetchall()
    people: dict[int, list[Person]] = defaultdict(list)
    for entry, id_, name, slug, path, website, about in rows:
        people[entry].append(Person(id_, name, slug, path and place.url(path), website, Markup(about)))
    return people


def _categories(place: Place, ids: Sequence[int]) -> dict[int, list[Term]]:
    rows = db.execute(
        f"""SELECT m.entry_id, t.id, t.name, t.slug, t.path, a.path
            FROM entry_category m JOIN category t ON t.id = m.category_id
            LEFT JOIN artifact a ON a.type = 'category' AND a.subject = t.id AND a.is_permalink AND a.wanted
            WHERE m.entry_id IN ({db.marks(len(ids))}) ORDER BY m.entry_id, m.is_primary DESC, t.path""",
        list(ids),
    ).fetchall()
    return _terms(place, rows)


def _tags(place: Place, ids: Sequence[int]) -> dict[int, list[Term]]:
    rows = db.execute(
        f"""SELECT m.entry_id, t.id, t.name, t.slug, t.slug, a.path
            FROM entry_tag m JOIN tag t ON t.id = m.tag_id
            LEFT JOIN artifact a ON a.type = 'tag' AND a.subject = t.id AND a.is_permalink AND a.wanted
            WHERE m.entry_id IN ({db.marks(len(ids))}) ORDER BY m.entry_id, m.position, t.id""",
        list(ids),
    ).fetchall()
    return _terms(place, rows)


def _terms(place: Place, rows: list[tuple[int, int, str, str, str, str | None]]) -> dict[int, list[Term]]:
    terms: dict[int, list[Term]] = defaultdict(list)
    known: dict[int, Term] = {}
    for entry, id_, name, slug, path, at in rows:
        if id_ not in known:
            known[id_] = Term(id_, name, slug, path, place.url(at) if at else None)
        terms[entry].append(known[id_])
    return terms


def _comment_counts(ids: Sequence[int]) -> dict[int, int]:
    rows = db.execute(
        f"""SELECT entry_id, COUNT(*) FROM comment
            WHERE status = 'approved' AND entry_id IN ({db.marks(len(ids))}) GROUP BY entry_id""",
        list(ids),
    ).fetchall()
    return dict(rows)


def _remarks(place: Place, ids: Sequence[int]) -> dict[int, tuple[Remark, ...]]:
    rows = db.execute(
        f"""SELECT entry_id, id, parent_id, author_name, author_url, html, created_at FROM comment
            WHERE status = 'approved' AND entry_id IN ({db.marks(len(ids))}) ORDER BY created_at, id""",
        list(ids),
    ).fetchall()
    shown = {row[1] for row in rows}
    answers: dict[int | None, list[_Comment]] = defaultdict(list)
    first: dict[int, list[_Comment]] = defaultdict(list)
    for entry, id_, parent, author, website, html, at in rows:
        remark = _Comment(id_, author, website, Markup(html), clock.local(at, place.zone))
        # An answer to a comment that is not shown stands on its own.
        (answers[parent] if parent in shown else first[entry]).append(remark)
    return {entry: _thread(remarks, answers, _DEEPEST) for entry, remarks in first.items()}


class _Comment(NamedTuple):
    id: int
    author: str
    website: str
    html: Markup
    created: datetime


def _thread(remarks: list[_Comment], answers: dict[int | None, list[_Comment]], levels: int) -> tuple[Remark, ...]:
    if levels == 1:
        return tuple(Remark(*remark) for remark in _in_line(remarks, answers))
    return tuple(Remark(*remark, _thread(answers.get(remark.id, []), answers, levels - 1)) for remark in remarks)


def _in_line(remarks: list[_Comment], answers: dict[int | None, list[_Comment]]) -> Iterator[_Comment]:
    """Comments, each followed by the answers to it and to those."""
    waiting = remarks[::-1]
    while waiting:
        remark = waiting.pop()
        yield remark
        waiting += answers.get(remark.id, [])[::-1]


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


def _neighbours(place: Place, ids: Sequence[int], way: str) -> dict[int, Link]:
    order = "DESC" if way == "<" else "ASC"
    rows = db.execute(_NEIGHBOURS.format(way=way, order=order, ids=db.marks(len(ids))), list(ids)).fetchall()
    return {entry: Link(near, title, place.url(path)) for entry, near, title, path in rows}
