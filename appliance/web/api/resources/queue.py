"""Jobs of all sites: listed, explained, and retried, deleted or prioritised by a filter, wherever the caller may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from pydantic import Field
from werkzeug.exceptions import Forbidden

from appliance import db
from appliance.queue import administration
from appliance.queue.administration import ORDERS, Acted, JobFilter, TextFilter
from appliance.web.admin import guard
from appliance.web.admin.visible_jobs import limited
from appliance.web.api.fields import PageOf, PageQuery, Sent, Shown
from appliance.web.api.operations import Answer, Call, operation
from appliance.web.api.problems import Problem
from appliance.web.api.resources.jobs import (
    MOST_COUNTED,
    BulkResult,
    Job,
    JobAttempt,
    JobSelection,
    JobTrigger,
    StateChange,
    require_expected,
    shown_attempts,
)

_MOST: Final = 999_999_999


class QueuedJob(Job):
    """A job of any site."""

    scope: str = Field(description="The site; empty for a job of no site.")
    every: float = Field(description="Seconds between two runs of its key at least.")


class ExplainedJob(QueuedJob):
    """A job of any site with why it exists."""

    trace: str | None = Field(description="The stack trace of the last error; null without the right to retry jobs.")
    payload: str | None = Field(description="What it works on; null without the right to delete jobs.")
    chain: list[JobTrigger]
    attempts: list[JobAttempt]


class ExplainedJobs(Shown):
    """Jobs with why they exist, at one moment."""

    rows: list[ExplainedJob]
    now: float = Field(description="The time of the database, for ages.")


class QueueSelection(JobSelection):
    """Which jobs. All given conditions hold; one with several values holds for any of them."""

    site: list[str] = Field([], max_length=500)
    priority_from: int | None = Field(None, ge=-_MOST, le=_MOST)
    priority_to: int | None = Field(None, ge=-_MOST, le=_MOST)
    key_like: str = Field("", max_length=1000, description="A pattern for the whole key, with the wildcards * and ?.")
    key_without: str = Field("", max_length=1000, description="What the key does not contain.")

    def of_sites(self, sites: Iterable[str]) -> JobFilter:
        """The filter of jobs of these sites, or of all without any."""
        chosen = self.of_site("")
        keys = [*chosen.keys]
        keys += [TextFilter("glob", self.key_like)] if self.key_like else []
        keys += [TextFilter("not", self.key_without)] if self.key_without else []
        return replace(
            chosen, ids=None if chosen.ids is None else tuple(chosen.ids), states=tuple(chosen.states),
            kinds=tuple(chosen.kinds), scopes=tuple(sites), workers=tuple(chosen.workers), keys=tuple(keys),
            errors=tuple(chosen.errors), priority_from=self.priority_from, priority_to=self.priority_to,
        )  # fmt: skip


class QueueQuery(QueueSelection, PageQuery):
    """Which jobs, and in which order."""

    order: str = Field(
        "queue", pattern=f"^-?({'|'.join(ORDERS)})$",
        description=f"One of {', '.join(ORDERS)}; a hyphen before it turns it round. All but `queue`, `id` and `path`"
        " take longer the more jobs match.",
    )  # fmt: skip


class JobNumbers(Sent):
    """Which jobs, by their ids."""

    id: list[int] = Field(min_length=1, max_length=500)


class QueueAction(Sent):
    """An action on all jobs that match a filter."""

    filter: QueueSelection
    all: bool = Field(False, description="Whether a filter without conditions is meant: all jobs.")
    dry_run: bool = Field(False, description="Do nothing; only tell what would be done.")
    expected: int | None = Field(
        None, ge=0, description="Do nothing unless so many jobs would change: the number of a dry run."
    )


class QueuePriorities(QueueAction):
    """The new priority of all pending jobs that match a filter."""

    priority: int = Field(ge=-9999, le=9999, description="Higher is sooner.")


class ExactCounts(Shown):
    """Numbers of jobs by state, at one moment."""

    states: dict[str, int]
    now: float = Field(description="The time of the database, for ages.")


@operation("GET", "/jobs", "job.read", query=QueueQuery, answer=PageOf[QueuedJob])
def list_all_jobs(call: Call) -> Answer:
    """List the jobs of all sites whose jobs one may see."""
    asked: QueueQuery = call.query
    page = administration.list_jobs(
        _visible(asked), asked.order, size=asked.size, after=asked.after, with_total=asked.total, counted=MOST_COUNTED
    )
    return Answer(page)


@operation("GET", "/jobs/counts", "job.read", query=QueueSelection, answer=ExactCounts)
def count_all_jobs(call: Call) -> Answer:
    """Count the jobs of all sites by state. The counts are exact, and take longer the more jobs match."""
    return Answer({"states": administration.count(_visible(call.query)), "now": db.now()})


@operation("GET", "/jobs/details", "job.read", query=JobNumbers, answer=ExplainedJobs)
def explain_jobs(call: Call) -> Answer:
    """Return jobs by their ids, and why they exist. An id of no job is left out."""
    visible = {job.id for job in administration.find(_visible(QueueSelection(id=call.query.id)), limit=500)}
    rows: list[dict[str, Any]] = []
    for number in call.query.id:
        details = administration.show(number) if number in visible else None
        if details is None:
            continue
        may = {action: call.principal.may(action, details.job.scope) for action in ("job.retry", "job.delete")}
        rows.append(
            {
                **QueuedJob.model_validate(details.job).model_dump(),
                "trace": details.trace if may["job.retry"] else None,
                "payload": details.payload if may["job.delete"] else None,
                "chain": details.chain,
                "attempts": shown_attempts(details, may["job.retry"]),
            }
        )
    return Answer({"rows": rows, "now": db.now()})


@operation("POST", "/jobs/retry", "job.retry", body=QueueAction, answer=BulkResult, is_transaction=False)
def retry_all_jobs(call: Call) -> Answer:
    """Retry the failed jobs that match a filter, as if for the first time, on all sites where one may."""
    chosen = _chosen(call, "job.retry")
    return _act(call, lambda: administration.retry(chosen))


@operation("POST", "/jobs/delete", "job.delete", body=QueueAction, answer=BulkResult, is_transaction=False)
def delete_all_jobs(call: Call) -> Answer:
    """Cancel the jobs that match a filter, if they wait or have failed, on all sites where one may."""
    chosen = _chosen(call, "job.delete")
    return _act(call, lambda: administration.delete(chosen))


@operation("POST", "/jobs/prioritise", "job.prioritise", body=QueuePriorities, answer=BulkResult, is_transaction=False)
def prioritise_all_jobs(call: Call) -> Answer:
    """Change the priority of the pending jobs that match a filter, on all sites where one may."""
    chosen, ageing = _chosen(call, "job.prioritise"), call.config.queue.ageing
    return _act(call, lambda: administration.prioritise(chosen, call.body.priority, ageing=ageing), "pending")


def _visible(asked: QueueSelection) -> JobFilter:
    return limited(asked.of_sites(asked.site), "job.read")


def _chosen(call: Call, action: str) -> JobFilter:
    """The filter of what is to be acted on.

    Raises:
        Problem: it has no conditions.
        Forbidden: it names sites or jobs that the caller may see and no more.
    """
    asked: QueueSelection = call.body.filter
    chosen = limited(asked.of_sites(asked.site), action)
    if not asked.has_conditions() and not call.body.all:
        raise Problem(422, "The filter has no conditions; give some, or say “all” if all jobs are meant.", "invalid")
    if guard.principal().may(action, ""):
        return chosen
    only_seen = set(guard.allowed_sites("job.read")) - set(guard.allowed_sites(action))
    named = set(asked.site)
    if asked.id:
        named |= {job.scope for job in administration.find(_visible(QueueSelection(id=asked.id)), limit=500)}
    if named & only_seen:
        raise Forbidden
    return chosen


def _act(call: Call, act: Callable[[], Acted], same: str = "") -> Answer:
    """The answer of what was done, or would be. An action may keep the state of the jobs that it changes."""
    is_dry: bool = call.body.dry_run
    with db.write(rollback=is_dry):
        acted = act()
        changed = {states: number for states, number in acted.items() if states[0] != states[1] or states[0] == same}
        number = sum(changed.values())
        require_expected(call.body.expected, number)
    rows = [StateChange(before=before, after=after, number=found) for (before, after), found in sorted(acted.items())]
    return Answer(BulkResult(dry_run=is_dry, number=number, jobs=rows), changed=bool(number))
