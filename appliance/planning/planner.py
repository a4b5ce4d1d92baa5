"""Planning: which artifacts changes concern, and the jobs that follow.

Guarantees that a change counts as planned only in the transaction that puts its jobs on the queue, that every artifact
is asked for which showed when it was built, or will show, some of what changed, and that a planning which would delete
a large part of a site is refused unless told to.

    changes ─► touched ─► refresh: artifacts that come, go or move ─► marks: who shows what changed ─► queue
"""

from __future__ import annotations

import hashlib
import re
from fnmatch import translate
from typing import Final, NamedTuple

from appliance import __version__, db
from appliance.content import guard
from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.planning import answers, asking, refresh
from appliance.planning.archives import Scope
from appliance.planning.asking import Asking
from appliance.planning.marks import Marks
from appliance.planning.plan import Plan, Terms, Wish
from appliance.planning.refresh import NeedsWhole
from appliance.planning.theme import Theme
from appliance.planning.touched import Touched, causes, take
from appliance.queue.requests import Cause

_NEW: Final = "it is new here"
_WAITING: Final = "it is on the queue already"
_UNBUILT: Final = "it was asked for and never came to be built"
#: Follows the digest of the theme that a site was planned with when there were conflicts.
_WITH_FAULTS: Final = " with faults"


def publish(site: Site, theme: Theme, wish: Wish, terms: Terms) -> Plan:
    """Bring the artifacts up to the content and enqueue those that changes concern, and what `wish` names.

    Raises:
        ContentError: it would delete more than is allowed; nothing is planned.
    """
    with db.write():
        return Planner(site, theme, wish, terms).run()


class Planner:
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
            marks.addresses()
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
            for some in db.chunks(self.wished):
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
        pause = asking.PAUSE if self.changes and self.touched.only_talk and self.wish.is_empty else 0.0
        ask = Asking(self.site, self.terms.ageing, self._causes(), pause)
        self.plan.answers += ask.marked(self.number, everything=self.wish.everything)
        self.plan.answers += ask.named(self.wished)
        self.plan.at_once = asking.at_once(self.site, self.number)

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
        if self.wish.explain:
            rows = asking.stale(self.site)
            self.plan.why = {path: [_WAITING if waits else _UNBUILT] for path, _, waits in rows}
            self.plan.gone = sorted(path for path, wanted, _ in rows if not wanted)
        self.plan.answers = Asking(self.site, self.terms.ageing, [Cause("not yet published")]).stale()
        return self.plan


class _Last(NamedTuple):
    theme: str
    site: str
    number: int
    structure: int


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
