"""Jobs as people read them: tables of many, and the details of one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from appliance.errors import SourceExcerpt
from appliance.queue.administration import JobDetails, JobRow, Trigger
from appliance.queue.attempts import Attempt
from appliance.queue.models import STATES, State
from appliance.tasks.command_line import console, is_terminal, print_styled
from appliance.terminal_text import escape_line

STYLES: Final = {
    "pending": "yellow",
    "running": "cyan",
    "done": "green",
    "failed": "bold red",
    "superseded": "dim",
    "cancelled": "dim",
}

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def format_duration(seconds: float) -> str:
    """Return a duration in one unit: `4 s`, `12 min`, `3 h`, `9 d`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def print_counts(counts: Mapping[State, int]) -> None:
    """Print the number of jobs by state, without zeros: `1,204 pending · 2 running · 3 failed`."""
    parts: list[str | tuple[str, str]] = []
    for state in STATES:
        if number := counts.get(state):
            parts += [" · ", (f"{number:,} {state}", STYLES[state])]
    print_styled(*(parts[1:] or ["no jobs"]))


def describe_state(job: JobRow, now: float) -> str:
    """Return where a job stands: its worker, the time it is due, its error or its result."""
    if job.state == "running":
        return f"{job.worker}, for {format_duration(now - (job.claimed_at or now))}"
    if job.state == "pending" and job.run_at > now:
        why = f" after {job.failures} failure{'s'[: job.failures > 1]}" if job.failures else ""
        return f"due in {format_duration(job.run_at - now)}{why}"
    if job.state in ("failed", "superseded") and job.error_message:
        return job.error_message.partition("\n")[0]
    return job.outcome or ""


def print_jobs(jobs: Sequence[JobRow], now: float) -> None:
    """Print a table of jobs, fitted to a terminal or with full columns elsewhere."""
    header, rows = _cells(jobs, now)
    if not is_terminal():
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, expand=True, padding=(0, 2, 0, 0))
    for name in header:
        ratio = {"path": 3, "": 2}.get(name)
        right = name in ("job", "priority", "age")
        # A truncated number would read as another number.
        overflow = "ellipsis" if ratio else "fold"
        table.add_column(
            name,
            ratio=ratio,
            no_wrap=True,
            justify="right" if right else "left",
            overflow=overflow,  # type: ignore[arg-type]
        )
    for job, row in zip(jobs, rows, strict=True):
        style = "dim" if STYLES[job.state] == "dim" else ""
        table.add_row(
            *(Text(c, STYLES[job.state] if n == "state" else style) for n, c in zip(header, row, strict=True))
        )
    console().print(table, soft_wrap=False)


def _cells(jobs: Sequence[JobRow], now: float) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows. Kind and site are left out when all jobs have the same."""
    columns: dict[str, list[str]] = {
        "job": [str(job.id) for job in jobs],
        "state": [job.state for job in jobs],
        "priority": [str(job.priority) for job in jobs],
        "kind": [job.kind for job in jobs],
        "site": [job.scope for job in jobs],
        "path": [job.key for job in jobs],
        "age": [format_duration(now - job.created_at) for job in jobs],
        "": [describe_state(job, now) for job in jobs],
    }
    for name in ("kind", "site"):
        if len(set(columns[name])) < 2:
            del columns[name]
    return list(columns), [list(map(escape_line, cells)) for cells in zip(*columns.values(), strict=True)]


def print_job(details: JobDetails, now: float) -> None:
    """Print the details of a job: its properties, what triggered it, and its error."""
    job = details.job
    print_styled((f"job {job.id}", "bold"), "  ", (job.state, STYLES[job.state]), "  ", job.key)
    for name, value in _properties(details, now):
        print_styled((f"  {name:<10}", "dim"), value)
    for trigger in details.chain:
        print_styled(("  because   ", "dim"), describe_trigger(trigger, now))
    for attempt in details.attempts:
        print_styled(("  attempt   ", "dim"), describe_attempt(attempt, now))
    if job.error_message:
        print_styled(("  error     ", "dim"), (f"{job.error_class}: ", "bold red"), job.error_message)
    if excerpt := next((one.excerpt for one in reversed(details.attempts) if one.excerpt), None):
        print_styled(*_marked(excerpt))
    if details.trace and details.trace.strip():
        print_styled((textwrap.indent(details.trace.rstrip(), "    "), "dim"))


def _marked(excerpt: SourceExcerpt) -> Iterator[str | tuple[str, str]]:
    """The lines of a theme around a fault, which is marked."""
    yield f"    {excerpt.file}"
    for number, line in enumerate(excerpt.lines, excerpt.first):
        text = f"\n    {'>' if number == excerpt.line else ' '} {number:>4}  {line}"
        yield (text, "bold red") if number == excerpt.line else text


def _properties(details: JobDetails, now: float) -> Iterator[tuple[str, str]]:
    job = details.job
    yield "kind", f"{job.kind} {job.scope}".strip()
    every = f", at most every {format_duration(job.every)}" if job.every else ""
    yield "priority", f"{job.priority}{every}"
    times = "once" if job.triggers == 1 else f"{job.triggers:,} times"
    yield "enqueued", f"{times}, first {format_duration(now - job.created_at)} ago"
    if job.attempt:
        failures = f", {job.failures} of them failed" if job.failures else ""
        yield "attempts", f"{job.attempt}{failures}, the last by {job.worker or 'nobody'}"
    if text := describe_state(job, now) if job.state in ("pending", "running") else "":
        yield "now", text
    if job.finished_at is not None:
        outcome = f", {job.outcome}" if job.outcome else ""
        yield "ended", f"{format_duration(now - job.finished_at)} ago{outcome}"
    if details.payload:
        yield "payload", details.payload


def describe_trigger(trigger: Trigger, now: float) -> str:
    """Return what triggered a job: the reason, the actor, how often and when."""
    actor = f" by {trigger.actor}" if trigger.actor else ""
    change = f" (change {trigger.change_id})" if trigger.change_id is not None else ""
    count = f", {trigger.times:,} times" if trigger.times > 1 else ""
    return f"{trigger.reason}{actor}{change}{count}, {format_duration(now - trigger.last_at)} ago"


_RESULTS: Final = {"snoozed": "put off", "lost": "lost its worker"}


def describe_attempt(attempt: Attempt, now: float) -> str:
    """Return how an attempt ended, when, where, and how long it waited and ran."""
    first = attempt.number - attempt.times + 1
    number = f"{first} to {attempt.number}" if attempt.times > 1 else f"{attempt.number}"
    result = _RESULTS.get(attempt.result, attempt.result)
    error = f" ({attempt.error_class})" if attempt.error_class else ""
    where = f" on {attempt.worker}" if attempt.worker else ""
    spent = "" if attempt.ran is None else f", after {attempt.waited:.3f} s of waiting and {attempt.ran:.3f} s of work"
    return f"{number}: {result}{error}{where}, begun {format_duration(now - attempt.started_at)} ago{spent}"
