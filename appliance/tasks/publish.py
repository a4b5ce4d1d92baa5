"""Commands that publish: plan and enqueue, drain the queue, and work as a daemon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from invoke import Context, task

from appliance import clock, publishing, running
from appliance.config import Config, QueueSettings
from appliance.delivery import courier, shared_docroot
from appliance.planning.plan import Plan, PublishOptions
from appliance.tasks import api_mode
from appliance.tasks.command_line import (
    command,
    exit_with,
    open_installation,
    print_json,
    print_line,
    remaining_arguments,
    warn,
)
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.plan_output import explanation_json, format_summary, print_explanation, summary_json
from appliance.tasks.progress import ProgressBar
from appliance.tasks.publication import publish_later, refuse_others
from appliance.tasks.status import describe_target


@task(
    iterable=["site", "match"],
    auto_shortflags=False,
    help={
        "all": "Enqueue every artifact. An unchanged one is not rebuilt, but restored if its file is gone.",
        "allow-removals": "Delete unwanted files even if they are a large part of the site.",
        "force": "Rebuild everything, or the files that match, even if nothing changed.",
        "later": "Have workers plan and build it, as by an API.",
        "wait": "As --later, and wait at most so many seconds until every front end has it; exit status 1 if files"
        " failed, 2 if it is not done by then.",
        "limit": "With --plan: list at most this many files per reason; 0 lists all.",
        "match": "Build the artifacts with a path below the docroot that matches this pattern; may be repeated, and"
        " patterns may also follow as arguments.",
        "plan": "Show what would be built and deleted, and why, without changing anything.",
        "site": "Publish only this site; may be repeated.",
        **JSON,
        **VERBOSE,
    },
)
@command
def publish(
    context: Context,
    match: Sequence[str] | None = None,
    site: Sequence[str] | None = None,
    all: bool = False,
    plan: bool = False,
    force: bool = False,
    allow_removals: bool = False,
    limit: int = 10,
    later: bool = False,
    wait: float = 0.0,
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Enqueue all files that the changes since the last time affect; with --plan only list them.

    A file that cannot be published is reported on standard error and skipped. All others are published, and the exit
    status is 0.
    """
    patterns = [*(match or ()), *remaining_arguments(context)]
    if later or wait or api_mode.address():
        refuse_others(
            plan=plan, match=patterns, allow_removals=allow_removals,
            all=all and not force, force=force and not all,
        )  # fmt: skip
        publish_later(list(site or ()), rebuild=all and force, wait=wait, json=json)
        return
    options = PublishOptions(
        everything=all, force=force, patterns=patterns, allow_removals=allow_removals, explain=plan, asked=True
    )
    with open_installation() as (config, _):
        began = clock.monotonic()
        plans = publishing.publish(config, list(site or ()), options)
        if json:
            print_json([explanation_json(each) if plan else summary_json(each) for each in plans])
        elif plan:
            _print_explanations(plans, limit)
        else:
            for each in plans:
                print_line(format_summary(each, clock.monotonic() - began))
            if problem := shared_docroot.find_fault(config):
                warn(f"The jobs wait on the queue: {problem}")
    for sentence in (sentence for each in plans for sentence in (*each.notes, *each.faults)):
        warn(sentence)
    errors = [each.refusal for each in plans if each.refusal]
    if patterns and not any(each.enqueue_results.total() for each in plans):
        errors.append(
            f"No artifact matches {' or '.join(patterns)}; a pattern must match the whole path below the docroot,"
            " such as 2026/*/index.html."
        )
    if errors:
        exit_with("\n".join(errors), 1)


def _print_explanations(plans: Sequence[Plan], limit: int) -> None:
    shortened = [print_explanation(plan, limit) for plan in plans]
    if any(shortened):
        warn(f"Only the first {limit:,} files per reason are listed; --limit 0 lists all.")


_LIMITS: Final = {
    "workers": "The number of worker processes; by default as in the settings.",
    "pause": "Seconds that each worker pauses between two jobs.",
    "rate": "The most jobs per second that each worker starts.",
    "memory": "MiB of memory above which a worker is replaced by a fresh one.",
    "jobs-per-worker": "The number of jobs after which a worker is replaced by a fresh one.",
}
_VERBOSE: Final = {"verbose": "Report every push on standard error, and show the stack trace of an error."}


def _with_limits(config: Config, **limits: float) -> Config:
    """Return the settings, overridden by the limits from the command line that are not 0."""
    given = {name: value for name, value in limits.items() if value}
    if not given:
        return config
    queue = QueueSettings.model_validate(config.queue.model_dump() | given)
    return config.model_copy(update={"queue": queue})


@task(help={**_LIMITS, "limit": "Run at most this many jobs.", **_VERBOSE})
@command
def drain(
    _context: Context,
    workers: int = 0,
    limit: int = 0,
    pause: float = 0.0,
    rate: float = 0.0,
    memory: int = 0,
    jobs_per_worker: int = 0,
    verbose: bool = False,
) -> None:
    """Work until the queue is empty and targets are up to date; exit status 1 if jobs failed, 2 if targets lag."""
    with open_installation() as (config, _), ProgressBar("publishing", "jobs") as bar:
        began = clock.monotonic()
        result = running.drain(
            _with_limits(config, pause=pause, rate=rate, memory=memory, jobs_per_worker=jobs_per_worker),
            workers=workers or None,
            limit=limit or None,
            report=warn if verbose else courier.no_report,
            progress=bar.update,
        )
        seconds = clock.monotonic() - began
    _print_drain_result(result, seconds)


@task(
    help={
        **_LIMITS,
        "only": f"Run only these processes of the host, separated by commas: {', '.join(running.PARTS)}.",
        "once": "Exit when no job is due, for cron and timers; wait neither for retries nor for targets.",
        "limit": "With --once: run at most this many jobs.",
        **_VERBOSE,
    }
)
@command
def work(
    _context: Context,
    workers: int = 0,
    once: bool = False,
    only: str | None = None,
    limit: int = 0,
    pause: float = 0.0,
    rate: float = 0.0,
    memory: int = 0,
    jobs_per_worker: int = 0,
    verbose: bool = False,
) -> None:
    """Run the daemon until it is stopped; with --once exit when no job is due, with status 1 if jobs are failed."""
    if limit and not once:
        exit_with("--limit is for work --once and drain; a daemon has --jobs-per-worker, --pause and --rate", 1)
    parts = running.PARTS if only is None else _parse_parts(only)
    if once and only is not None:
        exit_with("--only is for the daemon; work --once runs workers and errands, so leave out one of the two", 1)
    with open_installation() as (settings, _):
        config = _with_limits(settings, pause=pause, rate=rate, memory=memory, jobs_per_worker=jobs_per_worker)
        if not once:
            report = warn if verbose else courier.no_report
            running.work(config, workers=workers or None, only=parts, report=report)
            return
        began = clock.monotonic()
        result = running.run_due_jobs(config, workers=workers or None, limit=limit or None)
        seconds = clock.monotonic() - began
    _print_drain_result(result, seconds)


def _parse_parts(text: str) -> list[str]:
    known, names = ", ".join(running.PARTS), [name.strip() for name in text.split(",")]
    for name in names:
        if name not in running.PARTS:
            problem = f"“{name}” is not a process of the host" if name else "a name is missing"
            exit_with(f"--only: {problem}; use some of {known}, separated by commas", 1)
    return [part for part in running.PARTS if part in names]


def _print_drain_result(result: running.DrainResult, seconds: float) -> None:
    rate = f", {result.jobs_done / seconds:,.0f} a second" if result.jobs_done > 10 else ""
    print_line(f"{result.jobs_done} jobs in {seconds:.2f} s{rate}; {result.publications} files changed")
    for target in result.targets:
        print_line(f"{target.name}: {describe_target(target)}")
    for key, message in result.waiting:
        print_line(f"{key}: waits: {message}")
    sentences = [f"{key}: failed: {message}" for key, message in result.failed]
    if result.interrupted:
        sentences.append("Interrupted; unfinished jobs stay on the queue.")
    if result.exit_code:
        exit_with("\n".join(sentences), result.exit_code)
