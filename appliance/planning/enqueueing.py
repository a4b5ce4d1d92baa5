"""Puts the jobs of a plan on the queue: one for each artifact that is to be built or deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.plan import PUBLISH
from appliance.planning.steps import ROWS, Steps, select_ids
from appliance.queue.enqueue import Cause, enqueue_from_select
from appliance.queue.models import EnqueueResult
from appliance.queue.triggers import make_set

#: Seconds to wait for further comments before a page is built again: a page is built at most eight times a second.
COMMENT_PAUSE: Final = 0.12


def template_of(artifact: str) -> str:
    """SQL of the template that an artifact is built with, by the alias of its table; empty for files.

    For them the column holds something else.
    """
    return f"CASE WHEN {artifact}.type IN ('static', 'thumbnail') THEN '' ELSE {artifact}.template END"


#: Artifacts that are wanted, and those that are to be deleted.
_FROM: Final = """
FROM artifact a JOIN site s ON s.id = a.site_id
WHERE a.site_id = ? AND (a.wanted OR a.digest IS NOT NULL)
"""
_EVERY: Final = "CASE WHEN a.wanted THEN a.every ELSE 0 END"
_JOBS: Final = f"""
SELECT a.path AS key, s.name AS scope, a.priority AS priority, {{every}} AS every, {template_of("a")} AS template
{_FROM}
"""
#: Artifacts with build 'hand' wait until somebody asks for them by path. Deletions never wait.
_BY_ITSELF: Final = "(NOT a.wanted OR a.build <> 'hand')"
_STALE: Final = f"a.marked > a.built AND {_BY_ITSELF}"


class Enqueuer:
    """Enqueues jobs for the artifacts of one site."""

    def __init__(self, site: Site, ageing: float, causes: Sequence[Cause], pause: float = 0.0) -> None:
        self._site = site
        self._ageing = ageing
        self._causes = causes
        self._pause = pause
        #: The number of the causes as a set that all new jobs share.
        self._trigger_set: int | None = None

    def enqueue_invalidated(self, number: int, *, everything: bool) -> Counter[EnqueueResult]:
        """Enqueue what plan `number` invalidated; with `everything`, all wanted artifacts as well."""
        return self._enqueue(f"(a.marked = ? {'OR a.wanted' if everything else ''}) AND {_BY_ITSELF}", [number])

    def enqueue_in_steps(self, number: int, steps: Steps, *, everything: bool, stale: bool) -> Counter[EnqueueResult]:
        """Enqueue what plan `number` invalidated, some in each step.

        Files come first, so that no page appears before its pictures. With `everything` all wanted artifacts are
        enqueued, with `stale` also what earlier plans invalidated and nobody built.
        """
        results: Counter[EnqueueResult] = Counter()
        among = f"a.marked = ? {'OR a.wanted' if everything else ''} {'OR a.marked > a.built' if stale else ''}"
        chosen = f"a.site_id = ? AND ({among}) AND {_BY_ITSELF} AND (a.wanted OR a.digest IS NOT NULL)"
        priorities = db.execute("SELECT DISTINCT priority FROM artifact WHERE site_id = ?", [self._site.id]).fetchall()
        for (priority,) in sorted(priorities, reverse=True):
            ids = select_ids(
                f"SELECT a.id FROM artifact a WHERE {chosen} AND a.priority = ? ORDER BY a.id",
                [self._site.id, number, priority],
            )
            for some in db.chunks(ids, ROWS):
                with steps.write():
                    results += self._enqueue(f"a.id IN ({db.placeholders(len(some))})", some)
        return results

    def enqueue_paths(self, paths: Sequence[str]) -> Counter[EnqueueResult]:
        """Enqueue these artifacts, whatever their least interval and build type."""
        results: Counter[EnqueueResult] = Counter()
        for some in db.chunks(paths):
            results += self._enqueue(f"a.wanted AND a.path IN ({db.placeholders(len(some))})", some, every="0")
        return results

    def enqueue_stale(self) -> Counter[EnqueueResult]:
        """Enqueue again what was invalidated before and never built or deleted."""
        return self._enqueue(_STALE, [])

    def _enqueue(self, condition: str, values: Sequence[object], every: str = _EVERY) -> Counter[EnqueueResult]:
        if self._trigger_set is None:
            self._trigger_set = make_set(self._causes)
        return enqueue_from_select(
            PUBLISH,
            f"{_JOBS.format(every=every)} AND {condition} ORDER BY a.priority DESC, a.id",
            [self._site.id, *values],
            ageing=self._ageing,
            causes=self._causes,
            pause=self._pause,
            trigger_set=self._trigger_set,
        )


_IS_QUEUED: Final = f"""
EXISTS (SELECT 1 FROM job j WHERE j.kind = '{PUBLISH}' AND j.key = a.path AND j.state IN ('pending', 'running'))
"""


def stale_artifacts(site: Site) -> list[tuple[str, bool, bool]]:
    """(path, is wanted, is on the queue) of each artifact that is still to be built or deleted."""
    query = f"SELECT a.path, a.wanted, {_IS_QUEUED} {_FROM} AND {_STALE} ORDER BY a.id"
    return list(db.execute(query, [site.id]).fetchall())


def build_now_paths(site: Site, number: int) -> list[str]:
    """The paths of artifacts with build 'now' that plan `number` invalidated."""
    rows = db.execute(
        "SELECT path FROM artifact WHERE site_id = ? AND marked = ? AND wanted AND build = 'now' ORDER BY id",
        [site.id, number],
    )
    return [path for (path,) in rows.fetchall()]
