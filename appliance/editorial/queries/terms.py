"""Authors, categories and tags as people list them, with how many entries each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance import db
from appliance.config import Config
from appliance.content.models import Category, Site
from appliance.content.sites import find_site, find_sites
from appliance.content.term_names import TERM_KINDS, TermKind, find_term, full_name, model_of
from appliance.content.versions import version_of
from appliance.db import keyset
from appliance.db.keyset import CAP, Condition, Listing, Order
from appliance.paging import PAGE_SIZE, Count, Counts, Group, Page

#: Terms are in the order of their slugs, categories in that of their paths.
TERM_ORDERS: Final[Mapping[str, Order]] = {"slug": Order(("slug",), (str,)), "path": Order(("path",), (str,))}


@dataclass(frozen=True, slots=True)
class TermFilter:
    """Which authors, categories or tags."""

    #: In the name, in upper or lower case.
    name: str = ""


EVERY_TERM: Final = TermFilter()


@dataclass(frozen=True, slots=True)
class TermRow:
    """An author, category or tag."""

    id: int
    kind: TermKind
    #: Of a category, with those above it: `News/Local`.
    name: str
    slug: str
    #: Of a category, slugs from the topmost down; None for authors and tags.
    path: str | None
    #: Of a category, the source that describes it.
    source: str | None
    entries: Count
    #: What an edit may expect: it differs once somebody changed the term.
    version: str


def list_terms(
    config: Config,
    site: str,
    kind: str,
    wanted: TermFilter = EVERY_TERM,
    *,
    size: int = PAGE_SIZE,
    after: str | None = None,
    with_total: bool = True,
    cap: int | None = CAP,
) -> Page[TermRow]:
    """Read a page of the authors, categories or tags of a site, by slug.

    The entries of a term are counted up to `cap`; None counts them all. Other arguments and errors are those of
    `list_entries`.

    Raises:
        ContentError: there is no such kind.
    """
    row = find_site(config, site)
    model_of(kind)
    order = "path" if kind == "category" else "slug"
    return keyset.page(
        _listing(row, kind, wanted, order), order, "id", lambda keys: _rows(kind, [key for (key,) in keys], cap),
        size=size, after=after, with_total=with_total,
    )  # fmt: skip


def get_term(config: Config, site: str, kind: str, named: str) -> TermRow:
    """The author, category or tag with this name or slug.

    Raises:
        ContentError: there is none, or no such kind.
    """
    with db.snapshot():
        return _rows(kind, [find_term(find_site(config, site), kind, named).id], CAP)[0]


def count_terms(config: Config, sites: Sequence[str] = ()) -> Counts:
    """Count the authors, categories and tags of these sites, or of all, by site and kind."""
    rows = {site.name: site for site in find_sites(config, sites)}
    counts: dict[Group, Count] = {}
    for kind in TERM_KINDS:
        groups = {Group(name, kind, ""): Condition("site_id = ?", (site.id,)) for name, site in rows.items()}
        counts |= keyset.count_groups(kind, groups)
    return Counts(counts)


def _rows(kind: Any, keys: Sequence[Any], cap: int | None) -> list[TermRow]:
    if not keys:
        return []
    model = model_of(kind)
    found = {term.id: term for term in model.select().where(model.id.in_(list(keys)))}
    return [_row(kind, found[key], cap) for key in keys]


def _row(kind: TermKind, term: Any, cap: int | None) -> TermRow:
    limit = "" if cap is None else f"LIMIT {cap + 1}"
    (number,) = db.execute(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM entry_{kind} WHERE {kind}_id = ? {limit}) AS counted", [term.id]
    ).fetchone()
    entries = Count(number) if cap is None else Count(min(number, cap), number > cap)
    path, source = (term.path, term.source) if isinstance(term, Category) else (None, None)
    return TermRow(term.id, kind, full_name(term), term.slug, path, source, entries, version_of(term))


def _listing(site: Site, kind: str, wanted: TermFilter, order: str) -> Listing:
    chosen = Condition()
    if wanted.name:
        sql, value = db.contains("name", wanted.name)
        chosen = Condition(sql, (value,))
    return Listing(kind, TERM_ORDERS[order], (Condition("site_id = ?", (site.id,)),), chosen)
