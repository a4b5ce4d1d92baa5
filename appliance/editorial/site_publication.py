"""How far the publication of a site is: planned, built, and on which front ends, for those who asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.config import Config
from appliance.content.sites import find_site
from appliance.delivery import target_state
from appliance.delivery.diagnostics import judgements
from appliance.delivery.targets import front_ends
from appliance.plan_job import PLAN
from appliance.planning.plan import PUBLISH
from appliance.publishing import REBUILD
from appliance.queue import administration
from appliance.queue.administration import JobFilter, TextFilter
from appliance.queue.models import State

_UNFINISHED: Final[tuple[State, ...]] = ("pending", "running")
#: Jobs that are counted one by one.
_MOST: Final = 2_000
#: Failed jobs that are named.
_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job of the site that failed."""

    id: int
    key: str
    error: str


@dataclass(frozen=True, slots=True)
class FrontEndLevel:
    """Whether a front end has everything that was published."""

    name: str
    is_level: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class SitePublication:
    """How far a site is."""

    site: str
    #: Whether no worker plans the site or is about to.
    is_planned: bool
    #: Files that wait to be built or are being built; at least so many if it is capped.
    waiting: int
    is_capped: bool
    #: The latest that failed since the given moment, at most 20.
    failed: tuple[FailedJob, ...]
    front_ends: tuple[FrontEndLevel, ...]
    #: The time of the database.
    now: float

    @property
    def is_built(self) -> bool:
        """Whether nothing of the site waits to be planned or built."""
        return self.is_planned and not self.waiting and not self.is_capped

    @property
    def is_level(self) -> bool:
        """Whether everything is built and on every front end."""
        return self.is_built and all(front.is_level for front in self.front_ends)


def read_site_publication(config: Config, site: str, since: float | None = None) -> SitePublication:
    """Tell how far a site is. Jobs that failed before the moment `since`, if it is given, are not told.

    Raises:
        ConfigError: there is no such site.
    """
    with db.snapshot():
        name = find_site(config, site).name
        counts = administration.count_jobs(
            JobFilter(kinds=[PUBLISH], scopes=[name], states=_UNFINISHED), reach=_MOST
        ).by_state()
        waiting = [counts[state] for state in _UNFINISHED if state in counts]
        return SitePublication(
            site=name,
            is_planned=not _is_planning(name),
            waiting=sum(count.number for count in waiting),
            is_capped=any(count.is_capped for count in waiting),
            failed=_failed(name, since),
            front_ends=tuple(
                FrontEndLevel(state.name, state.level, _fault(state))
                for state in target_state.read_all(front_ends(config))
            ),
            now=db.now(),
        )


def _is_planning(site: str) -> bool:
    key = TextFilter("equals", site)
    return bool(administration.find(JobFilter(kinds=[PLAN, REBUILD], keys=[key], states=_UNFINISHED), limit=1))


def _failed(site: str, since: float | None) -> tuple[FailedJob, ...]:
    jobs = administration.find(JobFilter(states=["failed"], scopes=[site]), limit=_NAMED)
    return tuple(
        FailedJob(job.id, job.key, job.error_message or "")
        for job in jobs
        if since is None or (job.finished_at or 0.0) >= since
    )


def _fault(state: target_state.TargetState) -> str | None:
    """Why the last push failed, without the address of the target, which is not for everybody."""
    return judgements.strip_target_name(state.error or "", state.name) or None
