"""The listings that changed entries are in, were in, or were in for a moment between two plans.

A page may have been built in such a moment, so that more is looked at than the content before and after tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from appliance import db
from appliance.planning import category_tree, placements
from appliance.planning.archives import split_type
from appliance.planning.changeset import ChangeSet
from appliance.planning.listing_totals import Listing, period_names
from appliance.planning.theme import Theme

_TERMS = ("author", "category", "tag")


def touched_listings(theme: Theme, changeset: ChangeSet) -> dict[Listing, set[int]]:
    """The entries of a change set by listing. Call it before they are counted anew."""
    found: dict[Listing, set[int]] = defaultdict(set)
    types = placements.counted_types(theme)
    for some in db.chunks(sorted(changeset.counted_entries())):
        days, weeks, terms = _days(changeset, some), defaultdict[int, set[str]](set), _terms(changeset, some)
        for entry, placement in placements.stored(some).items():
            days[entry].add(placement.day)
            weeks[entry].add(placement.week)
            for kind in _TERMS:
                terms[kind][entry] |= set(placement.terms(kind))
        _add_current_days(some, days, weeks)
        for entry in some:
            weeks[entry] |= {before["week"] for before in changeset.former[entry] if "week" in before}
            for listing in _listings(types, {kind: terms[kind][entry] for kind in _TERMS}, days[entry], weeks[entry]):
                found[listing].add(entry)
    return found


def _listings(types: Iterable[str], terms: dict[str, set[int]], days: set[str], weeks: set[str]) -> Iterable[Listing]:
    for kind in types:
        term, period = ("", "") if kind == "index" else split_type(kind)
        periods = period_names(period, days, weeks)
        for subject in terms[term] if term else (0,):
            yield from (Listing(kind, subject, name) for name in periods)


def _days(changeset: ChangeSet, entries: Iterable[int]) -> dict[int, set[str]]:
    return {entry: {before["day"] for before in changeset.former[entry] if "day" in before} for entry in entries}


def _add_current_days(entries: Iterable[int], days: dict[int, set[str]], weeks: dict[int, set[str]]) -> None:
    ids = list(entries)
    rows = db.execute(f"SELECT id, day, week FROM entry WHERE id IN ({db.placeholders(len(ids))})", ids)
    for entry, day, week in rows.fetchall():
        days[entry].add(day)
        weeks[entry].add(week)


def _terms(changeset: ChangeSet, entries: Iterable[int]) -> dict[str, dict[int, set[int]]]:
    """The terms that entries have or had, by kind and entry; of categories also those above."""
    found = {kind: placements.terms_of(kind, list(entries)) for kind in _TERMS}
    for entry in entries:
        for kind, term in changeset.left_by[entry]:
            found[kind][entry].add(term)
    above = category_tree.ancestors({category for some in found["category"].values() for category in some})
    for categories in found["category"].values():
        categories |= {wider for category in tuple(categories) for wider in above[category]}
    return found  # type: ignore[return-value]
