"""Finds the artifacts that a change set invalidates: those that showed some of what changed, and those that now will.

Each invalidation is one SQL statement over sets. The dependencies of an artifact are in the table of
`models.Dependency` and in its dependency set; the column `shown` has the digest of the listing page it showed.
Invalidating an artifact sets its column `marked` to the number of the plan.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from appliance import db
from appliance.content import aspects as words
from appliance.content.aspects import Aspect
from appliance.content.models import Site
from appliance.planning import sitemaps
from appliance.planning.archives import split_type
from appliance.planning.changeset import ChangeSet, Scope
from appliance.planning.listings import ListingQuery, counted_of, listing_digest, listing_page, page_of_ids
from appliance.planning.page_boundaries import OWN, PagedListing
from appliance.planning.redirects import MOVED
from appliance.planning.steps import ROWS, Steps, select_ids
from appliance.planning.theme import Theme

_IS_ENTRY_PAGE = "a.type IN ('entry', 'page')"


class Invalidation:
    """Invalidates the artifacts of one site during one plan."""

    def __init__(
        self,
        site: Site,
        theme: Theme,
        number: int,
        reasons: dict[str, list[str]] | None = None,
        steps: Steps | None = None,
    ) -> None:
        """With `reasons`, the reasons for each invalidation are added to it, by path."""
        self._steps = steps or Steps()
        self._site = site
        self._theme = theme
        self._number = number
        self._reasons = reasons

    def invalidate(self, reason: str, condition: str, values: Sequence[object] = ()) -> None:
        """Invalidate the artifacts `a` of the site for which an SQL condition holds."""
        # The plus keeps the database from choosing the index on site_id, which would read the whole site.
        whole = f"+a.site_id = ? AND a.wanted AND ({condition})"
        if self._reasons is not None:
            rows = db.execute(f"SELECT a.path FROM artifact a WHERE {whole}", [self._site.id, *values])
            for (path,) in rows.fetchall():
                self._reasons.setdefault(path, []).append(reason)
        if self._steps.short:
            ids = select_ids(
                f"SELECT a.id FROM artifact a WHERE {whole} AND a.marked <> ?", [self._site.id, *values, self._number]
            )
            for some in db.chunks(ids, ROWS):
                with self._steps.write():
                    among = db.placeholders(len(some))
                    db.execute(f"UPDATE artifact SET marked = ? WHERE id IN ({among})", [self._number, *some])
            return
        db.execute(
            f"UPDATE artifact SET marked = ? WHERE marked <> ? AND id IN (SELECT a.id FROM artifact a WHERE {whole})",
            [self._number, self._number, self._site.id, *values],
        )

    def invalidate_entries(self, changeset: ChangeSet) -> None:
        """Invalidate the pages of changed entries, and artifacts that depend on an aspect that changed."""
        by_aspects: dict[Aspect, list[int]] = defaultdict(list)
        for entry, aspects in changeset.entries.items():
            by_aspects[aspects].append(entry)
        for aspects, ids in by_aspects.items():
            for some in db.chunks(ids):
                among = db.placeholders(len(some))
                self.invalidate(
                    "it is the page of a changed entry", f"{_IS_ENTRY_PAGE} AND a.subject IN ({among})", some
                )
                self.invalidate(
                    f"it shows {_aspects_in_words(aspects)} of an entry that changed",
                    f"""a.id IN (SELECT r.artifact_id FROM reading r
                        WHERE r.kind = 'e' AND r.subject IN ({among}) AND (r.aspects & ?) <> 0)""",
                    [*some, int(aspects)],
                )
        moved_in_time = [
            entry for entry, aspects in changeset.entries.items() if Aspect.PLACE & aspects and Aspect.DATE & aspects
        ]
        for some in db.chunks(moved_in_time):
            neighbours = list(_neighbours(some))
            among = db.placeholders(len(neighbours)) or "NULL"
            self.invalidate(
                "a neighbouring entry came or went", f"a.type = 'entry' AND a.subject IN ({among})", neighbours
            )

    def invalidate_listings(self, scope: Scope) -> None:
        """Invalidate listing pages in the scope that would now have other entries, neighbours or totals."""
        zone = ZoneInfo(self._site.timezone)
        built = self._built_listings(scope)
        for (kind, subject, period), pages in built.items():
            query, listing = ListingQuery(self._site.id, kind, subject, period), _LazyListing(zone)
            changed = [
                key
                for key, page, per_page, from_oldest, shown in pages
                if listing.digest(query, page, per_page, from_oldest) != shown
            ]
            for some in db.chunks(changed):
                self.invalidate("it lists other entries than before", f"a.id IN ({db.placeholders(len(some))})", some)
        paged = {(listing.type, listing.subject or None, listing.period) for listing in scope.pages or ()}
        for kind, subject, period in built.keys() | paged:
            self._invalidate_counting(ListingQuery(self._site.id, kind, subject, period))

    def _invalidate_counting(self, query: ListingQuery) -> None:
        """Invalidate what shows how many entries or pages a listing has, if it has others now."""
        rows = db.execute(
            """SELECT a.id, a.per_page, a.from_oldest, a.counted FROM artifact a
               WHERE a.type = ? AND a.subject IS NOT DISTINCT FROM ? AND a.period = ? AND a.counted IS NOT NULL
                 AND +a.site_id = ? AND a.wanted""",
            [query.type, query.subject, query.period, query.site],
        ).fetchall()
        changed = [
            key for key, per_page, from_oldest, counted in rows if counted_of(query, per_page, from_oldest) != counted
        ]
        for some in db.chunks(changed):
            among = db.placeholders(len(some))
            self.invalidate("its listing has another number of entries or pages", f"a.id IN ({among})", some)

    def invalidate_all_listings(self) -> None:
        """Invalidate all listing pages that depend on which entries they have."""
        self.invalidate("it may list other entries than before", "a.shown IS NOT NULL")

    def _built_listings(self, scope: Scope) -> dict[tuple[str, int | None, str], list[tuple[int, int, int, bool, str]]]:
        """The built pages of the listings in the scope: (id, page, entries a page, whether from oldest, digest)."""
        found: dict[Any, list[Any]] = defaultdict(list)
        for kind, subject, period, *page in self._built_pages(scope):
            found[kind, subject, period].append(tuple(page))
        return found

    def _built_pages(self, scope: Scope) -> Iterator[tuple[Any, ...]]:
        select = """SELECT type, subject, period, id, page, per_page, from_oldest, shown FROM artifact
                    WHERE +site_id = ? AND wanted AND shown IS NOT NULL AND type = ?"""
        for kind in sorted({output.type for output in self._theme.outputs}):
            term, period = split_type(kind)
            conditions, values = "", list[object]()
            if kind == "index":
                conditions = " AND subject IS NULL AND period = ''"
            else:
                if term in ("author", "category", "tag"):
                    subjects = list(scope.terms.get(term, ()))
                    conditions += f" AND subject IN ({db.placeholders(len(subjects)) or 'NULL'})"
                    values += subjects
                elif not period:
                    continue
                if period:
                    periods = scope.periods(period)
                    conditions += f" AND period IN ({db.placeholders(len(periods)) or 'NULL'})"
                    values += periods
            pages, numbers = self._seen_pages(kind, scope)
            rows = db.execute(select + conditions + pages, [self._site.id, kind, *values, *numbers]).fetchall()
            yield from (row for row in rows if self._is_seen(scope, row))

    def _seen_pages(self, kind: str, scope: Scope) -> tuple[str, list[int]]:
        """An SQL condition, with its values, for the pages of a type that may list other entries, if they are known."""
        paged = [output for output in self._theme.outputs if output.type == kind and output.per_page]
        if scope.pages is None or not all(output.from_oldest for output in paged):
            return "", []
        numbers = {OWN}.union(*(c.seen for listing, c in scope.pages.items() if listing.type == kind))
        return f" AND page IN ({db.placeholders(len(numbers))})", sorted(numbers)

    def _is_seen(self, scope: Scope, row: Sequence[Any]) -> bool:
        kind, subject, period, _, page, per_page, from_oldest, _ = row
        if scope.pages is None or not from_oldest:
            return True
        changes = scope.pages.get(PagedListing(self._site.id, kind, subject or 0, period, per_page))
        return changes is not None and page in changes.seen

    def invalidate_addresses(self, displaced: Iterable[tuple[str, int | None]]) -> None:
        """Invalidate what shows an address that appeared, disappeared or changed.

        These are the addresses of the permalinks that this plan has invalidated so far, and of `displaced` artifacts,
        whose paths belong to other artifacts now.
        """
        rows = db.execute(
            """SELECT type, subject FROM artifact WHERE site_id = ? AND marked = ? AND is_permalink
               AND subject IS NOT NULL""",
            [self._site.id, self._number],
        )
        # In eight bytes each: a new pattern of addresses moves every page of a site.
        by_type: dict[str, array[int]] = defaultdict(partial(array, "q"))
        for kind, subject in chain(rows, displaced):
            if subject is not None:
                by_type["entry" if kind == "page" else kind].append(subject)
        for kind, subjects in by_type.items():
            for some in db.chunks(subjects):
                self._invalidate_addresses_of(kind, sorted(set(some)))

    def _invalidate_addresses_of(self, kind: str, ids: Sequence[int]) -> None:
        among = db.placeholders(len(ids))
        reason = f"the address of {'an' if kind[0] in 'ae' else 'a'} {kind} it shows changed"
        if kind == "entry":
            self.invalidate(
                reason,
                f"""a.id IN (SELECT r.artifact_id FROM reading r WHERE r.kind = 'e' AND r.subject IN ({among})
                             AND (r.aspects & {int(Aspect.ADDRESS)}) <> 0)""",
                ids,
            )
            aliases = f"SELECT id FROM alias WHERE entry_id IN ({among})"
            self.invalidate(reason, f"a.type = 'redirect' AND a.period = '' AND a.subject IN ({aliases})", ids)
        elif kind == "asset":
            self._invalidate_linking("f", ids, reason)
        elif kind in ("author", "category", "tag"):
            self.invalidate_terms({kind: ids}, reason)
        types = ("entry", "page") if kind == "entry" else (kind,)
        moves = f"SELECT id FROM move WHERE type IN ({db.placeholders(len(types))}) AND subject IN ({among})"
        of_moves = f"a.type = 'redirect' AND a.period = '{MOVED}' AND a.subject IN ({moves})"
        self.invalidate(reason, of_moves, [*types, *ids])

    def _invalidate_linking(self, kind: str, ids: Sequence[int], reason: str) -> None:
        among = db.placeholders(len(ids))
        readers = f"SELECT r.artifact_id FROM reading r WHERE r.kind = ? AND r.subject IN ({among})"
        self.invalidate(reason, f"a.id IN ({readers})", [kind, *ids])

    def invalidate_terms(self, terms: Mapping[str, Iterable[int]], given_reason: str = "") -> None:
        """Invalidate what shows these authors, categories and tags.

        This is their own listings, the pages of their entries, and artifacts that show the terms of these entries.
        """
        for kind, all_ids in terms.items():
            reason = given_reason or f"it shows {'an' if kind == 'author' else 'a'} {kind} that changed"
            types = sorted({kind, *(o.type for o in self._theme.outputs if split_type(o.type)[0] == kind)})
            for ids in db.chunks(sorted(all_ids)):
                among = db.placeholders(len(ids))
                members = f"SELECT m.entry_id FROM entry_{kind} m WHERE m.{kind}_id IN ({among})"
                own = f"a.type IN ({db.placeholders(len(types))}) AND a.subject IN ({among})"
                if kind == "category":  # a merged category has no artifact any more
                    self._invalidate_linking("c", ids, reason)
                self.invalidate(reason, own, [*types, *ids])
                # Redirects to a term that was merged lead to the other term now.
                moves = f"SELECT id FROM move WHERE type = ? AND subject IN ({among})"
                self.invalidate(
                    reason, f"a.type = 'redirect' AND a.period = '{MOVED}' AND a.subject IN ({moves})", [kind, *ids]
                )
                self.invalidate(reason, f"{_IS_ENTRY_PAGE} AND a.subject IN ({members})", ids)
                self.invalidate(
                    reason,
                    f"""a.id IN (SELECT r.artifact_id FROM reading r WHERE r.kind = 'e' AND r.subject IN ({members})
                                 AND (r.aspects & {int(Aspect.TERMS)}) <> 0)""",
                    ids,
                )

    def invalidate_assets(self, assets: Iterable[int]) -> None:
        """Invalidate uploaded files that changed, their thumbnails, and what shows them."""
        for ids in db.chunks(sorted(assets)):
            among = db.placeholders(len(ids))
            self.invalidate("the file changed", f"a.type IN ('asset', 'thumbnail') AND a.subject IN ({among})", ids)
            self._invalidate_linking("f", ids, "it shows a file that changed")

    def invalidate_sitemaps(self, blocks: Iterable[tuple[str, int]]) -> None:
        """Invalidate the sitemaps in which an address appeared, disappeared or was modified.

        `blocks` are the (type, block) of the parts that have such an address.
        """
        templates = sorted({output.template for output in sitemaps.sitemap_outputs(self._theme)})
        changed_blocks = sorted(blocks)
        if not changed_blocks or not templates:
            return
        # The period and the page are named for the index.
        is_first_file = f"""a.type = 'index' AND a.subject IS NULL AND a.period = '' AND a.page = 1
                            AND a.template IN ({db.placeholders(len(templates))})"""
        reason = "an address in it came, went or was modified"
        if not sitemaps.is_split(self._site):
            self.invalidate(reason, is_first_file, templates)
            return
        # Parts that this plan has invalidated so far are new or gone.
        changed = "SELECT 1 FROM artifact s WHERE s.type = 'sitemap' AND +s.site_id = a.site_id AND s.marked = ?"
        self.invalidate("its parts changed", f"{is_first_file} AND EXISTS ({changed})", [*templates, self._number])
        for kind, block in changed_blocks:
            part = "a.type = 'sitemap' AND a.subject IS NULL AND a.period = ? AND a.page = ?"
            self.invalidate(reason, part, [kind, block + 1])

    def invalidate_key_readers(self, keys: Iterable[str], reason_for: Callable[[str], str]) -> None:
        """Invalidate what depends on keys with a changed digest; `reason_for` gives the reason for a key."""
        for key in sorted(keys):
            dependency_sets = """SELECT k.recipe_id FROM recipe_key k JOIN recipe p ON p.id = k.recipe_id
                         WHERE p.site_id = ? AND k.key = ?"""
            self.invalidate(reason_for(key), f"a.recipe IN ({dependency_sets})", [self._site.id, key])


class _LazyListing:
    """The pages of one listing. Of one that is counted from the newest entries, all are read as soon as a page after
    the first is wanted."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._ids: tuple[int, ...] | None = None

    def digest(self, query: ListingQuery, page: int, per_page: int, from_oldest: bool) -> str:
        """The digest of a page of the listing as it is now."""
        if from_oldest or (page == OWN and self._ids is None):
            return listing_digest(listing_page(query, self._zone, page, per_page, from_oldest=from_oldest))
        if self._ids is None:
            self._ids = listing_page(query, self._zone, 1, 0).ids
        return listing_digest(page_of_ids(self._ids, page, per_page))


_NEAR = """
SELECT (SELECT p.id FROM entry p WHERE p.site_id = e.site_id AND p.kind = 'entry' AND p.status = 'published'
          AND (p.published_at, p.id) {way} (e.published_at, e.id) ORDER BY p.published_at {order}, p.id {order} LIMIT 1)
FROM entry e WHERE e.kind = 'entry' AND e.status = 'published' AND e.id IN ({ids})
"""


def _neighbours(entries: Sequence[int]) -> Iterator[int]:
    """Yield the entries published just before and just after these."""
    for way, order in (("<", "DESC"), (">", "ASC")):
        rows = db.execute(
            _NEAR.format(way=way, order=order, ids=db.placeholders(len(entries))), list(entries)
        ).fetchall()
        yield from (near for (near,) in rows if near is not None)


def _aspects_in_words(aspects: Aspect) -> str:
    """Aspects in words, or "something" when they are most of an entry."""
    return "something" if aspects.bit_count() > 6 else words.describe(aspects)
