"""The queue in people's hands: list and show jobs, delete them, try them again, put them first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict
from typing import Any

from invoke import Context, task

from appliance import db
from appliance.queue import selection as queue
from appliance.queue.models import STATES
from appliance.queue.selection import ORDERS, Acted, Selection, Shown
from appliance.tasks.console import command, leave, opened, out, tell, tell_json
from appliance.tasks.filters import HELP, REPEATED, FilterError, filtered, numbers
from appliance.tasks.job_views import counted, show_list, show_one

_MOST = 2**31 - 1
_JSON = "One JSON document instead of lines."
_VERBOSE = "Show the stack trace of an error."
_ACTING = {
    "all-matching": "Act on all jobs for which the filters hold.",
    "dry-run": "Say what would be done, and do nothing.",
    "json": _JSON,
    "verbose": _VERBOSE,
}


@task(
    name="list",
    iterable=REPEATED,
    auto_shortflags=False,
    help={
        **HELP,
        "limit": "Show this many at most; 0 for all.",
        "sort": f"Sort by {', '.join(ORDERS)}; a hyphen before the word turns it round.",
        "json": _JSON,
        "verbose": _VERBOSE,
    },
)
@command
@filtered
def jobs_list(
    _context: Context,
    selection: Selection,
    limit: int = 50,
    sort: str = "queue",
    json: bool = False,
    verbose: bool = False,
) -> None:
    """List jobs: what runs, what waits in its order, what failed, and what is over. Numbers may follow plainly."""
    if sort.removeprefix("-") not in ORDERS:
        raise FilterError(f"--sort: “{sort}” is no order; sort by {', '.join(ORDERS)}.")
    with opened(), db.snapshot():
        jobs = queue.find(selection, sort, limit or _MOST)
        counts, now = queue.count(selection), db.now()
    if json:
        states = {state: counts[state] for state in STATES}
        tell_json({"counts": states, "jobs": [asdict(job) for job in jobs]})
        return
    if jobs:
        show_list(jobs, now)
    out.print(counted(counts))
    if len(jobs) < counts.total():
        tell(f"The first {len(jobs):,} are shown; --limit 0 shows all.")


@task(auto_shortflags=False, help={"json": _JSON, "verbose": _VERBOSE})
@command
def show(context: Context, json: bool = False, verbose: bool = False) -> None:
    """Say all that is known of the jobs whose numbers follow: why each exists, how often it was tried, its error."""
    wanted = numbers(context)
    if not wanted:
        raise FilterError("Say which jobs by their numbers, such as jobs.show 12 13; jobs.list shows them.")
    with opened():
        found = [shown for job in wanted if (shown := queue.show(job))]
        now = db.now()
    if json:
        tell_json([_whole(shown) for shown in found])
    else:
        for shown in found:
            show_one(shown, now)
    _leave_if_missing(set(wanted) - {shown.job.id for shown in found})


def _whole(shown: Shown) -> dict[str, Any]:
    chain = [asdict(trigger) for trigger in shown.chain]
    return {**asdict(shown.job), "trace": shown.trace, "payload": shown.payload, "chain": chain}


def _leave_if_missing(missing: Iterable[int]) -> None:
    if missing:
        leave("\n".join(f"{job}: there is no job of this number." for job in sorted(missing)), 1)


def _acting(**more: str) -> Callable[[Callable[..., None]], Any]:
    """Makes a task that acts on a selection of jobs."""

    def decorate(body: Callable[..., None]) -> Any:
        described = {**more, **HELP, **_ACTING}
        return task(iterable=REPEATED, auto_shortflags=False, help=described)(command(filtered(body)))

    return decorate


@_acting()
def delete(
    _context: Context, selection: Selection, all_matching: bool = False, dry_run: bool = False, json: bool = False,
    verbose: bool = False,
) -> None:  # fmt: skip
    """Cancel jobs that wait or are failed: those whose numbers follow, or all that the filters match."""
    _refuse_vague("delete", selection, all_matching)
    with opened():
        acted = _try(lambda: queue.delete(selection), dry_run)
        _report(selection, acted, dry_run, json)


@_acting()
def retry(
    _context: Context, selection: Selection, all_matching: bool = False, dry_run: bool = False, json: bool = False,
    verbose: bool = False,
) -> None:  # fmt: skip
    """Try failed jobs again, as if for the first time: those whose numbers follow, or all that the filters match."""
    _refuse_vague("retry", selection, all_matching)
    with opened():
        acted = _try(lambda: queue.retry(selection), dry_run)
        _report(selection, acted, dry_run, json)


@_acting(to="The new priority; higher is sooner. Pages have 10, feeds 9, archives 1 to 5.")
def prioritise(
    _context: Context, selection: Selection, to: str = "", all_matching: bool = False, dry_run: bool = False,
    json: bool = False, verbose: bool = False,
) -> None:  # fmt: skip
    """Give jobs that wait another priority: those whose numbers follow, or all that the filters match."""
    if not re.fullmatch(r"-?[0-9]{1,4}", to):
        raise FilterError("Say the new priority, a whole number, such as jobs.prioritise 12 13 --to 10.")
    _refuse_vague("prioritise", selection, all_matching)
    with opened() as (config, _):
        ageing = config.queue.ageing
        acted = _try(lambda: queue.prioritise(selection, int(to), ageing=ageing), dry_run)
        _report(selection, acted, dry_run, json, moved=("pending", f"priority {int(to)}"))


def _refuse_vague(verb: str, selection: Selection, all_matching: bool) -> None:
    """Acting needs numbers, or a filter and the word that it is meant.

    Raises:
        FilterError: neither was given.
    """
    if selection.ids:
        return
    if not selection:
        raise FilterError(
            f"Say which jobs: by their numbers, such as jobs.{verb} 12 13, or by a filter and --all-matching,"
            f" such as jobs.{verb} --state pending --all-matching."
        )
    if not all_matching:
        raise FilterError(f"Add --all-matching to {verb} every job these filters match; jobs.list shows them.")


class _Undo(Exception):  # noqa: N818 - no error
    """Takes back what was only tried."""


def _try(act: Callable[[], Acted], dry_run: bool) -> Acted:
    """Act; in a dry run, take it back."""
    acted: Acted = Counter()
    with suppress(_Undo), db.write() if dry_run else nullcontext():
        acted = act()
        if dry_run:
            raise _Undo
    return acted


def _report(
    selection: Selection, acted: Acted, dry_run: bool, json: bool, moved: tuple[str, str] = ("", "")
) -> None:  # fmt: skip
    """Say what was done, by state; exit status 1 when a job that was named is not there or was left alone."""
    done: dict[tuple[str, str], int] = {}
    left: dict[str, int] = {}
    for (before, after), number in sorted(acted.items()):
        if before != after:
            done[before, after] = number
        elif before == moved[0]:
            done[moved] = number
        else:
            left[before] = number
    known = {job.id for job in queue.find(Selection(ids=selection.ids or ()), limit=_MOST)}
    missing = sorted(set(selection.ids or ()) - known)
    if json:
        changed = [{"from": before, "to": after, "jobs": number} for (before, after), number in done.items()]
        tell_json({"dry_run": dry_run, "changed": changed, "left": left, "missing": missing})
    else:
        for line in _lines(done, left, dry_run):
            tell(line)
    if selection.ids and left and not missing:
        leave("", 1)
    _leave_if_missing(missing)


def _lines(done: Mapping[tuple[str, str], int], left: Mapping[str, int], dry_run: bool) -> Iterator[str]:
    would = "would become" if dry_run else "now"
    for (before, after), number in done.items():
        yield f"{number:,} {before}: {would} {after}"
    for state, number in left.items():
        yield f"{number:,} {state}: left alone"
    if not done and not left:
        yield "No job matches."
