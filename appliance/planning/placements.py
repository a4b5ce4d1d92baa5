"""Counts the entries of listings. Each published entry has a placement: the day, week and terms it was counted in last.

Guarantees that the totals are those of the content as the last plan saw it. An entry that changed is taken out of the
listings of its placement and counted in those that it is in now, whatever happened to it in between, so that the cost
is that of what changed. A sync of the whole site counts everything anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from appliance import db
from appliance.content.models import Site
from appliance.planning import category_tree, listing_totals
from appliance.planning.archives import PERIOD_COLUMNS, PUBLISHED_ENTRIES, split_type
from appliance.planning.changeset import LATER
from appliance.planning.listing_totals import Listing
from appliance.planning.steps import ROWS, Steps, select_ids
from appliance.planning.theme import Theme

#: The listings that templates may ask the totals of, whatever archives the theme has.
ALWAYS_COUNTED: Final = frozenset({"index", "author", "category", "tag", "daily", "weekly", "monthly", "yearly"})
_TERMS: Final = ("author", "category", "tag")


class Placement(NamedTuple):
    """The day and week of an entry, and the ids of its terms, joined by commas."""

    day: str
    week: str
    authors: str
    categories: str
    tags: str

    def terms(self, kind: str) -> Iterator[int]:
        """The ids of its terms of a kind."""
        joined = {"author": self.authors, "category": self.categories, "tag": self.tags}[kind]
        return map(int, joined.split(",")) if joined else iter(())

    def period(self, kind: str) -> str:
        """Its period of a type; empty for no type."""
        return listing_totals.period_name(kind, self.day, self.week)


def counted_types(theme: Theme) -> list[str]:
    """The archive types of the listings that are counted under a theme."""
    outputs = {output.type for output in theme.outputs if output.type not in ("entry", "page")}
    return sorted(outputs | ALWAYS_COUNTED)


def update(site: Site, theme: Theme, entries: Collection[int]) -> None:
    """Count these entries, which may be new, gone or changed, where they are now and no longer where they were."""
    types, changes = counted_types(theme), Counter[Listing]()
    for some in db.chunks(sorted(entries)):
        before, after = stored(some), _current(site, some)
        for entry in before.keys() | after.keys():
            if before.get(entry) != after.get(entry):
                changes.update(_listings(types, after.get(entry)))
                changes.subtract(_listings(types, before.get(entry)))
        _store(site, before, after)
    listing_totals.add(site.id, {listing: change for listing, change in changes.items() if change})


def _marks(values: Sequence[object]) -> str:
    return db.placeholders(len(values))


def _listings(types: Iterable[str], placement: Placement | None) -> Iterator[Listing]:
    """The listings of an entry with this placement."""
    if placement is None:
        return
    for kind in types:
        term, period = ("", "") if kind == "index" else split_type(kind)
        name = placement.period(period)
        for subject in placement.terms(term) if term else (0,):
            yield Listing(kind, subject, name)


def stored(entries: Sequence[int]) -> dict[int, Placement]:
    """The placements of these entries, as the last plan stored them."""
    columns = ", ".join(Placement._fields)
    rows = db.execute(f"SELECT entry_id, {columns} FROM placement WHERE entry_id IN ({_marks(entries)})", entries)
    return {entry: Placement(*values) for entry, *values in rows.fetchall()}


def _current(site: Site, entries: Sequence[int]) -> dict[int, Placement]:
    """Where the published ones of these entries are now."""
    rows = db.execute(
        f"""SELECT id, day, week FROM entry WHERE id IN ({_marks(entries)}) AND +site_id = ?
            AND kind = 'entry' AND status = 'published'""",
        [*entries, site.id],
    ).fetchall()
    terms = {kind: terms_of(kind, entries) for kind in _TERMS}
    above = category_tree.ancestors({category for found in terms["category"].values() for category in found})
    found = {}
    for entry, day, week in rows:
        categories = {wider for category in terms["category"][entry] for wider in above[category]}
        found[entry] = Placement(
            day, week, _join(terms["author"][entry]), _join(categories), _join(terms["tag"][entry])
        )
    return found


def _join(ids: Iterable[int]) -> str:
    return ",".join(sorted(map(str, ids)))


def terms_of(kind: str, entries: Sequence[int]) -> defaultdict[int, set[int]]:
    """The terms of a kind that entries have, by entry."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    rows = db.execute(
        f"SELECT entry_id, {kind}_id FROM entry_{kind} WHERE entry_id IN ({_marks(entries)})", entries
    ).fetchall()
    for entry, term in rows:
        found[entry].add(term)
    return found


def _store(site: Site, before: Mapping[int, Placement], after: Mapping[int, Placement]) -> None:
    rows = [(entry, site.id, *placement) for entry, placement in after.items() if before.get(entry) != placement]
    if rows:
        columns = ("site_id", *Placement._fields)
        db.execute(
            f"""INSERT INTO placement (entry_id, {", ".join(columns)}) VALUES {db.placeholders(len(rows), 7)}
                ON CONFLICT (entry_id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in columns)}""",
            [value for row in rows for value in row],
        )
    gone = sorted(before.keys() - after.keys())
    if gone:
        db.execute(f"DELETE FROM placement WHERE entry_id IN ({_marks(gone)})", gone)


def count_anew(site: Site, theme: Theme, steps: Steps | None = None) -> None:
    """Count all entries of a site, whatever was counted before."""
    if steps and steps.short:
        _place_in_steps(site, steps)
        _count_in_steps(site, theme, steps)
        return
    _place_anew(site)
    listing_totals.clear(site.id)
    for kind in counted_types(theme):
        _count_type(site, kind)


_COLUMNS: Final = ("site_id", *Placement._fields)
_IDS: Final = "(SELECT {joined} FROM (SELECT {kind}_id AS id FROM entry_{kind} WHERE entry_id = e.id ORDER BY 1) AS m)"
_PLACE_ANEW: Final = f"""
INSERT INTO placement (entry_id, {", ".join(_COLUMNS)})
{category_tree.ABOVE}
SELECT e.id, e.site_id, e.day, e.week, COALESCE({_IDS.replace("{kind}", "author")}, ''), COALESCE(c.ids, ''),
       COALESCE({_IDS.replace("{kind}", "tag")}, '')
FROM entry e
LEFT JOIN (SELECT entry_id, {{joined}} AS ids
           FROM (SELECT m.entry_id, a.id FROM entry_category m JOIN above a ON a.category_id = m.category_id
                 WHERE m.live_at IS NOT NULL {{of}} ORDER BY m.entry_id, a.id) AS m
           GROUP BY entry_id) AS c ON c.entry_id = e.id
WHERE {PUBLISHED_ENTRIES} {{among}}
ON CONFLICT (entry_id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS)}
WHERE {" OR ".join(f"placement.{c} <> excluded.{c}" for c in _COLUMNS)}
"""


def _place_anew(site: Site) -> None:
    db.execute(
        f"""DELETE FROM placement WHERE site_id = ?
            AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.id = placement.entry_id AND {PUBLISHED_ENTRIES})""",
        [site.id, site.id],
    )
    db.execute(_PLACE_ANEW.format(joined=db.joined("id"), of="", among=""), [site.id, site.id])


_GONE: Final = f"""
SELECT p.entry_id FROM placement p WHERE p.site_id = ?
   AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.id = p.entry_id AND {PUBLISHED_ENTRIES})
"""


def _place_in_steps(site: Site, steps: Steps) -> None:
    for some in db.chunks(select_ids(_GONE, [site.id, site.id]), ROWS):
        with steps.write():
            db.execute(f"DELETE FROM placement WHERE entry_id IN ({_marks(some)})", some)
    (first, last) = db.execute("SELECT MIN(id), MAX(id) FROM entry WHERE site_id = ?", [site.id]).fetchone()
    for start in range(first, last + 1, ROWS) if first is not None else ():
        limits = [f"AND {column} >= {start} AND {column} < {start + ROWS}" for column in ("m.entry_id", "e.id")]
        with steps.write():
            sql = _PLACE_ANEW.format(joined=db.joined("id"), of=limits[0], among=limits[1])
            db.execute(sql, [site.id, site.id])


_CHANGED_SINCE: Final = f"SELECT DISTINCT entry_id FROM change WHERE site_id = ? AND entry_id IS NOT NULL AND {LATER}"


def _count_in_steps(site: Site, theme: Theme, steps: Steps) -> None:
    """Count in one snapshot. Entries that have changed since they were placed are placed as they are in it."""
    with db.snapshot():
        counted = {
            Listing(kind, subject, period): entries
            for kind in counted_types(theme)
            for subject, period, entries in db.execute(*_counting(site, kind)).fetchall()
        }
        changed = select_ids(_CHANGED_SINCE, [site.id, steps.number])
        after = {entry: where for some in db.chunks(changed) for entry, where in _current(site, some).items()}
    with steps.write():
        for some in db.chunks(changed):
            _store(site, stored(some), {entry: after[entry] for entry in some if entry in after})
        listing_totals.clear(site.id)
        listing_totals.add(site.id, counted)


def _counting(site: Site, kind: str) -> tuple[str, list[object]]:
    """The query of (term or 0, period, entries) for the listings of a type, and its values."""
    term, period = ("", "") if kind == "index" else split_type(kind)
    name = PERIOD_COLUMNS[period] if period else "''"
    subject, source, counted = "0", "entry e", "COUNT(*)"
    if term:
        subject, source = f"m.{term}_id", f"entry e JOIN entry_{term} m ON m.entry_id = e.id"
    if term == "category":
        subject, counted = "a.id", "COUNT(DISTINCT e.id)"
        source += " JOIN above a ON a.category_id = m.category_id"
    sql = f"""{category_tree.ABOVE if term == "category" else ""}
        SELECT {subject} AS subject, {name} AS period, {counted} AS entries FROM {source}
        WHERE {PUBLISHED_ENTRIES} GROUP BY subject, period HAVING COUNT(*) > 0"""
    return sql, [*([site.id] if term == "category" else []), site.id]


def _count_type(site: Site, kind: str) -> None:
    sql, values = _counting(site, kind)
    db.execute(
        f"""INSERT INTO listing_total (site_id, type, subject, period, entries)
            SELECT {site.id}, ?, subject, period, entries FROM ({sql}) AS counted""",
        [kind, *values],
    )
