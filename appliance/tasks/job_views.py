"""Jobs as people read them: a table on a terminal, plain columns elsewhere, and all there is to say of one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from appliance.queue.models import STATES, State
from appliance.queue.selection import Row, Shown, Trigger
from appliance.tasks.console import out

STYLES: Final = {
    "pending": "yellow", "running": "cyan", "done": "green", "failed": "bold red", "superseded": "dim",
    "cancelled": "dim",
}  # fmt: skip

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def lasting(seconds: float) -> str:
    """A length of time in one unit: `4 s`, `12 min`, `3 h`, `9 d`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def counted(counts: Mapping[State, int]) -> Text:
    """`1,204 pending · 2 running · 3 failed`, without what there is none of."""
    parts = [Text(f"{counts[state]:,} {state}", STYLES[state]) for state in STATES if counts.get(state)]
    return Text(" · ").join(parts) if parts else Text("no jobs")


def standing(job: Row, now: float) -> str:
    """What there is to say of a job in its state."""
    if job.state == "running":
        return f"{job.worker}, for {lasting(now - (job.claimed_at or now))}"
    if job.state == "pending" and job.run_at > now:
        why = f" after {job.failures} failure{'s'[: job.failures > 1]}" if job.failures else ""
        return f"due in {lasting(job.run_at - now)}{why}"
    if job.state in ("failed", "superseded") and job.error_message:
        return job.error_message.partition("\n")[0]
    return job.outcome or ""


def show_list(jobs: Sequence[Row], now: float) -> None:
    """A row a job: fitted to a terminal, whole elsewhere."""
    header, rows = _cells(jobs, now)
    if not out.is_terminal:
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True, padding=(0, 2, 0, 0))
    for name in header:
        wide = {"path": 3, "": 2}.get(name)
        right = name in ("job", "priority", "age")
        # A number that is cut is another number.
        overflow = "ellipsis" if wide else "fold"
        table.add_column(
            name, ratio=wide, no_wrap=True, justify="right" if right else "left", overflow=overflow  # type: ignore[arg-type]
        )  # fmt: skip
    for job, row in zip(jobs, rows, strict=True):
        quiet = "dim" if STYLES[job.state] == "dim" else ""
        table.add_row(
            *(Text(c, STYLES[job.state] if n == "state" else quiet) for n, c in zip(header, row, strict=True))
        )
    out.print(table, soft_wrap=False)


def _cells(jobs: Sequence[Row], now: float) -> tuple[list[str], list[list[str]]]:
    """Header and cells; kind and site are left out where all jobs have the same."""
    columns: dict[str, list[str]] = {
        "job": [str(job.id) for job in jobs],
        "state": [job.state for job in jobs],
        "priority": [str(job.priority) for job in jobs],
        "kind": [job.kind for job in jobs],
        "site": [job.scope for job in jobs],
        "path": [job.key for job in jobs],
        "age": [lasting(now - job.created_at) for job in jobs],
        "": [standing(job, now) for job in jobs],
    }
    for name in ("kind", "site"):
        if len(set(columns[name])) < 2:
            del columns[name]
    return list(columns), [list(cells) for cells in zip(*columns.values(), strict=True)]


def show_one(shown: Shown, now: float) -> None:
    """A job, why it exists and how it went."""
    job = shown.job
    out.print(Text.assemble((f"job {job.id}", "bold"), "  ", (job.state, STYLES[job.state]), "  ", job.key))
    for name, value in _facts(shown, now):
        out.print(Text.assemble((f"  {name:<10}", "dim"), value))
    for trigger in shown.chain:
        out.print(Text.assemble(("  because   ", "dim"), because(trigger, now)))
    if job.error_message:
        out.print(Text.assemble(("  error     ", "dim"), (f"{job.error_class}: ", "bold red"), job.error_message))
    if shown.trace and shown.trace.strip():
        out.print(Text(textwrap.indent(shown.trace.rstrip(), "    "), "dim"))


def _facts(shown: Shown, now: float) -> Iterator[tuple[str, str]]:
    job = shown.job
    yield "kind", f"{job.kind} {job.scope}".strip()
    every = f", at most every {lasting(job.every)}" if job.every else ""
    yield "priority", f"{job.priority}{every}"
    times = "once" if job.triggers == 1 else f"{job.triggers:,} times"
    yield "asked for", f"{times}, first {lasting(now - job.created_at)} ago"
    if job.attempt:
        failures = f", {job.failures} of them failed" if job.failures else ""
        yield "attempts", f"{job.attempt}{failures}, the last by {job.worker or 'nobody'}"
    if said := standing(job, now) if job.state in ("pending", "running") else "":
        yield "now", said
    if job.finished_at is not None:
        how = f", {job.outcome}" if job.outcome else ""
        yield "ended", f"{lasting(now - job.finished_at)} ago{how}"
    if shown.payload:
        yield "payload", shown.payload


def because(trigger: Trigger, now: float) -> str:
    """What happened, who did it, how often and when: why a job exists."""
    who = f" by {trigger.actor}" if trigger.actor else ""
    change = f" (change {trigger.change_id})" if trigger.change_id is not None else ""
    often = f", {trigger.times:,} times" if trigger.times > 1 else ""
    return f"{trigger.reason}{who}{change}{often}, {lasting(now - trigger.last_at)} ago"
