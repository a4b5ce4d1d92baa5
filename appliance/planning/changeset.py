"""The change set of a plan: the entries, terms and files that pending changes touch, and the scope they may move."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from appliance import db
from appliance.content.aspects import EVERYTHING, Aspect
from appliance.content.asset_references import assets_of_entries
from appliance.content.models import Site
from appliance.planning import category_tree
from appliance.planning.listing_totals import period_names
from appliance.planning.page_boundaries import OWN, PageChanges, PagedListing
from appliance.planning.steps import ROWS, Steps, select_ids
from appliance.queue.enqueue import Cause

#: When more entries than this have moved, and more than one in two of the site, syncing the whole site is cheaper than
#: syncing a scope.
FULL_SYNC_THRESHOLD: Final = 200
#: Causes that a job remembers of one plan. All earlier ones are counted as one more.
_MAX_CAUSES: Final = 4


class PendingChange(NamedTuple):
    """A recorded change, with the columns that planning reads."""

    id: int
    what: str
    actor: str
    subject: str
    subject_id: int | None
    entry: int | None
    aspects: int
    was: str

    @property
    def previous(self) -> dict[str, Any]:
        """Values from before the change that are stored nowhere else."""
        return dict(json.loads(self.was)) if self.was else {}


def take_changes(site: Site) -> list[PendingChange]:
    """Return the changes that are not planned yet, oldest first, and mark them as planned in this transaction.

    Call it before reading anything else for the plan. A change that is committed later is then left for the next plan;
    in any other order it could be marked as planned without having been seen.
    """
    db.acquire_lock(f"planning {site.id}")
    rows = db.execute(
        """UPDATE change SET planned = true WHERE site_id = ? AND NOT planned
           RETURNING id, what, actor, subject, subject_id, entry_id, aspects, was""",
        [site.id],
    )
    return sorted(PendingChange(*row) for row in rows.fetchall())


_READ: Final = "SELECT id, what, actor, subject, subject_id, entry_id, aspects, was FROM change WHERE site_id = ?"
#: Changes that a plan in steps has not taken.
LATER: Final = "NOT planned AND (plan IS NULL OR plan <> ?)"


def has_moved_many(site: Site) -> bool:
    """Whether more entries than a plan of a scope is good for may have moved by changes that are not planned yet."""
    row = db.execute(
        """SELECT COUNT(*) FROM (SELECT 1 FROM change WHERE site_id = ? AND NOT planned AND subject = 'entry'
           AND (aspects & ?) <> 0 LIMIT ?) AS counted""",
        [site.id, int(Aspect.PLACE), 4 * FULL_SYNC_THRESHOLD],
    ).fetchone()
    return int(row[0]) == 4 * FULL_SYNC_THRESHOLD


def take_in_steps(site: Site, number: int, steps: Steps) -> None:
    """Take the changes that are not planned yet for plan `number`, some in each step.

    They count as planned when `count_as_planned` is called. Call this before reading anything else for the plan.
    """
    last, size = 0, ROWS
    while size == ROWS:
        ids = select_ids(
            f"SELECT id FROM change WHERE site_id = ? AND {LATER} AND id > ? ORDER BY id LIMIT {ROWS}",
            [site.id, number, last],
        )
        if ids:
            with steps.write():
                db.execute(f"UPDATE change SET plan = ? WHERE id IN ({db.placeholders(len(ids))})", [number, *ids])
            last = ids[-1]
        size = len(ids)


def taken_changes(site: Site, number: int) -> Iterator[list[PendingChange]]:
    """The changes that plan `number` took, oldest first, some at a time."""
    last, size = 0, ROWS
    while size == ROWS:
        rows = db.execute(
            f"{_READ} AND NOT planned AND plan = ? AND id > ? ORDER BY id LIMIT {ROWS}", [site.id, number, last]
        ).fetchall()
        if rows:
            yield [PendingChange(*row) for row in rows]
            last = rows[-1][0]
        size = len(rows)


def later_changes(site: Site, number: int) -> Iterator[PendingChange]:
    """The changes that plan `number` did not take, as many as tell what they affect."""
    rows = db.execute(f"{_READ} AND {LATER} ORDER BY id LIMIT ?", [site.id, number, 100 * FULL_SYNC_THRESHOLD])
    return (PendingChange(*row) for row in rows.fetchall())


def count_as_planned(site: Site, number: int, steps: Steps) -> None:
    """Let the changes that plan `number` took count as planned."""
    ids = select_ids("SELECT id FROM change WHERE site_id = ? AND NOT planned AND plan = ?", [site.id, number])
    for some in db.chunks(ids, ROWS):
        with steps.write():
            db.execute(f"UPDATE change SET planned = true WHERE id IN ({db.placeholders(len(some))})", some)


def pending_changes(site: Site) -> list[PendingChange]:
    """The changes that are not planned yet, oldest first; they are left for a plan."""
    rows = db.execute(
        """SELECT id, what, actor, subject, subject_id, entry_id, aspects, was FROM change
           WHERE site_id = ? AND NOT planned ORDER BY id""",
        [site.id],
    )
    return [PendingChange(*row) for row in rows.fetchall()]


@dataclass(frozen=True)
class Scope:
    """The part of a site that changes may have moved. Only the artifacts of this part are compared with the content."""

    entries: Sequence[int] = ()
    assets: Sequence[int] = ()
    #: Ids of authors, tags, and categories with their ancestors.
    terms: Mapping[str, Sequence[int]] = field(default_factory=dict)
    #: Those of them, likewise, whose listings may all have moved, whatever their period.
    edited_terms: Mapping[str, Sequence[int]] = field(default_factory=dict)
    #: Days, and the first days of weeks: `2026-11-22`.
    days: frozenset[str] = frozenset()
    weeks: frozenset[str] = frozenset()
    #: What the plan did to pages that are counted from the oldest entries; None if that is not known.
    pages: Mapping[PagedListing, PageChanges] | None = None

    def page_numbers(self, listing: PagedListing) -> set[int] | None:
        """The pages of a listing that may have come or gone, with its own address; None for all of them."""
        term = listing.type.partition("-")[0]
        if self.pages is None or listing.subject in self.edited_terms.get(term, ()):
            return None
        changes = self.pages.get(listing)
        return {OWN} | (changes.changed if changes else set())

    def periods(self, kind: str) -> list[str]:
        """The periods of a type ('daily', 'weekly', 'monthly', 'yearly') within the scope."""
        return sorted(period_names(kind, self.days, self.weeks))


@dataclass
class ChangeSet:
    """What a list of changes touches."""

    #: Changed aspects by entry id.
    entries: dict[int, Aspect] = field(default_factory=dict)
    #: Ids of edited terms by kind ('author', 'category', 'tag').
    terms: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Ids by kind of terms that entries no longer have. Nothing else records them afterwards.
    left_terms: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Terms that were merged into others: (kind, id) to id.
    merged_terms: dict[tuple[str, int], int] = field(default_factory=dict)
    #: Ids by kind of terms whose slug or path changed, which is a part of addresses. Categories below them moved along.
    moved_terms: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    assets: set[int] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    weeks: set[str] = field(default_factory=set)
    #: By entry id: its earlier `day`, `week` and `published_at`, and the (kind, id) of terms that it left.
    former: dict[int, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    left_by: dict[int, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))
    #: Whether the artifacts of the whole site must be synced.
    affects_whole_site: bool = False
    #: Whether settings of the site changed.
    site_changed: bool = False
    #: Whether nothing but comments changed.
    only_comments: bool = True

    @classmethod
    def from_changes(cls, changes: Iterable[PendingChange], entries: int = 0) -> ChangeSet:
        """The change set of a list of changes to a site that has this many entries."""
        changeset = cls()
        for change in changes:
            changeset._add(change)
        changeset.affects_whole_site = changeset.affects_whole_site or len(changeset.moved_entries) > max(
            FULL_SYNC_THRESHOLD, entries // 2
        )
        return changeset

    def _add(self, change: PendingChange) -> None:
        self.only_comments = self.only_comments and change.subject == "comment"
        if change.subject in ("entry", "comment") and change.entry is not None:
            aspects = EVERYTHING if change.aspects < 0 else Aspect(change.aspects)
            self.entries[change.entry] = self.entries.get(change.entry, Aspect(0)) | aspects
            self.days |= {day for key, day in change.previous.items() if key == "day"}
            self.weeks |= {day for key, day in change.previous.items() if key == "week"}
            if change.was:
                self.former[change.entry].append(change.previous)
        elif change.subject in ("author", "category", "tag") and change.subject_id is not None:
            if change.entry is None:
                self._add_term(change, change.subject_id)
            else:
                self.left_terms[change.subject].add(change.subject_id)
                self.left_by[change.entry].add((change.subject, change.subject_id))
        elif change.subject == "asset" and change.subject_id is not None:
            self.assets.add(change.subject_id)
        else:
            self.affects_whole_site = self.site_changed = True

    def _add_term(self, change: PendingChange, term: int) -> None:
        self.terms[change.subject].add(term)
        previous = change.previous
        if "into" in previous:
            self.merged_terms[change.subject, term] = previous["into"]
            self.terms[change.subject].add(previous["into"])
        if "path" in previous:
            self.moved_terms[change.subject].add(term)

    @property
    def moved_entries(self) -> list[int]:
        """Entries whose address, or whose place in listings, may have changed."""
        return sorted(entry for entry, aspects in self.entries.items() if Aspect.PLACE in aspects)

    def counted_entries(self) -> set[int]:
        """Entries that may be in other listings than before."""
        return set(self.moved_entries) | category_tree.entries_below(self.moved_terms["category"])

    @property
    def is_structural(self) -> bool:
        """Whether lists of entries, terms or files may have changed."""
        return bool(self.affects_whole_site or self.moved_entries or self.terms or self.assets)

    def readdressed_entries(self, fields: Iterable[str]) -> set[int]:
        """Entries with a term whose name is a part of their addresses, if these fields are, and changed."""
        found = category_tree.entries_below(self.moved_terms["category"]) if "category" in fields else set[int]()
        for some in db.chunks(sorted(self.moved_terms["author"]) if "author" in fields else []):
            rows = db.execute(
                f"SELECT entry_id FROM entry_author WHERE author_id IN ({db.placeholders(len(some))})", some
            )
            found |= {entry for (entry,) in rows.fetchall()}
        return found

    def scope(self, fields: Iterable[str] = ()) -> Scope:
        """The part of the site whose artifacts may have moved; `fields` are those of the addresses of entries."""
        moved = self.moved_entries
        days, weeks = set(self.days), set(self.weeks)
        edited = {kind: sorted(self.terms[kind]) for kind in ("author", "category", "tag")}
        edited["category"] = sorted(
            {*edited["category"], *category_tree.with_descendants(self.moved_terms["category"])}
        )
        terms = {kind: {*ids, *self.left_terms[kind]} for kind, ids in edited.items()}
        for some in db.chunks(moved):
            among = db.placeholders(len(some))
            for day, week in db.execute(f"SELECT day, week FROM entry WHERE id IN ({among})", some).fetchall():
                days.add(day)
                weeks.add(week)
            for kind in ("author", "category", "tag"):
                rows = db.execute(f"SELECT {kind}_id FROM entry_{kind} WHERE entry_id IN ({among})", some)
                terms[kind] |= {key for (key,) in rows.fetchall()}
        return Scope(
            entries=sorted({*moved, *self.readdressed_entries(fields)}),
            assets=sorted(self.assets | assets_of_entries(moved)),
            terms={
                kind: category_tree.with_ancestors(ids) if kind == "category" else sorted(ids)
                for kind, ids in terms.items()
            },
            edited_terms=edited,
            days=frozenset(days),
            weeks=frozenset(weeks),
        )


def summary(changesets: Iterable[ChangeSet]) -> ChangeSet:
    """What many change sets touch, but of the entries only one for each combination of aspects."""
    whole, aspects = ChangeSet(), dict[Aspect, int]()
    for one in changesets:
        for kind in one.terms:
            whole.terms[kind] |= one.terms[kind]
        whole.merged_terms |= one.merged_terms
        whole.assets |= one.assets
        whole.affects_whole_site = whole.affects_whole_site or one.affects_whole_site
        whole.site_changed = whole.site_changed or one.site_changed
        whole.only_comments = whole.only_comments and one.only_comments
        aspects |= {changed: entry for entry, changed in one.entries.items()}
    whole.entries = {entry: changed for changed, entry in aspects.items()}
    return whole


def causes_of_taken(site: Site, number: int) -> list[Cause]:
    """One cause for each (what, actor) of the changes that plan `number` took, the latest last."""
    rows = db.execute(
        """SELECT what, actor, MAX(id) AS latest, COUNT(*) FROM change WHERE site_id = ? AND NOT planned AND plan = ?
           GROUP BY what, actor ORDER BY latest""",
        [site.id, number],
    )
    return _few(Cause(*row) for row in rows.fetchall())


def job_causes(changes: Sequence[PendingChange]) -> list[Cause]:
    """One cause for each (what, actor), the latest last."""
    found: dict[tuple[str, str], Cause] = {}
    for change in changes:
        known = found.pop((change.what, change.actor), None)
        found[change.what, change.actor] = Cause(change.what, change.actor, change.id, known.times + 1 if known else 1)
    return _few(found.values())


def _few(causes: Iterable[Cause]) -> list[Cause]:
    listed = list(causes)
    earlier = listed[:-_MAX_CAUSES]
    if not earlier:
        return listed
    others = Cause("other changes", change=earlier[-1].change, times=sum(cause.times for cause in earlier))
    return [others, *listed[-_MAX_CAUSES:]]
