"""Brings the artifact table in line with the content: for a whole site, or for the scope that changes may have moved.

Guarantees that no two artifacts share a path, that no artifact is a file where another needs a folder, and that an
artifact in conflict is reported by name while all others are planned (`planning.artifact_store` decides which one comes
first). A sync of a scope has the same result as a sync of the site: where it meets a conflict, it asks for a full one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from appliance import db
from appliance.content.aspects import EVERYTHING
from appliance.content.models import Site
from appliance.planning import (
    listing_pages,
    page_boundaries,
    path_conflicts,
    placements,
    redirects,
    reserved_paths,
    sitemaps,
)
from appliance.planning.archives import (
    ArtifactSpec,
    alias_redirects,
    file_artifacts,
    listing_artifacts,
    path_prefix,
    split_type,
    yielding_uploads,
)
from appliance.planning.artifact_store import (
    AUTHORED_TYPES,
    CHUNK,
    GIVES_WAY,
    ArtifactStore,
    artifact_at,
    conflict_message,
)
from appliance.planning.changeset import FULL_SYNC_THRESHOLD, ChangeSet, Scope, later_changes
from appliance.planning.page_boundaries import OWN, PageChanges, PagedListing
from appliance.planning.path_claims import NumberedPaths, address_fields, fixed_claims, named_claims, wanted_artifacts
from appliance.planning.paths import path_fault
from appliance.planning.steps import Steps
from appliance.planning.theme import Theme
from appliance.planning.touched_listings import touched_listings


class FullSyncNeeded(Exception):  # noqa: N818 - a signal, not an error
    """The scope alone does not tell what the artifacts are; the whole site must be synced."""


@dataclass
class SyncResult:
    """Conflicts and side effects of a sync."""

    #: One sentence for each artifact that cannot be published.
    faults: list[str] = field(default_factory=list)
    #: One sentence for each artifact that is published at another path than its name gives.
    notes: list[str] = field(default_factory=list)
    #: Ids of sites that lost paths to this one.
    sites_to_replan: list[int] = field(default_factory=list)
    #: (type, subject) of artifacts that lost their address to another one.
    displaced: set[tuple[str, int | None]] = field(default_factory=set)
    #: What happened to the pages of listings, after the sync of a scope.
    pages: Mapping[PagedListing, PageChanges] = field(default_factory=dict)


def sync_site(
    site: Site,
    theme: Theme,
    number: int,
    changeset: ChangeSet,
    steps: Steps | None = None,
    before_removal: Callable[[int], None] = lambda _: None,
) -> SyncResult:
    """Bring all artifacts of a site in line with its content.

    Artifacts that are new, made differently, or no longer wanted are marked as invalidated by plan `number`.
    `before_removal` is called with the number of published files that nothing wants any more, before anything is
    marked as unwanted.
    """
    steps = steps or Steps()
    placements.count_anew(site, theme, steps)
    listing_pages.update_all(site, theme, steps)
    store = ArtifactStore(site, number, steps)
    numbered = NumberedPaths(store)
    before = store.count_overlaps()
    # What the theme makes comes first, since some claims give way to it; all others take its place.
    blocked = store.put(chain(file_artifacts(site, theme), listing_artifacts(site, theme)), may_displace=False)
    lost = store.put(yielding_uploads(site))
    lost += store.put(claim.spec for claim in fixed_claims(site, theme))
    numbered.put(named_claims(site, theme))
    lost += store.put(chain(store.outdone, blocked, alias_redirects(site, theme)))
    # Only now is it known which addresses were given up, and so which redirects and sitemaps there are.
    if steps.number is not None:
        _keep_what_changed_since(site, theme, number, steps)
    gone = f"{_UNTOUCHED} AND type NOT IN ('redirect', 'sitemap')"
    before_removal(_count_published(gone, site, number))
    steps.update(_UNWANT, [number], gone, [site.id, number])
    redirects.record_former_addresses(site, number, changeset.merged_terms, steps)
    lost += store.put(chain(redirects.move_redirects(site, theme), sitemaps.sitemap_parts(site, theme)))
    steps.update(_UNWANT, [number], _UNTOUCHED, [site.id, number])
    refused, others = path_conflicts.resolve_conflicts(site, number, steps)
    faults = store.faults + numbered.faults + _fault_sentences(lost) + refused
    steps.update(_UNWANT, [number], _WITHOUT_PERMALINK, [site.id])
    after = store.count_overlaps()
    others |= {other for other, paths in before.items() if after.get(other, 0) < paths}
    return SyncResult(faults, numbered.notes, sorted(others), store.displaced)


_UNWANT: Final = "wanted = false, marked = ?"
#: Artifacts that the plan did not come across.
_UNTOUCHED: Final = "site_id = ? AND plan <> ? AND wanted"


def _count_published(condition: str, site: Site, number: int) -> int:
    row = db.execute(
        f"SELECT COUNT(*) FROM artifact WHERE {condition} AND digest IS NOT NULL", [site.id, number]
    ).fetchone()
    return int(row[0])


def _keep_what_changed_since(site: Site, theme: Theme, number: int, steps: Steps) -> None:
    """Keep what later changes may have moved from one step to another, so that none of them came across it.

    The next plan, which has these changes, decides on it.
    """
    later = ChangeSet.from_changes(later_changes(site, number))
    if later.affects_whole_site:
        steps.update("plan = ?", [number], _UNTOUCHED, [site.id, number])
    elif later.is_structural:
        stored = _stored_specs(site, theme, later.scope(address_fields(theme)))
        # A page of a listing that this plan took away is not a page that any plan comes across again.
        for some in db.chunks(sorted(path for path, spec in stored.items() if not _is_page_gone(site, spec))):
            with steps.write():
                among = db.placeholders(len(some))
                db.execute(f"UPDATE artifact SET plan = ? WHERE path IN ({among})", [number, *some])


def _is_page_gone(site: Site, spec: ArtifactSpec) -> bool:
    """Whether the listing of a further page no longer has that page."""
    further = spec.from_oldest and spec.page != OWN
    return further and not page_boundaries.existing(spec.listing(site.id), [spec.page])


#: Further pages of an entry that lost its own address: nothing could link to them.
_WITHOUT_PERMALINK = """
site_id = ? AND wanted AND type IN ('entry', 'page') AND NOT is_permalink AND NOT EXISTS (
    SELECT 1 FROM artifact own
    WHERE own.type = artifact.type AND own.subject = artifact.subject AND own.is_permalink AND own.wanted)
"""

#: Artifacts of the theme that give way to an author's without being reported, since nobody misses them.
_QUIET: Final = ("static", "thumbnail", "index")


def _fault_sentences(lost: Sequence[ArtifactSpec]) -> list[str]:
    """One sentence for each artifact that is left out and that somebody would miss."""
    current = _own_addresses([spec.subject for spec in lost if spec.type == "redirect"])
    conflicts = [(spec, artifact_at(spec.path)) for spec in lost if not _is_moot(spec, current)]
    missed = [one for one in conflicts if one[0].type not in _QUIET or one[1].type not in AUTHORED_TYPES]
    return [conflict_message(spec, holder) for spec, holder in missed]


def _is_moot(spec: ArtifactSpec, current: set[tuple[int | None, str]]) -> bool:
    """Whether nobody misses a redirect: its page is at that address again, or something newer is."""
    return spec.type == "redirect" and (spec.period == redirects.MOVED or (spec.subject, spec.path) in current)


def _own_addresses(aliases: list[int | None]) -> set[tuple[int | None, str]]:
    """(alias, path) of aliases that equal the current address of their entry, so that no redirect is needed."""
    found: set[tuple[int | None, str]] = set()
    for some in db.chunks(aliases):
        rows = db.execute(
            f"""SELECT x.id, a.path FROM alias x JOIN artifact a ON a.subject = x.entry_id AND a.wanted
                WHERE a.type IN ('entry', 'page') AND x.id IN ({db.placeholders(len(some))})""",
            some,
        )
        found |= set(rows.fetchall())
    return found


def sync_scope(site: Site, theme: Theme, number: int, changeset: ChangeSet, scope: Scope) -> SyncResult:
    """Bring the artifacts of a scope in line with the content, with the same result as `sync_site`.

    Raises:
        FullSyncNeeded: there is a conflict.
    """
    touched = touched_listings(theme, changeset)
    placements.update(site, theme, changeset.counted_entries())
    scope = replace(scope, pages=listing_pages.update(site, theme, touched, changeset.former))
    store, stored = ArtifactStore(site, number), _stored_specs(site, theme, scope)
    specs = _without_displaced_indexes(site, list(wanted_artifacts(site, theme, scope)), stored)
    _check_vacated_paths(site, theme, specs, stored)
    pages = {spec.path for spec in specs if spec.type in ("entry", "page")}
    moot = set(_aliases_at(specs, pages))
    _apply_difference(
        store, [spec for spec in specs if spec.type != "redirect" or (spec.subject, spec.path) not in moot], stored
    )
    redirects.record_former_addresses(site, number, changeset.merged_terms)
    _apply_moves(store, theme, changeset)
    _apply_sitemaps(store, theme, changeset)
    return SyncResult(displaced=store.displaced, pages=scope.pages or {})


def _without_displaced_indexes(
    site: Site, specs: list[ArtifactSpec], stored: dict[str, ArtifactSpec]
) -> list[ArtifactSpec]:
    """The specs that remain when index templates give way to pages and uploads that keep their paths."""
    fresh = [spec.path for spec in specs if spec.type == "index" and spec.path not in stored]
    held = set()
    for some in db.chunks(fresh):
        held |= set(
            _specs_where(
                site,
                f"type IN ('asset', 'entry', 'page') AND path IN ({db.placeholders(len(some))})"
                f" AND NOT {GIVES_WAY.format('artifact')}",
                some,
            )
        )
    return [spec for spec in specs if spec.path not in held]


_THUMBNAIL: Final = re.compile(r"-\d+w\.[^/]*$")


def _check_vacated_paths(
    site: Site, theme: Theme, specs: Sequence[ArtifactSpec], stored: dict[str, ArtifactSpec]
) -> None:
    """Raise FullSyncNeeded when a page or upload leaves a path at which the theme has something."""
    wanted = {spec.path for spec in specs if spec.type in AUTHORED_TYPES}
    gone = {path for path, spec in stored.items() if spec.type in AUTHORED_TYPES and path not in wanted}
    themes, prefix = reserved_paths.unreported(theme), len(path_prefix(site))
    if any(_THUMBNAIL.search(path) or themes.fullmatch(path[prefix:]) for path in gone):
        raise FullSyncNeeded


def _aliases_at(specs: Sequence[ArtifactSpec], pages: set[str]) -> Iterable[tuple[int | None, str]]:
    """(alias, path) of redirects at the current address of their own entry."""
    redirect_specs = [spec for spec in specs if spec.type == "redirect" and spec.path in pages]
    entries = {(spec.subject, spec.path) for spec in specs if spec.type in ("entry", "page")}
    for spec in redirect_specs:
        entry = db.execute("SELECT entry_id FROM alias WHERE id = ?", [spec.subject]).fetchone()[0]
        if (entry, spec.path) in entries:
            yield spec.subject, spec.path


def _apply_moves(store: ArtifactStore, theme: Theme, changeset: ChangeSet) -> None:
    """Bring the redirects from former addresses in line with what appeared, disappeared or moved."""
    site = store.site
    for some in db.chunks(redirects.touched_moves(site, store.number, store.displaced, changeset.merged_terms)):
        condition = f"type = 'redirect' AND period = ? AND subject IN ({db.placeholders(len(some))})"
        stored = _specs_where(site, condition, [redirects.MOVED, *some])
        _apply_difference(store, list(redirects.move_redirects(site, theme, some)), stored)


def _apply_sitemaps(store: ArtifactStore, theme: Theme, changeset: ChangeSet) -> None:
    """Bring the parts of sitemaps in line with the pages that came or went."""
    site, number = store.site, store.number
    split = sitemaps.is_split(site) and bool(sitemaps.sitemap_outputs(theme))
    row = db.execute("SELECT 1 FROM artifact WHERE +site_id = ? AND type = 'sitemap' AND wanted LIMIT 1", [site.id])
    if split != bool(row.fetchone()):
        raise FullSyncNeeded
    if not split:
        return
    for kind, block in sorted(sitemaps.changed_blocks(site, number, changeset, store.displaced)):
        parts = sitemaps.part_artifacts(site, theme, kind, block) if sitemaps.has_pages(site, kind, block) else ()
        condition = "type = 'sitemap' AND subject IS NULL AND period = ? AND page = ?"
        _apply_difference(store, list(parts), _specs_where(site, condition, [kind, block + 1]))


def newly_addressed(site: Site, number: int, changeset: ChangeSet) -> ChangeSet:
    """A change set of the entries that got an address in plan `number` though they did not change.

    It counts every aspect of these entries as changed.
    """
    rows = db.execute(
        """SELECT DISTINCT subject FROM artifact WHERE site_id = ? AND marked = ? AND wanted AND is_permalink
           AND type IN ('entry', 'page')""",
        [site.id, number],
    ).fetchall()
    found = {entry for (entry,) in rows} - set(changeset.moved_entries)
    return ChangeSet(
        entries=dict.fromkeys(found, EVERYTHING),
        affects_whole_site=len(found) > FULL_SYNC_THRESHOLD,
        only_comments=False,
    )


def wanted_paths(site: Site, theme: Theme, scope: Scope) -> list[str]:
    """The paths of the wanted artifacts in a scope, sorted."""
    return sorted(_stored_specs(site, theme, scope))


def _apply_difference(store: ArtifactStore, specs: Sequence[ArtifactSpec], stored: dict[str, ArtifactSpec]) -> None:
    """Write the specs that differ from the `stored` ones, and mark stored ones that are not among them as unwanted."""
    wanted = {spec.path: spec for spec in specs}
    if len(wanted) < len(specs) or any(path_fault(path) for path in wanted if path not in stored):
        raise FullSyncNeeded
    gone = [path for path in stored if path not in wanted]
    for some in db.chunks(gone):
        unwant = f"UPDATE artifact SET wanted = false, marked = ? WHERE path IN ({db.placeholders(len(some))})"
        db.execute(unwant, [store.number, *some])
    fresh = [spec for spec in specs if stored.get(spec.path) != spec]
    _check_paths_free([spec.path for spec in fresh if spec.path not in stored])
    for start in range(0, len(fresh), CHUNK):
        some_rows = fresh[start : start + CHUNK]
        if len(store.upsert(some_rows)) < len(some_rows):
            raise FullSyncNeeded


def _check_paths_free(paths: Sequence[str]) -> None:
    """Raise FullSyncNeeded unless new paths are free and neither contain nor lie below another file.

    A redirect from a former address gives way.
    """
    for path in paths:
        folders = [path[:at] for at, character in enumerate(path) if character == "/"]
        found = db.execute(
            f"""SELECT 1 FROM artifact WHERE wanted AND path IN ({db.placeholders(len(folders) + 1)})
                AND NOT (path = ? AND type = 'redirect' AND period = '{redirects.MOVED}')
                UNION ALL SELECT 1 FROM artifact WHERE wanted AND path > ? AND path < ? LIMIT 1""",
            [path, *folders, path, f"{path}/", f"{path}0"],
        ).fetchone()
        if found:
            raise FullSyncNeeded


def _stored_specs(site: Site, theme: Theme, scope: Scope) -> dict[str, ArtifactSpec]:
    """The wanted artifacts of a scope as the table has them, by path."""
    found: dict[str, ArtifactSpec] = {}
    for kind in sorted({output.type for output in theme.outputs} | {"asset", "thumbnail", "redirect"}):
        for condition, values in _conditions(kind, scope):
            pages, numbers = _page_condition(theme, kind, scope)
            found |= _specs_where(site, f"type = ? AND {condition}{pages}", [kind, *values, *numbers])
    return {path: spec for path, spec in found.items() if _is_in_scope(site, spec, scope)}


def _page_condition(theme: Theme, kind: str, scope: Scope) -> tuple[str, list[int]]:
    """An SQL condition, with its values, for the pages that may have come or gone, if those of a type are known."""
    outputs = [output for output in theme.outputs if output.type == kind and output.per_page]
    is_edited = bool(scope.edited_terms.get(kind.partition("-")[0]))
    if scope.pages is None or is_edited or not outputs or not all(output.from_oldest for output in outputs):
        return "", []
    numbers = {OWN}.union(*(c.changed for listing, c in scope.pages.items() if listing.type == kind))
    return f" AND page IN ({db.placeholders(len(numbers))})", sorted(numbers)


def _is_in_scope(site: Site, spec: ArtifactSpec, scope: Scope) -> bool:
    if not spec.from_oldest:
        return True
    numbers = scope.page_numbers(spec.listing(site.id))
    return numbers is None or spec.page in numbers


def _conditions(kind: str, scope: Scope) -> Iterator[tuple[str, list[object]]]:
    """SQL conditions, with values, that select the artifacts of a type within a scope."""
    term, period = split_type(kind)
    if kind in ("entry", "page"):
        yield from _among("subject", scope.entries)
    elif kind in ("asset", "thumbnail"):
        yield from _among("subject", scope.assets)
    elif kind == "redirect":
        for some in db.chunks(scope.entries):
            aliases = f"SELECT id FROM alias WHERE entry_id IN ({db.placeholders(len(some))})"
            yield f"period = '' AND subject IN ({aliases})", [*some]
        # Redirects of aliases that no longer exist.
        yield "period = '' AND NOT EXISTS (SELECT 1 FROM alias WHERE alias.id = artifact.subject)", []
    elif kind == "index":
        if scope.entries:
            yield "subject IS NULL AND period = ''", []
    elif kind not in ("static", "sitemap"):
        subjects = list(_among("subject", scope.terms.get(term, ()))) if term else [("subject IS NULL", [])]
        periods = list(_among("period", scope.periods(period))) if period else [("true", [])]
        for of_term, ids in subjects:
            for of_period, names in periods:
                yield f"{of_term} AND {of_period}", [*ids, *names]
        if term and period:
            yield from _among("subject", scope.edited_terms.get(term, ()))


def _among(column: str, values: Sequence[object]) -> Iterator[tuple[str, list[object]]]:
    for some in db.chunks(values):
        yield f"{column} IN ({db.placeholders(len(some))})", [*some]


def _specs_where(site: Site, condition: str, values: Sequence[object]) -> dict[str, ArtifactSpec]:
    columns = ", ".join(ArtifactSpec._fields)
    # The plus keeps the database from choosing the index on site_id, which would read the whole site.
    rows = db.execute(
        f"SELECT {columns} FROM artifact WHERE +site_id = ? AND wanted AND {condition}", [site.id, *values]
    ).fetchall()
    return {row[0]: ArtifactSpec(*row) for row in rows}
