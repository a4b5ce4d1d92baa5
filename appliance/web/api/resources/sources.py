"""Sources of a site: their last imports, and pulling one now."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import Field

from appliance import pull_job
from appliance.importing import pull_history, sources
from appliance.web.api.fields import Rows, Shown
from appliance.web.api.operations import Answer, Call, found, operation


class Source(Shown):
    """A folder or repository that the site is imported from. Times are seconds since the epoch."""

    name: str
    place: str = Field(description="The folder or repository; empty without the right to pull it.")
    every: str = Field(description="How often it is pulled by itself; empty for never.")
    revision: str = Field(description="The id of the commit that was imported last; empty for a folder.")
    pulled_at: int | None
    tried_at: int | None
    outcome: str = Field(description="`changed`, `unchanged` or `failed`; empty before the first pull.")
    error: str | None
    is_requested: bool = Field(description="Whether a pull of it waits or runs.")


class Pull(Shown):
    """A pull, or several in a row with the same result. Times are seconds since the epoch."""

    first_at: float = Field(description="When the first of them began.")
    started_at: float = Field(description="When the last of them began.")
    ended_at: float
    times: int
    outcome: str = Field(description="`changed`, `unchanged` or `failed`.")
    revision: str = Field(description="The id of the commit; empty for a folder.")
    error: str
    lines: list[str] = Field(description="The report of the import: what was added, changed and left out, and why.")


class PullRequested(Shown):
    """What was asked for. A worker does it."""

    requested: bool
    detail: str


@operation("GET", "/sites/{site}/sources", "source.read", answer=Rows[Source])
def list_sources(call: Call) -> Answer:
    """List the sources of a site and their last imports."""
    may_pull = call.may("source.pull")
    waiting = {one.name for one in sources.find_sources(call.config, site=call.site) if pull_job.is_requested(one)}
    rows = [
        {**asdict(state), "place": state.place if may_pull else "", "is_requested": state.name in waiting}
        for state in sources.source_states(call.config)
        if state.site == call.site
    ]
    return Answer({"rows": rows})


@operation("GET", "/sites/{site}/sources/{source}/pulls", "source.read", answer=Rows[Pull])
def list_pulls(call: Call) -> Answer:
    """List the last pulls of a source, the newest first, each with the report of its import."""
    (source,) = found(lambda: sources.find_sources(call.config, [call.path["source"]], call.site))
    return Answer({"rows": pull_history.read(source.site, source.name)})


@operation("POST", "/sites/{site}/sources/{source}/pull", "source.pull", answer=PullRequested, status=202)
def pull_source(call: Call) -> Answer:
    """Have a worker import a source as it is now."""
    (source,) = found(lambda: sources.find_sources(call.config, [call.path["source"]], call.site))
    pull_job.request_pull(call.config, source)
    return Answer({"requested": True, "detail": "A worker imports the source; its state tells when."})
