"""Which pages a listing has when they are counted from its oldest entries, and which of them a plan touches.

The newest entries are at the listing's own address: between one and two pagefuls, fewer only if there are no more. When
there are two pagefuls, the oldest pageful becomes a page of its own with the next number, and keeps its entries and its
number from then on. Guarantees that a page is looked at only when an entry came to it, left it or moved on it, so that
no change costs more on a larger site; and that what becomes of a listing follows from its boundaries and its entries
alone, so that a sync of the whole site over the same boundaries finds nothing to change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from appliance import db
from appliance.content.models import Site
from appliance.planning import listing_totals, page_boundaries
from appliance.planning.listing_totals import Listing
from appliance.planning.listings import ListingQuery, keys_between
from appliance.planning.page_boundaries import LOWEST, OWN, Key, PageChanges, PagedListing, PageSpan
from appliance.planning.steps import Steps
from appliance.planning.theme import Theme


def paged_types(theme: Theme) -> dict[str, set[int]]:
    """The numbers of entries a page, by type, of the listings whose pages are counted from the oldest entries."""
    found: dict[str, set[int]] = {}
    for output in theme.outputs:
        if output.from_oldest and output.build != "never":
            found.setdefault(output.type, set()).add(output.per_page)
    return found


#: Pages that one step looks at.
_IN_A_STEP: Final = 200
#: By entry: earlier values, such as `published_at`.
Former = Mapping[int, Sequence[Mapping[str, Any]]]


def update(
    site: Site,
    theme: Theme,
    touched: Mapping[Listing, Collection[int]],
    former: Former,
) -> dict[PagedListing, PageChanges]:
    """Bring the pages of listings in line with the entries that came, went or moved.

    Args:
        site: the site.
        theme: its theme.
        touched: the entries that are or were in each listing and may have moved.
        former: earlier values of these entries.

    Returns:
        What changed, by listing.
    """
    paged, zone = paged_types(theme), ZoneInfo(site.timezone)
    keys = _keys({entry for entries in touched.values() for entry in entries}, former)
    found = {}
    for listing, entries in touched.items():
        for per_page in sorted(paged.get(listing.type, ())):
            one = _Pages(PagedListing(site.id, *listing, per_page), zone)
            one.update(key for entry in entries for key in keys.get(entry, ()))
            found[one.listing] = one.changes
    return found


def update_all(site: Site, theme: Theme, steps: Steps) -> None:
    """Bring the pages of all listings of a site in line with its entries, some pages in each step."""
    paged, zone = paged_types(theme), ZoneInfo(site.timezone)
    known = set(page_boundaries.listings_of(site.id))
    for kind, sizes in sorted(paged.items()):
        for total in listing_totals.totals(site.id, kind):
            for per_page in sizes:
                listing = PagedListing(site.id, kind, total.subject, total.period, per_page)
                if listing in known:
                    _Pages(listing, zone).update_all(steps)
                    known.discard(listing)
                elif total.entries >= 2 * per_page:
                    with steps.write():
                        _Pages(listing, zone).update(())
    for listing in sorted(known):  # the listing is empty, or the theme has no such pages any more
        with steps.write():
            page_boundaries.remove_all(listing)


def _keys(entries: Collection[int], former: Former) -> dict[int, set[Key]]:
    """Where entries are and were, by entry."""
    found = {
        entry: {Key(before["published_at"], entry) for before in former.get(entry, ()) if "published_at" in before}
        for entry in entries
    }
    for some in db.chunks(sorted(entries)):
        rows = db.execute(f"SELECT id, published_at FROM entry WHERE id IN ({db.placeholders(len(some))})", some)
        for entry, at in rows.fetchall():
            found[entry].add(Key(at, entry))
    return found


@dataclass
class _Pages:
    """The pages of one listing, while they are brought in line with its entries."""

    listing: PagedListing
    zone: ZoneInfo
    changes: PageChanges = field(default_factory=PageChanges)

    def update(self, keys: Iterable[Key]) -> None:
        """Look at the listing's own address and at the pages that have, or would have, entries with these keys."""
        pages = {page_boundaries.page_with(self.listing, key) for key in keys} - {OWN}
        firsts = [(page_boundaries.first_key(self.listing, page), page) for page in pages]
        self._update(page for _, page in sorted((first, page) for first, page in firsts if first))

    def update_all(self, steps: Steps) -> None:
        """Look at every page, some in each step."""
        pages = [number for number, _ in page_boundaries.boundaries(self.listing) if number != OWN]
        for some in db.chunks(pages, _IN_A_STEP):
            with steps.write():
                self._update_further_pages(some)
        with steps.write():
            self._update_own()

    def _update(self, pages: Iterable[int]) -> None:
        """Look at these pages, from the oldest to the newest, then at the listing's own address."""
        self._update_further_pages(pages)
        self._update_own()

    def _update_further_pages(self, pages: Iterable[int]) -> None:
        for page in pages:
            self.changes.seen.add(page)
            self._update_further(page)

    def _update_further(self, page: int) -> None:
        span = self._span(page)
        keys = self._keys(span)
        if not keys:
            self._drop(page, span)
        elif len(keys) >= 2 * self.listing.per_page:
            parts = self._parts(keys)
            self._add([keys[at] for at in parts[1:]])
            self._touch_neighbours(span)

    def _update_own(self) -> None:
        """Give the listing's own address between one and two pagefuls, as far as there are so many entries."""
        self.changes.seen.add(OWN)
        per_page, span = self.listing.per_page, self._span(OWN)
        keys = self._keys(span)
        if len(keys) >= 2 * per_page:
            parts = self._parts(keys)
            if span.older is None:
                page_boundaries.add(self.listing, [(OWN, keys[parts[-1]])])
                page_boundaries.add_to_count(self.listing, 1)
            else:
                page_boundaries.move(self.listing, OWN, keys[parts[-1]])
            self._add([span.first, *(keys[at] for at in parts[1:-1])])
            self._touch_neighbours(span)
        while len(keys) < per_page and span.older is not None:
            older = self._span(span.older)
            keys = self._keys(older) + keys
            if len(keys) >= 2 * per_page:
                page_boundaries.move(self.listing, OWN, keys[per_page])
                self.changes.seen.add(span.older)
                return
            self._take_in(span.older, older)
            span = self._span(OWN)

    def _take_in(self, page: int, span: PageSpan) -> None:
        """Let the listing's own address have the entries of the page before it, which goes."""
        self._drop(page, span)
        if span.older is None:
            page_boundaries.remove_all(self.listing)
        else:
            page_boundaries.move(self.listing, OWN, span.first)

    def _drop(self, page: int, span: PageSpan) -> None:
        page_boundaries.remove(self.listing, page)
        page_boundaries.add_to_count(self.listing, -1)
        if span.older is None and span.newer is not None:
            page_boundaries.move(self.listing, span.newer, LOWEST)
        if span.older is None and span.newer == OWN:
            page_boundaries.remove_all(self.listing)
        self.changes.changed.add(page)
        self._touch_neighbours(span)

    def _add(self, firsts: list[Key]) -> None:
        """Add a page for each first key."""
        number = page_boundaries.highest_number(self.listing) + 1
        page_boundaries.add(self.listing, list(enumerate(firsts, number)))
        page_boundaries.add_to_count(self.listing, len(firsts))
        self.changes.changed |= set(range(number, number + len(firsts)))

    def _touch_neighbours(self, span: PageSpan) -> None:
        """Pages link to those before and after them."""
        self.changes.seen |= {number for number in (span.newer, span.older) if number is not None}

    def _span(self, page: int) -> PageSpan:
        return page_boundaries.span(self.listing, page) or PageSpan()

    def _keys(self, span: PageSpan) -> list[Key]:
        listing = self.listing
        query = ListingQuery(listing.site, listing.type, listing.subject or None, listing.period)
        return keys_between(query, self.zone, span.first, span.end)

    def _parts(self, keys: list[Key]) -> list[int]:
        """Where the parts of so many entries begin: each is a pageful, the last one up to two."""
        per_page = self.listing.per_page
        return [part * per_page for part in range(len(keys) // per_page)]
