"""What a number of changes touches: entries and what of them, terms, files; and the part of the site they may move."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from appliance import db
from appliance.content.aspects import EVERYTHING, Aspect
from appliance.content.models import Site
from appliance.planning.archives import Scope
from appliance.queue.requests import Cause

#: Entries that moved at once beyond which all of the site is looked at: it is cheaper then.
MANY: Final = 200
#: Causes that a job remembers of one planning; what else happened before them is counted as one more.
_CAUSES: Final = 4


class Change(NamedTuple):
    """One change, as planning reads it."""

    id: int
    what: str
    actor: str
    subject: str
    subject_id: int | None
    entry: int | None
    aspects: int
    was: str

    @property
    def before(self) -> dict[str, Any]:
        """What nothing else tells any more."""
        return dict(json.loads(self.was)) if self.was else {}


def take(site: Site) -> list[Change]:
    """Take the changes that are not planned yet, in order; they count as planned when this transaction is committed.

    To be called before anything is read to plan from: what is committed later is then left for the next planning,
    rather than marked and never seen.
    """
    db.in_turn(f"planning {site.id}")
    rows = db.execute(
        """UPDATE change SET planned = true WHERE site_id = ? AND NOT planned
           RETURNING id, what, actor, subject, subject_id, entry_id, aspects, was""",
        [site.id],
    )
    return sorted(Change(*row) for row in rows.fetchall())


@dataclass
class Touched:
    """What changes touched."""

    #: Aspects by entry.
    entries: dict[int, Aspect] = field(default_factory=dict)
    #: Ids of edited terms by kind ('author', 'category', 'tag').
    terms: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Terms that entries left, by kind: what nothing else tells afterwards.
    left: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Terms that were merged into others: (kind, id) to id.
    merged: dict[tuple[str, int], int] = field(default_factory=dict)
    assets: set[int] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    weeks: set[str] = field(default_factory=set)
    #: Whether all of the site is to be looked at.
    whole: bool = False
    #: Whether settings of the site changed.
    site: bool = False
    #: Whether nothing but comments changed.
    only_talk: bool = True

    @classmethod
    def by(cls, changes: Iterable[Change]) -> Touched:
        """What these changes touched."""
        found = cls()
        for change in changes:
            found._add(change)
        found.whole = found.whole or len(found.moved) > MANY
        return found

    def _add(self, change: Change) -> None:
        self.only_talk = self.only_talk and change.subject == "comment"
        if change.subject in ("entry", "comment") and change.entry is not None:
            aspects = EVERYTHING if change.aspects < 0 else Aspect(change.aspects)
            self.entries[change.entry] = self.entries.get(change.entry, Aspect(0)) | aspects
            self.days |= {day for key, day in change.before.items() if key == "day"}
            self.weeks |= {day for key, day in change.before.items() if key == "week"}
        elif change.subject in ("author", "category", "tag") and change.subject_id is not None:
            if change.entry is None:
                self._add_term(change, change.subject_id)
            else:
                self.left[change.subject].add(change.subject_id)
        elif change.subject == "asset" and change.subject_id is not None:
            self.assets.add(change.subject_id)
        else:
            self.whole = self.site = True

    def _add_term(self, change: Change, term: int) -> None:
        self.terms[change.subject].add(term)
        before = change.before
        if "into" in before:
            self.merged[change.subject, term] = before["into"]
            self.terms[change.subject].add(before["into"])
        # Its name stands in addresses, of entries and of what is below it as well.
        self.whole = self.whole or "path" in before

    @property
    def moved(self) -> list[int]:
        """Entries that may be in other listings than before, or elsewhere."""
        return sorted(entry for entry, aspects in self.entries.items() if Aspect.PLACE in aspects)

    @property
    def structural(self) -> bool:
        """Whether lists of entries, terms or files may be others."""
        return bool(self.whole or self.moved or self.terms or self.assets)

    def scope(self) -> Scope:
        """The part of the site that may have moved."""
        moved = self.moved
        days, weeks = set(self.days), set(self.weeks)
        terms = {kind: self.terms[kind] | self.left[kind] for kind in ("author", "category", "tag")}
        for some in db.chunks(moved):
            among = db.marks(len(some))
            for day, week in db.execute(f"SELECT day, week FROM entry WHERE id IN ({among})", some).fetchall():
                days.add(day)
                weeks.add(week)
            for kind in ("author", "category", "tag"):
                rows = db.execute(f"SELECT {kind}_id FROM entry_{kind} WHERE entry_id IN ({among})", some)
                terms[kind] |= {key for (key,) in rows.fetchall()}
        return Scope(
            entries=moved,
            assets=sorted(self.assets),
            terms={kind: with_ancestors(ids) if kind == "category" else sorted(ids) for kind, ids in terms.items()},
            days=frozenset(days),
            weeks=frozenset(weeks),
        )


def with_ancestors(categories: Iterable[int]) -> list[int]:
    """Categories and those above them."""
    found, waiting = set(categories), list(categories)
    while waiting:
        rows = db.execute(
            f"SELECT DISTINCT parent_id FROM category WHERE parent_id IS NOT NULL AND id IN ({db.marks(len(waiting))})",
            waiting,
        ).fetchall()
        waiting = [parent for (parent,) in rows if parent not in found]
        found |= set(waiting)
    return sorted(found)


def causes(changes: Sequence[Change]) -> list[Cause]:
    """One cause for each (what, actor), the latest last."""
    found: dict[tuple[str, str], Cause] = {}
    for change in changes:
        known = found.pop((change.what, change.actor), None)
        found[change.what, change.actor] = Cause(change.what, change.actor, change.id, known.times + 1 if known else 1)
    listed = list(found.values())
    earlier = listed[:-_CAUSES]
    if not earlier:
        return listed
    others = Cause("other changes", change=earlier[-1].change, times=sum(cause.times for cause in earlier))
    return [others, *listed[-_CAUSES:]]
