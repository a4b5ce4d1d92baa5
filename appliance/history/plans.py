"""When the changes were made that jobs publish: the jobs were enqueued by a plan, and the plan was by the change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from typing import Final

from appliance import db

# The first condition is that of an index, literally.
_PLANS: Final = """
SELECT scope, claimed_at, finished_at, created_at FROM job
WHERE state IN ('done', 'superseded', 'cancelled') AND kind = 'plan' AND scope IN ({}) AND state = 'done'
  AND finished_at >= ? ORDER BY claimed_at
"""


class Plans:
    """The plans of some sites that ended since a moment."""

    def __init__(self, sites: Collection[str], since: float) -> None:
        """Read them. `since` is in seconds since the epoch."""
        rows = db.execute(_PLANS.format(db.placeholders(len(sites)) or "NULL"), [*sites, since]).fetchall()
        self._begun: dict[str, list[float]] = {}
        self._plans: dict[str, list[tuple[float, float]]] = {}
        for site, claimed_at, finished_at, created_at in rows:
            self._begun.setdefault(site, []).append(claimed_at)
            self._plans.setdefault(site, []).append((finished_at, created_at))

    def changed_at(self, site: str, asked_at: float) -> float:
        """When the first change was saved that a job publishes, by when the job was enqueued.

        A plan that several changes share was enqueued with the first of them. A job that no plan enqueued, such as that
        of a command, has been asked for directly, which counts as the change.
        """
        place = bisect_right(self._begun.get(site, []), asked_at) - 1
        if place < 0:
            return asked_at
        finished_at, created_at = self._plans[site][place]
        return created_at if asked_at <= finished_at else asked_at
