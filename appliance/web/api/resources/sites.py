"""Sites: which there are, what they hold, and publishing them."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from appliance import db, publishing
from appliance.config import Config
from appliance.content.sites import find_site
from appliance.editorial import count_comments, count_entries, site_publication
from appliance.paging import Counts
from appliance.queue import administration
from appliance.queue.administration import JobFilter
from appliance.web.admin import guard
from appliance.web.api.fields import CountOfRows, Rows, Sent, Shown
from appliance.web.api.operations import Answer, Call, operation

#: Comments and jobs of each state that are counted one by one; of more, the number is capped.
_COUNTED: Final = 1_000


class Site(Shown):
    """A site."""

    name: str
    title: str
    url: str
    description: str
    language: str
    timezone: str
    theme: str


class SiteDetails(Site):
    """A site with how much it holds."""

    entries: dict[str, CountOfRows] = Field(description="Number of entries and pages by status.")
    comments: dict[str, CountOfRows] = Field(description="Number of comments by status.")
    jobs: dict[str, CountOfRows] = Field(description="Number of jobs by state, those that are over aside.")


class Publication(Sent):
    """What to publish."""

    rebuild: bool = Field(False, description="Build every file of the site again, not only what changed.")


class PublicationQuery(Sent):
    """Since when."""

    since: float | None = Field(None, ge=0, le=1e11, description="Only jobs that failed since then are told.")


class FailedJob(Shown):
    """A job of the site that failed."""

    id: int
    key: str
    error: str


class FrontEndLevel(Shown):
    """Whether a front end has everything that was published."""

    name: str
    is_level: bool
    error: str | None = Field(description="Why the last push to it failed.")


class SitePublication(Shown):
    """How far a site is."""

    site: str
    is_planned: bool = Field(description="Whether no worker plans the site or is about to.")
    waiting: int = Field(description="Files that wait to be built, or are being built.")
    is_capped: bool = Field(description="Whether at least so many wait.")
    failed: list[FailedJob] = Field(description="The latest jobs that failed, 20 at most.")
    front_ends: list[FrontEndLevel]
    is_built: bool = Field(description="Whether nothing of the site waits to be planned or built.")
    is_level: bool = Field(description="Whether everything is built, and on every front end.")
    now: float = Field(description="The time of the database.")


class Requested(Shown):
    """What was asked for. A worker does it."""

    requested: bool
    since: float = Field(description="The time of the database when it was asked for, for the site's `publication`.")
    detail: str = Field(description="A sentence that says what happens now.")


@operation("GET", "/sites", "site.read", answer=Rows[Site])
def list_sites(call: Call) -> Answer:
    """List the sites on which you have a role."""
    return Answer({"rows": [_site(call.config, name) for name in guard.allowed_sites("site.read")]})


@operation("GET", "/sites/{site}", "site.read", answer=SiteDetails)
def read_site(call: Call) -> Answer:
    """Return a site and how much it holds."""
    jobs = JobFilter(states=["pending", "running", "failed"], scopes=[call.site])
    return Answer(
        {
            **_site(call.config, call.site),
            "entries": _by_state(count_entries(call.config, [call.site])),
            "comments": _by_state(count_comments(call.config, [call.site], cap=_COUNTED)),
            "jobs": _by_state(administration.count_jobs(jobs, reach=_COUNTED)),
        }
    )


@operation("POST", "/sites/{site}/publish", "site.publish", body=Publication, answer=Requested, status=202)
def publish_site(call: Call) -> Answer:
    """Have a worker publish what changed on a site, or build all of it again.

    Changes are published by themselves; this is for a theme that changed, and to make sure.
    """
    since = db.now()
    publishing.request_publication(call.config, call.site, rebuild=call.body.rebuild)
    what = "every file of the site" if call.body.rebuild else "what changed"
    return Answer({"requested": True, "since": since, "detail": f"A worker plans {what} now."})


@operation(
    "GET", "/sites/{site}/publication", "site.read", query=PublicationQuery, answer=SitePublication,
)  # fmt: skip
def read_site_publication(call: Call) -> Answer:
    """Tell how far the publication of a site is: planned, built, and on which front ends."""
    return Answer(site_publication.read_site_publication(call.config, call.site, call.query.since))


def _site(config: Config, name: str) -> dict[str, object]:
    row = find_site(config, name)
    return {field: getattr(row, field) for field in Site.model_fields}


def _by_state(counts: Counts) -> dict[str, object]:
    return {state: {"number": count.number, "is_capped": count.is_capped} for state, count in counts.by_state().items()}
