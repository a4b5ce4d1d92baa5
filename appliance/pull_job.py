"""The job that pulls a source: it imports the source and plans its site if that changed anything.

One worker at a time pulls a source. A source that cannot be fetched is logged and shown in `content.sources`; the next
due time tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from appliance import audit, db, logging, plan_job, publishing
from appliance.actor import current
from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import ApplianceError
from appliance.importing import Progress, sources
from appliance.importing.sources import PullResult, SiteSource
from appliance.queue import store
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, handler
from appliance.queue.models import State

#: The kind of the job. Its key is `SITE/SOURCE`.
PULL = "pull"

log = logging.get_logger("sources")


def pull(
    config: Config,
    source: SiteSource,
    *,
    allow_removals: bool = False,
    again: bool = False,
    progress: Progress | None = None,
) -> PullResult:
    """Import a source now, since somebody asks for it; enqueue a plan of its site with it when the site changed.

    Arguments and errors are those of `importing.sources.pull`.
    """
    audit.record("source.pull", "source", source.name, site=source.site, label=source.name)
    return _pull(config, source, allow_removals=allow_removals, again=again, progress=progress)


def _pull(
    config: Config,
    source: SiteSource,
    *,
    allow_removals: bool = False,
    again: bool = False,
    progress: Progress | None = None,
) -> PullResult:
    on_change = partial(_enqueue_plan, config)
    with plan_job.hold_back_import(source.site):
        return sources.pull(
            config, source, allow_removals=allow_removals, again=again, progress=progress, on_change=on_change
        )


def enqueue_pull(config: Config, source: SiteSource, reason: str = "due", *, actor: str = "schedule") -> str:
    """Enqueue the pull of a source on behalf of `actor`; returns a sentence for the log."""
    request = JobRequest(f"{source.site}/{source.name}", scope=source.site)
    with db.write():
        enqueue(PULL, [request], ageing=config.queue.ageing, causes=[Cause(reason, actor)])
    return f"enqueued the pull of {source.name}"


def request_pull(config: Config, source: SiteSource) -> None:
    """Have a worker pull a source, since somebody asks for it."""
    request = JobRequest(f"{source.site}/{source.name}", scope=source.site)
    with db.write():
        enqueue(PULL, [request], ageing=config.queue.ageing, causes=[Cause("asked for", current().name)])
        audit.record("source.pull", "source", source.name, site=source.site, label=source.name)


def is_requested(source: SiteSource) -> bool:
    """Return whether a pull of a source waits or runs."""
    return bool(open_pulls([source]))


def open_pulls(chosen: Sequence[SiteSource]) -> dict[str, tuple[State, str]]:
    """The pulls of some sources that run or wait for a worker: state and worker by `SITE/SOURCE`."""
    return store.open_jobs(PULL, [f"{one.site}/{one.name}" for one in chosen])


@handler(PULL)
def pull_source(_payload: object, context: JobContext) -> Outcome:
    """Pull the source that the key of the job names. An error is logged and shown with the state of the source."""
    site, _, name = context.key.partition("/")
    try:
        (source,) = sources.find_sources(context.config, [name], site)
        return "changed" if _pull(context.config, source).changed else "unchanged"
    except ApplianceError as error:
        log.warning("source.failed", site=site, source=name, error=str(error))
        return "unchanged"


def _enqueue_plan(config: Config, site: Site, reason: str) -> None:
    publishing.enqueue_plan(config, site, Cause(reason, "import"))
