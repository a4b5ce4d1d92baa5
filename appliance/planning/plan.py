"""Planning: which artifacts changes concern, and the jobs that follow.

Guarantees that a change counts as planned only in the transaction that puts its jobs on the queue, that every artifact
is asked for which showed when it was built, or will show, some of what changed, and that a planning which would delete
a large part of a site is refused unless told to.

    changes ─► touched ─► refresh: artifacts that come, go or move ─► marks: who shows what changed ─► queue
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Final, NamedTuple

from appliance import __version__, db
from appliance.config import DeletionSettings
from appliance.content import guard
from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.planning import answers, refresh
from appliance.planning.answers import Evaluate
from appliance.planning.archives import Scope
from appliance.planning.marks import Marks
from appliance.planning.refresh import NeedsWhole
from appliance.planning.theme import Theme
from appliance.planning.touched import Touched, causes, take
from appliance.queue import store
from appliance.queue.models import Answer
from appliance.queue.requests import Cause

#: The kind of job that publishes one artifact; its key is the artifact's path.
PUBLISH = "publish"

#: Seconds that comments gather in which arrive while their page is built: at most eight builds a second of any page.
_PAUSE: Final = 0.12
_NEW: Final = "it is new here"
_UNBUILT: Final = "it was asked for and never came to be built"
#: Follows the digest of the theme that a site was planned with when there were conflicts.
_WITH_FAULTS: Final = " with faults"


@dataclass(frozen=True)
class Wish:
    """What is wanted of a planning beyond what changed."""

    #: Every artifact is asked for; one nothing of which changed is only looked after.
    everything: bool = False
    #: What is asked for is built whether anything of it changed or not.
    force: bool = False
    #: Artifacts whose path below the docroot matches one of these shell patterns are asked for and built.
    patterns: Sequence[str] = ()
    #: However much is deleted.
    allow_removals: bool = False
    #: Tell why each artifact is asked for.
    explain: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether only changes are to be published."""
        return not (self.everything or self.force or self.patterns)


@dataclass(frozen=True)
class Terms:
    """On what terms a site is planned."""

    #: Seconds of waiting that weigh as much as one step of priority.
    ageing: float
    #: Tells what the keys of recipes answer now.
    evaluate: Evaluate
    #: How much may be deleted at once.
    deletions: DeletionSettings = field(default_factory=DeletionSettings)


@dataclass
class Plan:
    """What planning a site came to."""

    site: str
    #: What enqueuing did, by answer.
    answers: Counter[Answer] = field(default_factory=Counter)
    #: One sentence for each artifact that cannot be published.
    faults: list[str] = field(default_factory=list)
    #: Files that will be deleted.
    removed: int = 0
    #: Paths of the artifacts to be built at once.
    at_once: list[str] = field(default_factory=list)
    #: Why, by path, when that was asked for; each reason once. And of these paths: what would be deleted, what waits
    #: until it is asked for by path, and the sentence with which the guard before deletions would refuse.
    why: dict[str, list[str]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    refusal: str = ""

    @property
    def wanted(self) -> int:
        """How many artifacts the site should have."""
        row = db.execute(
            "SELECT COUNT(*) FROM artifact a JOIN site s ON s.id = a.site_id WHERE s.name = ? AND a.wanted", [self.site]
        ).fetchone()
        return int(row[0])


class _Last(NamedTuple):
    theme: str
    site: str
    number: int
    structure: int


def publish(site: Site, theme: Theme, wish: Wish, terms: Terms) -> Plan:
    """Bring the artifacts up to the content and enqueue those that changes concern, and what `wish` names.

    Raises:
        ContentError: it would delete more than is allowed; nothing is planned.
    """
    with db.write():
        return _Planning(site, theme, wish, terms).run()


class _Planning:
    """One planning of one site, inside a write transaction."""

    def __init__(self, site: Site, theme: Theme, wish: Wish, terms: Terms) -> None:
        self.site, self.theme, self.wish, self.terms = site, theme, wish, terms
        self.plan = Plan(site.name)
        db.in_turn(f"planning {site.id}")
        self.last = _last(site)
        #: What is asked for by path is built from the artifacts as they are; changes wait for a planning of their own.
        self.by_path = bool(wish.patterns) and self.last.number > 0
        self.changes = [] if self.by_path else take(site)
        self.touched = Touched.by(self.changes)
        self.number = self.last.number + 1
        self.of_theme, self.of_site = f"{theme.digest} {__version__}", _site_digest(site)
        self.other_theme = self.last.theme.removesuffix(_WITH_FAULTS) != self.of_theme
        self.other_site = self.last.site != self.of_site
        self.had_faults = self.last.theme.endswith(_WITH_FAULTS)
        #: Paths that are asked for by pattern.
        self.wished: list[str] = []
        self.structural = False
        self.marks = Marks(site, theme, self.number, self.plan.why if wish.explain else None)

    def run(self) -> Plan:
        """Plan, mark, enqueue."""
        if self.by_path:
            db.execute("UPDATE planned SET number = ? WHERE site_id = ?", [self.number, self.site.id])
        elif self.changes or self.other_theme or self.other_site or self.had_faults or self._passed():
            self._refresh()
            self._mark()
        elif self.wish.is_empty:
            return self._ask_again()
        else:
            self._keep_number()
        self._mark_wished()
        self._guard()
        self._enqueue()
        self._explain_kinds()
        return self.plan

    def _passed(self) -> bool:
        """Whether a time that templates show has passed on."""
        keys = answers.steps(self.site)
        if not keys:
            return False
        now = self.terms.evaluate(keys)
        rows = db.execute("SELECT key, digest FROM answer WHERE site_id = ? AND key LIKE 'now:%'", [self.site.id])
        return any(now[key] != digest for key, digest in rows.fetchall())

    def _refresh(self) -> None:
        """Bring the artifact table up to the content."""
        self.scope: Scope | None = None
        whole = self.touched.whole or self.other_theme or self.other_site or self.had_faults or self.wish.everything
        if not whole and self.touched.structural:
            try:
                with db.write():  # what a part has done is undone before the whole is asked
                    self.scope = self.touched.scope()
                    refresh.part(self.site, self.theme, self.number, self.touched, self.scope)
            except NeedsWhole:
                whole, self.scope = True, None
        if whole:
            self.plan.faults = refresh.whole(self.site, self.theme, self.number, self.touched)
            answers.forget(self.site)
        self.structural = whole or self.touched.structural
        self._keep_number()
        self._explain_rows()

    def _keep_number(self) -> None:
        structure = self.number if self.structural else self.last.structure
        theme = self.of_theme + (_WITH_FAULTS if self.plan.faults else "")
        db.execute(
            "INSERT INTO planned (site_id, theme_digest, site_digest, number, structure, at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (site_id) DO UPDATE SET theme_digest = excluded.theme_digest, at = excluded.at,"
            " site_digest = excluded.site_digest, number = excluded.number, structure = excluded.structure",
            [self.site.id, theme, self.of_site, self.number, structure, db.now()],
        )

    def _explain_rows(self) -> None:
        if self.wish.explain:
            rows = db.execute(
                "SELECT path, wanted, digest FROM artifact WHERE site_id = ? AND marked = ?",
                [self.site.id, self.number],
            ).fetchall()
            for path, wanted, digest in rows:
                if wanted or digest:
                    why = "what it is made from is another" if digest else _NEW
                    self.plan.why.setdefault(path, []).append(why if wanted else "it is no longer wanted")

    def _explain_kinds(self) -> None:
        """Tell what would be deleted and what waits for a hand from what would be built."""
        if self.wish.explain:
            marked = "SELECT path FROM artifact WHERE site_id = ? AND marked = ? AND"
            values, asked = [self.site.id, self.number], set(self.wished)
            gone = db.execute(f"{marked} NOT wanted AND digest IS NOT NULL ORDER BY path", values).fetchall()
            by_hand = db.execute(f"{marked} wanted AND build = 'hand' ORDER BY path", values).fetchall()
            self.plan.gone = [path for (path,) in gone]
            self.plan.by_hand = [path for (path,) in by_hand if path not in asked]
            for path, why in self.plan.why.items():  # of what is new, nothing else is worth telling
                self.plan.why[path] = [_NEW] if _NEW in why else list(dict.fromkeys(why))

    def _mark(self) -> None:
        """Mark what showed, or will show, some of what changed."""
        marks, touched = self.marks, self.touched
        blocks = refresh.moved_blocks(self.site, self.number, touched)
        if self.last.number:
            marks.addresses(self.number)
        if self.other_site:
            marks.mark("the site's settings changed", "a.type NOT IN ('static', 'asset', 'thumbnail')")
        if self.other_theme:
            marks.mark(
                "the theme changed", "a.type IN ('static', 'thumbnail') OR a.reads IS NULL AND a.type <> 'asset'"
            )
        if self.other_theme or self.other_site:  # what failed read something that was never noted, and may be mended
            marks.mark(_UNBUILT, "a.marked > a.built")
        marks.entries(touched)
        if touched.moved:
            marks.all_listings() if self.scope is None else marks.listings(self.scope)
        marks.terms(touched.terms)
        marks.assets(touched.assets)
        marks.sitemaps(blocks)
        changed = answers.update(
            self.site,
            self.terms.evaluate,
            touched,
            everything=self.other_theme or self.other_site or touched.site,
            lists=self.structural,
        )
        marks.keys(changed, answers.in_words)

    def _mark_wished(self) -> None:
        if self.wish.force and not self.wish.patterns:
            self.marks.mark("it is asked for", "a.wanted")
        if self.wish.patterns:
            self.wished = self._matching()
            for some in _chunks(self.wished):
                self.marks.mark("it is asked for by path", f"a.path IN ({db.marks(len(some))})", some)

    def _matching(self) -> list[str]:
        wanted = re.compile("|".join(translate(pattern.lstrip("/")) for pattern in self.wish.patterns))
        rows = db.execute("SELECT path FROM artifact WHERE site_id = ? AND wanted ORDER BY id", [self.site.id])
        return [path for (path,) in rows.fetchall() if wanted.match(path)]

    def _guard(self) -> None:
        """Refuse to delete too much at once.

        Raises:
            ContentError: it would.
        """
        gone = "site_id = ? AND marked = ? AND NOT wanted AND digest IS NOT NULL"
        row = db.execute(f"SELECT COUNT(*) FROM artifact WHERE {gone}", [self.site.id, self.number]).fetchone()
        self.plan.removed = int(row[0])
        if self.plan.removed < self.terms.deletions.least or self.wish.allow_removals:
            return
        total = db.execute(
            "SELECT COUNT(*) FROM artifact WHERE site_id = ? AND digest IS NOT NULL", [self.site.id]
        ).fetchone()[0]
        try:
            what = f"files of the site {self.site.name}"
            guard.refuse(what, self.plan.removed, total, self.terms.deletions, "publish --allow-removals")
        except ContentError as error:
            if not self.wish.explain:
                raise
            self.plan.refusal = str(error)

    def _enqueue(self) -> None:
        among, values = "a.marked = ?", [self.number]
        if self.wish.everything:
            among, values = "(a.marked = ? OR a.wanted)", values
        pause = _PAUSE if self.changes and self.touched.only_talk and self.wish.is_empty else 0.0
        self._ask(f"{_JOBS} AND {among} AND (NOT a.wanted OR a.build <> 'hand')", values, pause)
        for some in _chunks(self.wished):  # who asks by path waits for no interval
            self._ask(f"{_JOBS_AT_ONCE} AND a.wanted AND a.path IN ({db.marks(len(some))})", some)
        rows = db.execute(
            "SELECT path FROM artifact WHERE site_id = ? AND marked = ? AND wanted AND build = 'now' ORDER BY id",
            [self.site.id, self.number],
        )
        self.plan.at_once = [path for (path,) in rows.fetchall()]

    def _ask(self, jobs: str, values: Sequence[object], pause: float = 0.0) -> None:
        select = f"{jobs} ORDER BY a.priority DESC, a.id"
        self.plan.answers += store.enqueue_selected(
            PUBLISH, select, [self.site.id, *values], ageing=self.terms.ageing, causes=self._causes(), pause=pause
        )

    def _causes(self) -> list[Cause]:
        found = causes(self.changes)
        if self.wish.patterns:
            found.append(Cause("asked by path"))
        elif self.wish.everything or self.wish.force:
            found.append(Cause("asked for everything"))
        if found:
            return found
        if self.other_theme:
            return [Cause("theme edited")]
        return [Cause("conflicts resolved" if self.had_faults else "time passed")]

    def _ask_again(self) -> Plan:
        """Enqueue what never came to be built or deleted since it was asked for."""
        db.execute("UPDATE planned SET at = ? WHERE site_id = ?", [db.now(), self.site.id])
        stale = "AND a.marked > a.built AND (NOT a.wanted OR a.build <> 'hand') ORDER BY a.id"
        select = f"{_JOBS} {stale}"
        if self.wish.explain:
            rows = db.execute(f"SELECT a.path, a.wanted {_FROM} {stale}", [self.site.id]).fetchall()
            self.plan.why = {path: [_UNBUILT] for path, _ in rows}
            self.plan.gone = sorted(path for path, wanted in rows if not wanted)
        self.plan.answers = store.enqueue_selected(
            PUBLISH, select, [self.site.id], ageing=self.terms.ageing, reason="not yet published"
        )
        return self.plan


#: What the queue is asked for, an artifact a row: those wanted, and those to delete.
_FROM: Final = """
FROM artifact a JOIN site s ON s.id = a.site_id
WHERE a.site_id = ? AND (a.wanted OR a.digest IS NOT NULL)
"""
_JOBS: Final = f"""
SELECT a.path AS key, s.name AS scope, a.priority AS priority, CASE WHEN a.wanted THEN a.every ELSE 0 END AS every
{_FROM}"""
_JOBS_AT_ONCE: Final = _JOBS.replace("CASE WHEN a.wanted THEN a.every ELSE 0 END", "0")


def _chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    return (paths[start : start + 500] for start in range(0, len(paths), 500))


def _last(site: Site) -> _Last:
    """The last planning of a site."""
    row = db.execute(
        "SELECT theme_digest, site_digest, number, structure FROM planned WHERE site_id = ?", [site.id]
    ).fetchone()
    if row:
        return _Last(*row)
    highest = db.execute("SELECT COALESCE(MAX(plan), 0) FROM artifact WHERE site_id = ?", [site.id]).fetchone()[0]
    return _Last("", "", int(highest), 0)


def _site_digest(site: Site) -> str:
    """Changes with the settings that every page depends on: where it is, what its days are."""
    every_page = (site.url, site.folder, site.timezone, site.week_starts, site.empty_archives, site.theme)
    return hashlib.blake2b(repr(every_page).encode(), digest_size=12).hexdigest()
