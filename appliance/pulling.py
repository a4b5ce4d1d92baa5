"""Pulling sources on the queue: a kind of job that imports one source and has its site planned when that changed it.

Guarantees that a source is pulled by one worker at a time whoever asks, and that a source which cannot be had costs
nothing but a note: it is said in `content.sources`, and the next due time tries again.
"""

from __future__ import annotations

from functools import partial

from appliance import db, publishing, telemetry
from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import ApplianceError
from appliance.importing import sources
from appliance.importing.folder import Progress
from appliance.importing.sources import Named, Pulled
from appliance.queue.kinds import Errand, Outcome, kind
from appliance.queue.requests import Cause, Request, enqueue

#: The kind of job that pulls a source; its key is the site's name and the source's.
PULL = "pull"

log = telemetry.logger("sources")


def pull(
    config: Config,
    source: Named,
    *,
    allow_removals: bool = False,
    again: bool = False,
    progress: Progress | None = None,
) -> Pulled:
    """Import a source now (`again` also a commit that was imported), and have its site planned if that changed it.

    Raises:
        ContentError: it cannot be had, or would remove too much; nothing has been touched.
    """
    on_change = partial(_ask_planning, config)
    return sources.pull(
        config, source, allow_removals=allow_removals, again=again, progress=progress, on_change=on_change
    )


def ask(config: Config, source: Named, reason: str = "its time has come") -> str:
    """Have a worker pull a source; returns what was done, in words."""
    request = Request(f"{source.site}/{source.name}", scope=source.site)
    with db.write():
        enqueue(PULL, [request], ageing=config.queue.ageing, causes=[Cause(reason, "schedule")])
    return f"asked to pull {source.name}"


@kind(PULL)
def perform(_payload: object, errand: Errand) -> Outcome:
    """Pull the source that the job's key names."""
    site, _, name = errand.key.partition("/")
    try:
        (source,) = sources.find(errand.config, [name], site)
        return "changed" if pull(errand.config, source).changed else "unchanged"
    except ApplianceError as error:
        log.warning("source.failed", site=site, source=name, error=str(error))
        return "unchanged"


def _ask_planning(config: Config, site: Site, reason: str) -> None:
    publishing.ask(config, site, Cause(reason, "import"))
