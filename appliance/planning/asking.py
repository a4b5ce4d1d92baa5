"""What planning asks of the queue: one job an artifact, and which ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.plan import PUBLISH
from appliance.queue import store
from appliance.queue.models import Answer
from appliance.queue.requests import Cause

#: Seconds that comments gather in which arrive while their page is built: at most eight builds a second of any page.
PAUSE: Final = 0.12

#: Those wanted, and those to delete.
_FROM: Final = """
FROM artifact a JOIN site s ON s.id = a.site_id
WHERE a.site_id = ? AND (a.wanted OR a.digest IS NOT NULL)
"""
_EVERY: Final = "CASE WHEN a.wanted THEN a.every ELSE 0 END"
_JOBS: Final = f"SELECT a.path AS key, s.name AS scope, a.priority AS priority, {{every}} AS every {_FROM}"
#: What is built by hand waits until somebody asks for it by path; what goes does not wait.
_BY_ITSELF: Final = "(NOT a.wanted OR a.build <> 'hand')"
_STALE: Final = f"a.marked > a.built AND {_BY_ITSELF}"


class Asking:
    """One planning's requests."""

    def __init__(self, site: Site, ageing: float, causes: Sequence[Cause], pause: float = 0.0) -> None:
        self._site = site
        self._ageing = ageing
        self._causes = causes
        self._pause = pause

    def marked(self, number: int, *, everything: bool) -> Counter[Answer]:
        """Ask for what planning `number` marked, or for all that is wanted besides."""
        return self._ask(f"(a.marked = ? {'OR a.wanted' if everything else ''}) AND {_BY_ITSELF}", [number])

    def named(self, paths: Sequence[str]) -> Counter[Answer]:
        """Ask for these by path: they wait for no interval and no hand."""
        answers: Counter[Answer] = Counter()
        for some in db.chunks(paths):
            answers += self._ask(f"a.wanted AND a.path IN ({db.marks(len(some))})", some, every="0")
        return answers

    def stale(self) -> Counter[Answer]:
        """Ask once more for what never came to be built or deleted."""
        return self._ask(_STALE, [])

    def _ask(self, condition: str, values: Sequence[object], every: str = _EVERY) -> Counter[Answer]:
        return store.enqueue_selected(
            PUBLISH,
            f"{_JOBS.format(every=every)} AND {condition} ORDER BY a.priority DESC, a.id",
            [self._site.id, *values],
            ageing=self._ageing,
            causes=self._causes,
            pause=self._pause,
        )


_WAITS: Final = f"""
EXISTS (SELECT 1 FROM job j WHERE j.kind = '{PUBLISH}' AND j.key = a.path AND j.state IN ('pending', 'running'))
"""


def stale(site: Site) -> list[tuple[str, bool, bool]]:
    """(path, whether it is wanted, whether it waits on the queue) of what is asked for and not yet built or deleted."""
    query = f"SELECT a.path, a.wanted, {_WAITS} {_FROM} AND {_STALE} ORDER BY a.id"
    return list(db.execute(query, [site.id]).fetchall())


def at_once(site: Site, number: int) -> list[str]:
    """The paths that planning `number` marked and that are built at once."""
    rows = db.execute(
        "SELECT path FROM artifact WHERE site_id = ? AND marked = ? AND wanted AND build = 'now' ORDER BY id",
        [site.id, number],
    )
    return [path for (path,) in rows.fetchall()]
