"""Plans a site: finds the artifacts that pending changes affect, and enqueues their jobs.

Guarantees that a change counts as planned only in the transaction that enqueues its jobs; that every artifact is
enqueued that showed some of what changed when it was built, or would show it now; and that a plan that would delete a
large part of a site is refused unless that is allowed.

    changes ─► change set ─► artifact sync: what appears, disappears or moves ─► invalidation ─► queue
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import translate
from typing import Final, NamedTuple

from appliance import __version__, db
from appliance.content import removal_guard
from appliance.content.models import Site
from appliance.errors import ContentError
from appliance.planning import artifact_sync, dependency_keys, enqueueing, listing_totals, reserved_paths, sitemaps
from appliance.planning.artifact_sync import FullSyncNeeded, SyncResult
from appliance.planning.changeset import ChangeSet, Scope, has_moved_many, job_causes, take_changes
from appliance.planning.enqueueing import Enqueuer
from appliance.planning.invalidation import Invalidation
from appliance.planning.listing_totals import Listing
from appliance.planning.path_claims import address_fields
from appliance.planning.plan import Plan, PlanContext, PublishOptions
from appliance.planning.steps import Steps, find_open
from appliance.planning.theme import Theme
from appliance.queue.enqueue import Cause

_NEW: Final = "it is new"
_WAITING: Final = "it is on the queue already"
_UNBUILT: Final = "it was enqueued before and never built"
_NEWLY_ADDRESSED: Final = "an entry it lists has an address again"
#: Suffix of the stored theme digest when the plan had conflicts, so that the next plan syncs the whole site.
_WITH_FAULTS: Final = " with faults"


class StepsNeeded(Exception):  # noqa: N818 - a signal, not an error
    """The whole site must be planned, which takes too long for one transaction; see `planning.step_planner`."""


def plan_site(site: Site, theme: Theme, options: PublishOptions, context: PlanContext) -> Plan:
    """Bring the artifacts of a site in line with its content; enqueue those that are invalidated or requested.

    Raises:
        ContentError: the plan would delete more than is allowed; nothing is planned.
        StepsNeeded: the whole site must be planned; nothing is planned yet.
    """
    with db.write():
        return Planner(site, theme, options, context).run()


def request_full_sync(sites: Sequence[int]) -> None:
    """Have the next plan of these sites sync the whole site."""
    for site in sites:
        db.execute(
            "UPDATE planned SET theme_digest = theme_digest || ? WHERE site_id = ? AND theme_digest NOT LIKE ?",
            [_WITH_FAULTS, site, f"%{_WITH_FAULTS}"],
        )


def last_plan(site: Site, theme: Theme) -> tuple[int, bool]:
    """The number of the last plan of a site, and whether its artifacts are those of this theme and of the settings.

    The plan that is open counts as the last one, and its artifacts as unfinished.
    """
    last = load_last_state(site)
    if found := find_open(site.id):
        return max(found[0], last.number), False
    return last.number, (last.theme, last.site) == (f"{theme.digest} {__version__}", _site_digest(site))


class Planner:
    """One plan of one site, made inside a write transaction."""

    def __init__(
        self, site: Site, theme: Theme, options: PublishOptions, context: PlanContext, steps: Steps | None = None
    ) -> None:
        self.site, self.theme, self.options, self.context = site, theme, options, context
        self.plan = Plan(site.name)
        self.steps = steps or Steps()
        self.last_state = self._begin()
        #: Artifacts requested by path are built as they are now; pending changes are left for another plan.
        self.by_path = bool(options.patterns) and self.last_state.number > 0
        self.number = self.steps.number or self.last_state.number + 1
        self.changeset, self.causes = self._take_changes()
        self.theme_digest, self.site_digest = f"{theme.digest} {__version__}", _site_digest(site)
        self.theme_changed = self.last_state.theme.removesuffix(_WITH_FAULTS) != self.theme_digest
        self.site_changed = self.last_state.site != self.site_digest
        self.had_faults = self.last_state.theme.endswith(_WITH_FAULTS)
        #: Whether the whole site must be looked at, whatever its content.
        self.setup_changed = self.theme_changed or self.site_changed or self.had_faults
        #: Paths that match the requested patterns.
        self.requested_paths: list[str] = []
        self.is_structural = False
        #: The scope that was synced; None for the whole site, or when nothing may have moved.
        self.scope: Scope | None = None
        #: Keys of which the digest has changed: the digests before and now.
        self.changed_keys: dict[str, tuple[str, str]] = {}
        #: (type, subject) of artifacts that lost their address to another one.
        self.displaced: set[tuple[str, int | None]] = set()
        reasons = self.plan.reasons if options.explain else None
        self.invalidation = Invalidation(site, theme, self.number, reasons, self.steps)

    def _begin(self) -> LastState:
        db.acquire_lock(f"planning {self.site.id}")
        everything = (self.options.everything or self.options.force) and not self.options.patterns
        if not self.options.explain and (everything or find_open(self.site.id)):
            raise StepsNeeded
        return load_last_state(self.site)

    def _take_changes(self) -> tuple[ChangeSet, list[Cause]]:
        """What pending changes touch, and why their jobs are enqueued."""
        if self.by_path:
            return ChangeSet(), []
        if not self.options.explain and has_moved_many(self.site):
            raise StepsNeeded
        changes = take_changes(self.site)
        entries = listing_totals.total(self.site.id, Listing("index"))
        return ChangeSet.from_changes(changes, entries), job_causes(changes)

    def run(self) -> Plan:
        """Make the plan."""
        if self.by_path:
            db.execute("UPDATE planned SET number = ? WHERE site_id = ?", [self.number, self.site.id])
        elif self.causes or self.setup_changed or dependency_keys.time_passed(self.site, self.context.digest_keys):
            self._sync_artifacts()
            self._invalidate()
            dependency_keys.store_digests(self.site, self.changed_keys)
        elif self.options.is_empty:
            return self._enqueue_stale()
        else:
            self._save_state()
        self._invalidate_requested()
        self._check_deletions()
        self._enqueue()
        self._explain_outcome()
        return self.plan

    def _sync_artifacts(self) -> None:
        """Bring the artifact table in line with the content."""
        full = self.setup_changed or self.changeset.affects_whole_site or self.options.everything
        self.is_structural = full or self.changeset.is_structural
        if self.is_structural:
            result = None if full else self._sync_scope()
            if result is None and not self.options.explain:
                raise StepsNeeded
            self.displaced = (result or self._sync_site()).displaced
        self._save_state()
        self._explain_sync()

    def _sync_scope(self) -> SyncResult | None:
        """Sync the scope that changes may have moved; None when the whole site must be synced instead."""
        try:
            with db.write():  # a sync that fails is undone before that of the whole site
                self.scope = self.changeset.scope(address_fields(self.theme))
                result = artifact_sync.sync_scope(self.site, self.theme, self.number, self.changeset, self.scope)
                self.scope = replace(self.scope, pages=result.pages)
                return result
        except FullSyncNeeded:
            self.scope = None
            return None

    def _sync_site(self) -> SyncResult:
        result = artifact_sync.sync_site(
            self.site, self.theme, self.number, self.changeset, self.steps, self._check_removal
        )
        self.plan.faults, self.plan.notes = result.faults, result.notes
        self.plan.sites_to_replan = result.sites_to_replan
        with self.steps.write():
            dependency_keys.delete_unused(self.site)
        return result

    def _save_state(self) -> None:
        structure = self.number if self.is_structural else self.last_state.structure
        theme = self.theme_digest + (_WITH_FAULTS if self.plan.faults else "")
        faults = json.dumps(self.plan.faults, ensure_ascii=False) if self.plan.faults else None
        db.execute(
            "INSERT INTO planned (site_id, theme_digest, site_digest, number, structure, at, faults)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (site_id) DO UPDATE SET theme_digest = excluded.theme_digest, at = excluded.at,"
            " site_digest = excluded.site_digest, number = excluded.number, structure = excluded.structure,"
            " faults = excluded.faults",
            [self.site.id, theme, self.site_digest, self.number, structure, db.now(), faults],
        )
        if self.theme_changed:
            reserved_paths.store(self.site, self.theme)

    def _explain_sync(self) -> None:
        if self.options.explain:
            rows = db.execute(
                "SELECT path, wanted, digest FROM artifact WHERE site_id = ? AND marked = ?",
                [self.site.id, self.number],
            ).fetchall()
            for path, wanted, digest in rows:
                if wanted or digest:
                    reason = "it is made differently now" if digest else _NEW
                    self.plan.reasons.setdefault(path, []).append(reason if wanted else "it is no longer wanted")

    def _explain_outcome(self) -> None:
        """Sort the explained paths: what would be deleted, and what waits until it is requested."""
        if self.options.explain:
            select = "SELECT path FROM artifact WHERE site_id = ? AND marked = ? AND"
            values, requested = [self.site.id, self.number], set(self.requested_paths)
            deleted = db.execute(f"{select} NOT wanted AND digest IS NOT NULL ORDER BY path", values).fetchall()
            by_hand = db.execute(f"{select} wanted AND build = 'hand' ORDER BY path", values).fetchall()
            self.plan.deleted_paths = [path for (path,) in deleted]
            self.plan.manual_paths = [path for (path,) in by_hand if path not in requested]
            for path, reasons in self.plan.reasons.items():  # for a new artifact no other reason matters
                self.plan.reasons[path] = [_NEW] if _NEW in reasons else list(dict.fromkeys(reasons))

    def _invalidate(self) -> None:
        """Invalidate the artifacts that showed some of what changed, or now will."""
        invalidation, changeset = self.invalidation, self.changeset
        blocks = sitemaps.changed_blocks(self.site, self.number, changeset, self.displaced) | self._entry_blocks()
        if self.last_state.number:
            invalidation.invalidate_addresses(self.displaced)
        if self.site_changed:
            invalidation.invalidate("the site's settings changed", "a.type NOT IN ('static', 'asset', 'thumbnail')")
        if self.theme_changed:
            unread = "a.type IN ('static', 'thumbnail') OR a.reads IS NULL AND a.type <> 'asset'"
            invalidation.invalidate("the theme changed", unread)
        if self.theme_changed or self.site_changed:  # a build may have failed before its dependencies were known
            invalidation.invalidate(_UNBUILT, "a.marked > a.built")
        for one in self._changesets():
            invalidation.invalidate_entries(one)
        if self.had_faults:
            self._invalidate_listings_of_newly_addressed()
        if changeset.moved_entries:
            if self.scope is None:
                invalidation.invalidate_all_listings()
            else:
                invalidation.invalidate_listings(self.scope)
        invalidation.invalidate_terms(changeset.terms)
        invalidation.invalidate_assets(changeset.assets)
        invalidation.invalidate_sitemaps(blocks)
        self.changed_keys = dependency_keys.changed_digests(
            self.site,
            self.context.digest_keys,
            changeset,
            everything=self.theme_changed or self.site_changed or changeset.site_changed,
            lists=self.is_structural,
        )
        invalidation.invalidate_key_readers(self.changed_keys, dependency_keys.change_reason)

    def _changesets(self) -> Iterable[ChangeSet]:
        """All that changed, in parts."""
        return [self.changeset]

    def _entry_blocks(self) -> set[tuple[str, int]]:
        """The parts of sitemaps with changed entries."""
        if self.changeset.only_comments:
            return set()
        return {block for one in self._changesets() for block in sitemaps.blocks_of(one.entries)}

    def _invalidate_listings_of_newly_addressed(self) -> None:
        """Invalidate the listings of entries that have an address again.

        The entries themselves did not change, and nothing showed them, so that no other invalidation finds these
        listings.
        """
        newly_addressed = artifact_sync.newly_addressed(self.site, self.number, self.changeset)
        if newly_addressed.affects_whole_site:
            self.invalidation.invalidate(_NEWLY_ADDRESSED, "a.type NOT IN ('static', 'asset', 'thumbnail')")
        elif newly_addressed.entries:
            self.invalidation.invalidate_entries(newly_addressed)
            for some in db.chunks(artifact_sync.wanted_paths(self.site, self.theme, newly_addressed.scope())):
                self.invalidation.invalidate(_NEWLY_ADDRESSED, f"a.path IN ({db.placeholders(len(some))})", some)

    def _invalidate_requested(self) -> None:
        if self.options.force and not self.options.patterns:
            self.invalidation.invalidate("everything was requested", "a.wanted")
        if self.options.patterns:
            self.requested_paths = self._matching()
            for some in db.chunks(self.requested_paths):
                self.invalidation.invalidate(
                    "it was requested by path", f"a.path IN ({db.placeholders(len(some))})", some
                )

    def _matching(self) -> list[str]:
        wanted = re.compile("|".join(translate(pattern.lstrip("/")) for pattern in self.options.patterns))
        rows = db.execute("SELECT path FROM artifact WHERE site_id = ? AND wanted ORDER BY id", [self.site.id])
        return [path for (path,) in rows.fetchall() if wanted.match(path)]

    def _check_deletions(self) -> None:
        """Refuse to delete too many files at once.

        Raises:
            ContentError: the plan would.
        """
        is_deleted = "site_id = ? AND marked = ? AND NOT wanted AND digest IS NOT NULL"
        row = db.execute(f"SELECT COUNT(*) FROM artifact WHERE {is_deleted}", [self.site.id, self.number]).fetchone()
        self._check_removal(int(row[0]))

    def _check_removal(self, count: int) -> None:
        self.plan.deletion_count = count
        if count < self.context.deletions.least or self.options.allow_removals:
            return
        limits = self.context.deletions
        # More than these need not be counted: whatever their number, so many may be deleted.
        enough = int(count / limits.share) + 1
        published = "SELECT 1 FROM artifact WHERE site_id = ? AND digest IS NOT NULL LIMIT ?"
        total = db.execute(f"SELECT COUNT(*) FROM ({published}) AS found", [self.site.id, enough]).fetchone()[0]
        try:
            what = f"files of the site {self.site.name}"
            removal_guard.check_removal(what, count, total, limits, "publish --allow-removals")
        except ContentError as error:
            if not self.options.explain:
                raise
            self.plan.refusal = str(error)

    def _enqueue(self) -> None:
        only_comments = self.causes and self.changeset.only_comments and self.options.is_empty
        pause = enqueueing.COMMENT_PAUSE if only_comments else 0.0
        enqueuer = Enqueuer(self.site, self.context.ageing, self._causes(), pause)
        self.plan.enqueue_results += enqueuer.enqueue_invalidated(self.number, everything=self.options.everything)
        self.plan.enqueue_results += enqueuer.enqueue_paths(self.requested_paths)
        self.plan.build_now = enqueueing.build_now_paths(self.site, self.number)

    def _causes(self) -> list[Cause]:
        found = list(self.causes)
        if self.options.patterns:
            found.append(Cause("requested by path"))
        elif self.options.everything or self.options.force:
            found.append(Cause("everything requested"))
        if found:
            return found
        if self.theme_changed:
            return [Cause("theme edited")]
        return [Cause("conflicts resolved" if self.had_faults else "time passed")]

    def _enqueue_stale(self) -> Plan:
        """Enqueue again what was invalidated before and never built or deleted."""
        db.execute("UPDATE planned SET at = ? WHERE site_id = ?", [db.now(), self.site.id])
        if self.options.explain:
            rows = enqueueing.stale_artifacts(self.site)
            self.plan.reasons = {path: [_WAITING if waits else _UNBUILT] for path, _, waits in rows}
            self.plan.deleted_paths = sorted(path for path, wanted, _ in rows if not wanted)
        self.plan.enqueue_results = Enqueuer(
            self.site, self.context.ageing, [Cause("not yet published")]
        ).enqueue_stale()
        return self.plan


class LastState(NamedTuple):
    """The state of the last plan of a site: digests of theme and settings, its number, and that of its structure."""

    theme: str
    site: str
    number: int
    structure: int


def load_last_state(site: Site) -> LastState:
    """The state of the last plan of a site."""
    row = db.execute(
        "SELECT theme_digest, site_digest, number, structure FROM planned WHERE site_id = ?", [site.id]
    ).fetchone()
    if row:
        return LastState(*row)
    highest = db.execute("SELECT COALESCE(MAX(plan), 0) FROM artifact WHERE site_id = ?", [site.id]).fetchone()[0]
    return LastState("", "", int(highest), 0)


def _site_digest(site: Site) -> str:
    """A digest of the settings that every page depends on, such as the URL and the time zone."""
    every_page = (site.url, site.folder, site.timezone, site.week_starts, site.empty_archives, site.theme)
    return hashlib.blake2b(repr(every_page).encode(), digest_size=12).hexdigest()
