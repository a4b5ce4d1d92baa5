"""Commands about jobs: list, show, delete, retry and prioritise them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from invoke import Context, task

from appliance.errors import FilterError
from appliance.queue.administration import ORDERS, Acted, JobDetails, JobFilter
from appliance.queue.models import STATES
from appliance.tasks.command_line import command, exit_with, print_json, print_line
from appliance.tasks.job_filters import HELP, REPEATED, parse_job_ids, with_job_filter
from appliance.tasks.job_output import print_counts, print_job, print_jobs
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.jobs import UNLIMITED, JobVerbs, open_jobs

_ACTION_HELP = {
    "all-matching": "Act on all jobs that match the filters.",
    "dry-run": "Show what would be done, and change nothing.",
    **JSON,
    **VERBOSE,
}


@task(
    name="list",
    iterable=REPEATED,
    auto_shortflags=False,
    help={
        **HELP,
        "limit": "Show at most this many; 0 shows all.",
        "sort": f"Sort by {', '.join(ORDERS)}; a hyphen before the name reverses the order.",
        **JSON,
        **VERBOSE,
    },
)
@command
@with_job_filter
def jobs_list(
    _context: Context,
    job_filter: JobFilter,
    limit: int = 50,
    sort: str = "queue",
    json: bool = False,
    verbose: bool = False,
) -> None:
    """List jobs: the running, the pending in their order, the failed, and the finished. Job ids may follow."""
    if sort.removeprefix("-") not in ORDERS:
        raise FilterError(f"--sort: “{sort}” is not an order; sort by {', '.join(ORDERS)}.")
    with open_jobs() as verbs:
        jobs, counts, now = verbs.read(job_filter, sort, limit or UNLIMITED)
    if json:
        states = {state: counts.get(state, 0) for state in STATES}
        print_json({"counts": states, "jobs": [asdict(job) for job in jobs]})
        return
    if jobs:
        print_jobs(jobs, now)
    print_counts(counts)
    if len(jobs) < sum(counts.values()):
        print_line(f"Only the first {len(jobs):,} are shown; --limit 0 shows all.")


@task(auto_shortflags=False, help={**JSON, **VERBOSE})
@command
def show(context: Context, json: bool = False, verbose: bool = False) -> None:
    """Show the details of the jobs with the ids that follow: what triggered each, its attempts, and its error."""
    ids = parse_job_ids(context)
    if not ids:
        raise FilterError("Give the ids of the jobs, such as jobs.show 12 13; jobs.list shows them.")
    with open_jobs() as verbs:
        found, now = verbs.show(ids)
    if json:
        print_json([_details_json(details) for details in found])
    else:
        for details in found:
            print_job(details, now)
    _exit_if_missing(set(ids) - {details.job.id for details in found})


def _details_json(details: JobDetails) -> dict[str, Any]:
    chain = [asdict(trigger) for trigger in details.chain]
    attempts = [asdict(attempt) for attempt in details.attempts]
    rest = {"trace": details.trace, "payload": details.payload, "chain": chain, "attempts": attempts}
    return {**asdict(details.job), **rest}


def _exit_if_missing(missing: Iterable[int]) -> None:
    if missing:
        exit_with("\n".join(f"{job}: there is no job with this id." for job in sorted(missing)), 1)


def _action(**options: str) -> Callable[[Callable[..., None]], Any]:
    """Decorate a function as a task that changes the jobs of a filter."""

    def decorate(body: Callable[..., None]) -> Any:
        described = {**options, **HELP, **_ACTION_HELP}
        return task(iterable=REPEATED, auto_shortflags=False, help=described)(command(with_job_filter(body)))

    return decorate


@_action()
def delete(
    _context: Context,
    job_filter: JobFilter,
    all_matching: bool = False,
    dry_run: bool = False,
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Cancel pending or failed jobs: those with the ids that follow, or all that match the filters."""
    _require_explicit_choice("delete", job_filter, all_matching)
    with open_jobs() as verbs:
        acted = verbs.delete(job_filter, dry_run=dry_run)
        missing = _missing(verbs, job_filter)
    _print_outcome(acted, missing, job_filter, dry_run, json)


@_action()
def retry(
    _context: Context,
    job_filter: JobFilter,
    all_matching: bool = False,
    dry_run: bool = False,
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Retry failed jobs from the beginning: those with the ids that follow, or all that match the filters."""
    _require_explicit_choice("retry", job_filter, all_matching)
    with open_jobs() as verbs:
        acted = verbs.retry(job_filter, dry_run=dry_run)
        missing = _missing(verbs, job_filter)
    _print_outcome(acted, missing, job_filter, dry_run, json)


@_action(to="The new priority; a higher one runs sooner. Pages have 10, feeds 9, archives 1 to 5.")
def prioritise(
    _context: Context,
    job_filter: JobFilter,
    to: str = "",
    all_matching: bool = False,
    dry_run: bool = False,
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Change the priority of pending jobs: those with the ids that follow, or all that match the filters."""
    if not re.fullmatch(r"-?[0-9]{1,4}", to):
        raise FilterError("Give the new priority as a whole number, such as jobs.prioritise 12 13 --to 10.")
    _require_explicit_choice("prioritise", job_filter, all_matching)
    with open_jobs() as verbs:
        acted = verbs.prioritise(job_filter, int(to), dry_run=dry_run)
        missing = _missing(verbs, job_filter)
    _print_outcome(acted, missing, job_filter, dry_run, json, moved=("pending", f"priority {int(to)}"))


def _require_explicit_choice(verb: str, job_filter: JobFilter, all_matching: bool) -> None:
    """Require job ids, or filters together with --all-matching.

    Raises:
        FilterError: neither was given.
    """
    if job_filter.ids:
        return
    if not job_filter:
        raise FilterError(
            f"Choose jobs by their ids, such as jobs.{verb} 12 13, or by filters and --all-matching,"
            f" such as jobs.{verb} --state pending --all-matching."
        )
    if not all_matching:
        raise FilterError(f"Add --all-matching to {verb} every job that matches these filters; jobs.list shows them.")


def _missing(verbs: JobVerbs, job_filter: JobFilter) -> list[int]:
    """Return the given ids that are of no job."""
    ids = set(job_filter.ids or ())
    return sorted(ids - verbs.known(ids))


def _print_outcome(
    acted: Acted, missing: Sequence[int], job_filter: JobFilter, dry_run: bool, json: bool,
    moved: tuple[str, str] = ("", ""),
) -> None:  # fmt: skip
    """Print what changed, by state. Exits with status 1 when a job given by id does not exist or was left alone."""
    done: dict[tuple[str, str], int] = {}
    unchanged: dict[str, int] = {}
    for (before, after), number in sorted(acted.items()):
        if before != after:
            done[before, after] = number
        elif before == moved[0]:
            done[moved] = number
        else:
            unchanged[before] = number
    if json:
        changed = [{"from": before, "to": after, "jobs": number} for (before, after), number in done.items()]
        print_json({"dry_run": dry_run, "changed": changed, "left": unchanged, "missing": missing})
    else:
        for line in _format_outcome(done, unchanged, dry_run):
            print_line(line)
    if job_filter.ids and unchanged and not missing:
        exit_with("", 1)
    _exit_if_missing(missing)


def _format_outcome(done: Mapping[tuple[str, str], int], unchanged: Mapping[str, int], dry_run: bool) -> Iterator[str]:
    would = "would become" if dry_run else "now"
    for (before, after), number in done.items():
        yield f"{number:,} {before}: {would} {after}"
    for state, number in unchanged.items():
        yield f"{number:,} {state}: left alone"
    if not done and not unchanged:
        yield "No job matches."
