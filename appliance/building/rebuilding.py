"""Files that a courier lacks, since the host that made them is gone or its own docroot lost them: built again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from appliance import db
from appliance.config import Config
from appliance.planning.plan import PUBLISH
from appliance.queue.requests import Request, enqueue

_CHUNK = 500


def ask(config: Config, paths: Sequence[str]) -> set[str]:
    """Enqueue what makes the files at `paths`; returns those paths that nothing makes, wanted or not.

    Whoever builds one that its docroot does not hold publishes it as a new version.
    """
    unknown, left = set(paths), iter(paths)
    while some := list(islice(left, _CHUNK)):
        rows = db.execute(
            f"""SELECT a.path, a.priority, a.every, s.name FROM artifact a JOIN site s ON s.id = a.site_id
                WHERE a.path IN ({db.marks(len(some))})""",
            some,
        ).fetchall()
        requests = [Request(path, priority, site, every=every) for path, priority, every, site in rows]
        if requests:
            enqueue(PUBLISH, requests, ageing=config.queue.ageing, reason="no host that is alive holds it")
        unknown -= {request.key for request in requests}
    return unknown
