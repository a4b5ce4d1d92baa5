"""How far the newest change of an entry is: planned, queued, built, and readable on which front ends.

Guarantees that “readable” is true: the change was planned, the page of the entry was built for a plan at least as late,
and the front end has confirmed the latest publication of its path. It is about the page of the entry itself; lists and
feeds that show the entry too come with it or soon after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from appliance import db
from appliance.config import Config
from appliance.content.models import Site
from appliance.content.sites import find_site
from appliance.delivery import cursors, target_state
from appliance.delivery.diagnostics import judgements
from appliance.delivery.targets import Target, front_ends
from appliance.errors import ContentError
from appliance.planning.permalinks import page_url
from appliance.planning.plan import PUBLISH
from appliance.queue import administration
from appliance.queue.administration import JobFilter, TextFilter

#: `saved`: it waits to be planned. `queued`, `building`, `failed`: the state of the job that builds it. `built`: the
#: file is in the docroot, or gone from it. `private`: nothing of the entry is published.
PublicationState = Literal["saved", "queued", "building", "failed", "built", "private"]

#: Number of the newest changes that are searched for that of an entry.
_RECENT: Final = 10_000


@dataclass(frozen=True, slots=True)
class EntryChange:
    """The newest change of an entry that the log still has."""

    id: int
    #: What happened: `entry edited`.
    event: str
    by: str
    #: Seconds since the epoch.
    at: int
    is_planned: bool


@dataclass(frozen=True, slots=True)
class FrontEndState:
    """What one front end shows of an entry."""

    name: str
    is_readable: bool
    #: Seconds since the oldest publication that it has not confirmed.
    lag: float
    is_paused: bool
    #: Why the last push failed.
    error: str | None


@dataclass(frozen=True, slots=True)
class EntryPublication:
    """How far an entry is."""

    entry: int
    state: PublicationState
    #: The newest change; None if the log has none.
    change: EntryChange | None
    #: The address of its page; None if it has none.
    url: str | None
    #: The job that builds the page, if it waits, runs or has failed.
    job: int | None
    #: Whether every front end shows the newest state.
    is_readable: bool
    #: On how many front ends it can be read.
    readable: int
    #: Without front ends, the docroot of the host itself.
    front_ends: tuple[FrontEndState, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    path: str
    is_current: bool
    is_wanted: bool


def read_publication(config: Config, site: str, entry: int) -> EntryPublication:
    """Tell how far an entry is, also one that was deleted.

    Raises:
        ContentError: there is no such entry, and nothing is left of one.
    """
    with db.snapshot():
        row = find_site(config, site)
        change, pages = _newest_change(row, entry), _pages(row, entry)
        if change is None and not pages and not _exists(row, entry):
            raise ContentError(f"There is no entry {entry} on the site {row.name}, and there was none lately.")
        job, state = _state(change, pages)
        shown = {target.name: _is_shown(target, pages) for target in front_ends(config)}
        is_built = state in ("built", "private")
        fronts = [_front_end(target, is_built and shown[target.name]) for target in front_ends(config)]
    fronts = fronts or [FrontEndState(config.host_name, is_built, 0.0, False, None)]
    url = next((page_url(row, page.path) for page in pages if page.is_wanted), None)
    readable = sum(front.is_readable for front in fronts)
    return EntryPublication(entry, state, change, url, job, readable == len(fronts), readable, tuple(fronts))


def is_readable_everywhere(config: Config, site: str, entry: int) -> bool:
    """Whether every front end shows the newest state of an entry: a few queries, for those who wait."""
    with db.snapshot():
        row = find_site(config, site)
        if _is_unplanned(row, entry):
            return False
        pages = _pages(row, entry)
        return all(page.is_current for page in pages) and all(_is_shown(target, pages) for target in front_ends(config))


_CHANGE: Final = """
SELECT id, what, actor, at, planned FROM change WHERE subject = 'entry' AND subject_id = ? AND site_id = ?
AND id > (SELECT MAX(id) FROM change) - ? ORDER BY id DESC LIMIT 1
"""
_UNPLANNED: Final = """
SELECT 1 FROM change WHERE site_id = ? AND NOT planned AND subject = 'entry' AND subject_id = ? LIMIT 1
"""
_PAGES: Final = """
SELECT path, marked > built, wanted, digest IS NOT NULL FROM artifact
WHERE type IN ('entry', 'page') AND subject = ? AND site_id = ? ORDER BY wanted DESC, id DESC
"""
_LATEST: Final = "SELECT origin, id FROM publication WHERE path = ? AND latest"


def _newest_change(site: Site, entry: int) -> EntryChange | None:
    row = db.execute(_CHANGE, [entry, site.id, _RECENT]).fetchone()
    return EntryChange(row[0], row[1], row[2], row[3], bool(row[4])) if row else None


def _is_unplanned(site: Site, entry: int) -> bool:
    return db.execute(_UNPLANNED, [site.id, entry]).fetchone() is not None


def _pages(site: Site, entry: int) -> list[_Page]:
    """The page of an entry, and former ones of it, whose files are to go or are gone."""
    rows = db.execute(_PAGES, [entry, site.id]).fetchall()
    return [
        _Page(path, not is_stale if wanted else not has_file, bool(wanted)) for path, is_stale, wanted, has_file in rows
    ]


def _exists(site: Site, entry: int) -> bool:
    found = db.execute("SELECT 1 FROM entry WHERE id = ? AND site_id = ?", [entry, site.id]).fetchone()
    return found is not None


def _state(change: EntryChange | None, pages: Sequence[_Page]) -> tuple[int | None, PublicationState]:
    if change is not None and not change.is_planned:
        return None, "saved"
    waiting = [page for page in pages if not page.is_current]
    if not waiting:
        return None, "built" if any(page.is_wanted for page in pages) else "private"
    states: dict[str, PublicationState] = {"pending": "queued", "running": "building", "failed": "failed"}
    chosen = JobFilter(kinds=[PUBLISH], keys=[TextFilter("equals", waiting[0].path)])
    jobs = [job for job in administration.find(chosen, "-id", 20) if job.state in states]
    return (jobs[0].id, states[jobs[0].state]) if jobs else (None, "queued")


def _is_shown(target: Target, pages: Sequence[_Page]) -> bool:
    for page in pages:
        latest = db.execute(_LATEST, [page.path]).fetchone()
        if latest is not None and not cursors.position(target, latest[0]).has(latest[1]):
            return False
    return True


def _front_end(target: Target, is_readable: bool) -> FrontEndState:
    state = target_state.read(target)
    error = judgements.strip_target_name(state.error or "", target.name) or None
    return FrontEndState(target.name, is_readable, state.lag, state.paused, error)
