"""Which artifacts changes concern: those that showed some of what changed when they were built, and those that will.

Each mark is one statement over sets. What an artifact read is in `Reading` and in its recipe; which entries its page of
a listing showed is in its digest `shown`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from appliance import db
from appliance.content import aspects as words
from appliance.content.aspects import Aspect
from appliance.content.models import Site
from appliance.planning import sitemaps
from appliance.planning.archives import Scope, split_type
from appliance.planning.moves import MOVED
from appliance.planning.pages import Asked, Shown, digest, entries_of
from appliance.planning.theme import Theme
from appliance.planning.touched import Touched

_PAGES = "a.type IN ('entry', 'page')"


class Marks:
    """The marks of one planning."""

    def __init__(self, site: Site, theme: Theme, number: int, why: dict[str, list[str]] | None = None) -> None:
        """Begin; with `why`, each path is told why it is marked."""
        self._site = site
        self._theme = theme
        self._number = number
        self._why = why

    def mark(self, why: str, condition: str, values: Sequence[object] = ()) -> None:
        """Mark the artifacts `a` of the site for which a condition holds."""
        # The plus keeps planners from reading all of the site by that index.
        whole = f"+a.site_id = ? AND a.wanted AND ({condition})"
        if self._why is not None:
            rows = db.execute(f"SELECT a.path FROM artifact a WHERE {whole}", [self._site.id, *values])
            for (path,) in rows.fetchall():
                self._why.setdefault(path, []).append(why)
        db.execute(
            f"UPDATE artifact SET marked = ? WHERE marked <> ? AND id IN (SELECT a.id FROM artifact a WHERE {whole})",
            [self._number, self._number, self._site.id, *values],
        )

    def entries(self, touched: Touched) -> None:
        """Pages of these entries, and what showed some of what changed of them."""
        by_aspects: dict[Aspect, list[int]] = defaultdict(list)
        for entry, aspects in touched.entries.items():
            by_aspects[aspects].append(entry)
        for aspects, ids in by_aspects.items():
            for some in db.chunks(ids):
                among = db.marks(len(some))
                self.mark("it is the page of what changed", f"{_PAGES} AND a.subject IN ({among})", some)
                self.mark(
                    f"it shows {_in_words(aspects)} of an entry that changed",
                    f"""a.id IN (SELECT r.artifact_id FROM reading r
                        WHERE r.kind = 'e' AND r.subject IN ({among}) AND (r.aspects & ?) <> 0)""",
                    [*some, int(aspects)],
                )
        moved = [
            entry for entry, aspects in touched.entries.items() if Aspect.PLACE & aspects and Aspect.DATE & aspects
        ]
        for some in db.chunks(moved):
            near = list(_neighbours(some))
            among = db.marks(len(near)) or "NULL"
            self.mark("an entry came or went beside its own", f"a.type = 'entry' AND a.subject IN ({among})", near)

    def listings(self, scope: Scope) -> None:
        """Pages of listings that show other entries than when they were built, or of how many."""
        zone = ZoneInfo(self._site.timezone)
        for (kind, subject, period), pages in self._listings(scope).items():
            asked, listing = Asked(self._site.id, kind, subject, period), _Lazy(zone)
            changed = [key for key, page, per_page, shown in pages if listing.digest(asked, page, per_page) != shown]
            for some in db.chunks(changed):
                self.mark("the entries it lists are others", f"a.id IN ({db.marks(len(some))})", some)

    def all_listings(self) -> None:
        """All pages of listings that read which entries they have."""
        self.mark("the entries it lists may be others", "a.shown IS NOT NULL")

    def _listings(self, scope: Scope) -> dict[tuple[str, int | None, str], list[tuple[int, int, int, str]]]:
        """The built pages of the listings within `scope`, by listing: (id, page, entries a page, digest)."""
        found: dict[Any, list[Any]] = defaultdict(list)
        for kind, subject, period, *page in self._built_pages(scope):
            found[kind, subject, period].append(tuple(page))
        return found

    def _built_pages(self, scope: Scope) -> Iterator[tuple[Any, ...]]:
        select = """SELECT type, subject, period, id, page, per_page, shown FROM artifact
                    WHERE site_id = ? AND wanted AND shown IS NOT NULL AND type = ?"""
        for kind in sorted({output.type for output in self._theme.outputs}):
            term, period = split_type(kind)
            conditions, values = "", list[object]()
            if kind not in ("index",):
                if term in ("author", "category", "tag"):
                    subjects = list(scope.terms.get(term, ()))
                    conditions += f" AND subject IN ({db.marks(len(subjects)) or 'NULL'})"
                    values += subjects
                elif not period:
                    continue
                if period:
                    periods = scope.periods(period)
                    conditions += f" AND period IN ({db.marks(len(periods)) or 'NULL'})"
                    values += periods
            yield from db.execute(select + conditions, [self._site.id, kind, *values]).fetchall()

    def addresses(self) -> None:
        """What shows addresses that came, went or changed: those of permalinks that this planning marked so far."""
        rows = db.execute(
            """SELECT type, subject FROM artifact WHERE site_id = ? AND marked = ? AND is_permalink
               AND subject IS NOT NULL""",
            [self._site.id, self._number],
        ).fetchall()
        by_type: dict[str, set[int]] = defaultdict(set)
        for kind, subject in rows:
            by_type["entry" if kind == "page" else kind].add(subject)
        for kind, subjects in by_type.items():
            for some in db.chunks(sorted(subjects)):
                self._addresses_of(kind, some)

    def _addresses_of(self, kind: str, ids: Sequence[int]) -> None:
        among = db.marks(len(ids))
        why = f"the address of {'an' if kind[0] in 'ae' else 'a'} {kind} it shows changed"
        if kind == "entry":
            self.mark(
                why,
                f"""a.id IN (SELECT r.artifact_id FROM reading r WHERE r.kind = 'e' AND r.subject IN ({among})
                             AND (r.aspects & {int(Aspect.ADDRESS)}) <> 0)""",
                ids,
            )
            aliases = f"SELECT id FROM alias WHERE entry_id IN ({among})"
            self.mark(why, f"a.type = 'redirect' AND a.period = '' AND a.subject IN ({aliases})", ids)
        elif kind == "asset":
            self._readers_of_file("f", ids, why)
        elif kind in ("author", "category", "tag"):
            self.terms({kind: ids}, why)
            if kind == "category":
                self._readers_of_file("c", ids, why)
        moves = f"SELECT id FROM move WHERE subject IN ({among})"
        self.mark(why, f"a.type = 'redirect' AND a.period = '{MOVED}' AND a.subject IN ({moves})", ids)

    def _readers_of_file(self, kind: str, ids: Sequence[int], why: str) -> None:
        among = db.marks(len(ids))
        readers = f"SELECT r.artifact_id FROM reading r WHERE r.kind = ? AND r.subject IN ({among})"
        self.mark(why, f"a.id IN ({readers})", [kind, *ids])

    def terms(self, terms: Mapping[str, Iterable[int]], why: str = "") -> None:
        """What shows these authors, categories and tags: their listings, and what shows the terms of their entries."""
        for kind, all_ids in terms.items():
            said = why or f"it shows {'an' if kind == 'author' else 'a'} {kind} that changed"
            for ids in db.chunks(sorted(all_ids)):
                among = db.marks(len(ids))
                members = f"SELECT m.entry_id FROM entry_{kind} m WHERE m.{kind}_id IN ({among})"
                own = f"(a.type = ? OR a.type LIKE ?) AND a.subject IN ({among})"
                self.mark(said, own, [kind, f"{kind}-%", *ids])
                # What led to a term that was merged leads to the other one now.
                moves = f"SELECT id FROM move WHERE type = ? AND subject IN ({among})"
                self.mark(
                    said, f"a.type = 'redirect' AND a.period = '{MOVED}' AND a.subject IN ({moves})", [kind, *ids]
                )
                self.mark(said, f"{_PAGES} AND a.subject IN ({members})", ids)
                self.mark(
                    said,
                    f"""a.id IN (SELECT r.artifact_id FROM reading r WHERE r.kind = 'e' AND r.subject IN ({members})
                                 AND (r.aspects & {int(Aspect.TERMS)}) <> 0)""",
                    ids,
                )

    def assets(self, assets: Iterable[int]) -> None:
        """Uploaded files that changed, smaller copies of them, and what shows them."""
        for ids in db.chunks(sorted(assets)):
            among = db.marks(len(ids))
            self.mark("the file changed", f"a.type IN ('asset', 'thumbnail') AND a.subject IN ({among})", ids)
            self._readers_of_file("f", ids, "it shows a file that changed")

    def sitemaps(self, blocks: Iterable[tuple[str, int]]) -> None:
        """Sitemaps whose addresses came, went, or were modified; `blocks` are the parts concerned."""
        templates, some = sorted({output.template for output in sitemaps.outputs(self._theme)}), sorted(blocks)
        if not some or not templates:
            return
        named = f"a.type = 'index' AND a.subject IS NULL AND a.template IN ({db.marks(len(templates))})"
        modified = "an address in it came, went or was modified"
        if not sitemaps.is_split(self._site):
            self.mark(modified, named, templates)
            return
        # Those that this planning marked so far are parts that came or went.
        changed = "SELECT 1 FROM artifact s WHERE s.type = 'sitemap' AND s.site_id = a.site_id AND s.marked = ?"
        self.mark("its parts are others", f"{named} AND EXISTS ({changed})", [*templates, self._number])
        for kind, block in some:
            part = "a.type = 'sitemap' AND a.subject IS NULL AND a.period = ? AND a.page = ?"
            self.mark(modified, part, [kind, block + 1])

    def keys(self, keys: Iterable[str], why: Callable[[str], str]) -> None:
        """What read keys whose answers changed."""
        for key in sorted(keys):
            recipes = """SELECT k.recipe_id FROM recipe_key k JOIN recipe p ON p.id = k.recipe_id
                         WHERE p.site_id = ? AND k.key = ?"""
            self.mark(why(key), f"a.recipe IN ({recipes})", [self._site.id, key])


class _Lazy:
    """The pages of one listing; all of it is read once, if more than its first page is wanted."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._ids: tuple[int, ...] | None = None
        self._totals: dict[Asked, int] = {}

    def digest(self, asked: Asked, page: int, per_page: int) -> str:
        """The digest of a page as the listing is now."""
        if page == 1 and self._ids is None:
            return digest(entries_of(asked, self._zone, 1, per_page, self._totals))
        if self._ids is None:
            self._ids = entries_of(asked, self._zone, 1, 0).ids
        first = (page - 1) * per_page
        return digest(Shown(self._ids[first : first + per_page] if per_page else self._ids, len(self._ids)))


_NEAR = """
SELECT (SELECT p.id FROM entry p WHERE p.site_id = e.site_id AND p.kind = 'entry' AND p.status = 'published'
          AND (p.published_at, p.id) {way} (e.published_at, e.id) ORDER BY p.published_at {order}, p.id {order} LIMIT 1)
FROM entry e WHERE e.kind = 'entry' AND e.status = 'published' AND e.id IN ({ids})
"""


def _neighbours(entries: Sequence[int]) -> Iterator[int]:
    """The entries published just before and after these."""
    for way, order in (("<", "DESC"), (">", "ASC")):
        rows = db.execute(_NEAR.format(way=way, order=order, ids=db.marks(len(entries))), list(entries)).fetchall()
        yield from (near for (near,) in rows if near is not None)


def _in_words(aspects: Aspect) -> str:
    """Aspects as people call them, if they are not most of an entry."""
    return "something" if aspects.bit_count() > 6 else words.in_words(aspects)
