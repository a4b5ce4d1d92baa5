"""The processes of all hosts: see what each is doing, have them pause, resume or be replaced."""

from __future__ import annotations

from dataclasses import asdict

from invoke import Context, task

from appliance import db
from appliance.errors import QueueError
from appliance.queue import processes
from appliance.queue.processes import Ask
from appliance.tasks.console import command, opened, tell, tell_json, tell_table

_HELP = {
    "name": "The process, as `processes.list` names it; a supervisor passes it on to all it keeps.",
    "all": "Every process of every host.",
    "verbose": "Show the stack trace of an error.",
}


@task(
    name="list",
    help={"json": "One JSON document instead of a table.", "verbose": "Show the stack trace of an error."},
)
@command
def processes_list(_context: Context, json: bool = False, verbose: bool = False) -> None:
    """List workers, couriers and supervisors: what each is doing, its memory, its jobs, and what was asked of it."""
    with opened():
        rows, now = processes.list(), db.now()
    if json:
        tell_json([asdict(row) for row in rows])
        return
    if not rows:
        tell("No process is running; `work` starts them.")
        return
    table = [
        [
            row.name, row.role, row.doing, f"{row.memory / (1 << 20):.0f} MiB", f"{row.jobs:,}",
            f"{max(0.0, now - row.started_at):.0f} s", f"{max(0.0, now - row.beat_at):.0f} s ago", row.request or "",
        ]
        for row in rows
    ]  # fmt: skip
    tell_table(["process", "role", "doing", "memory", "jobs", "age", "beat", "asked to"], table)


@task(help=_HELP)
@command
def pause(_context: Context, name: str = "", all: bool = False, verbose: bool = False) -> None:
    """Have a process begin nothing new until it is asked to resume."""
    _ask("pause", name, everyone=all)


@task(help=_HELP)
@command
def resume(_context: Context, name: str = "", all: bool = False, verbose: bool = False) -> None:
    """Have a process that was paused go on."""
    _ask("resume", name, everyone=all)


@task(help=_HELP)
@command
def recycle(_context: Context, name: str = "", all: bool = False, verbose: bool = False) -> None:
    """Have a process end in good order and a fresh one take its place."""
    _ask("recycle", name, everyone=all)


def _ask(request: Ask, name: str, *, everyone: bool) -> None:
    if bool(name) == everyone:
        raise QueueError("name one process, as processes.list does, or give --all")
    with opened():
        # Asking the supervisors to recycle has theirs replaced one by one instead of all at once.
        rows = [row for row in processes.list() if request != "recycle" or not row.keeper]
        names = [row.name for row in rows] if everyone else [name]
        for each in names:
            processes.ask(each, request)
    tell(f"asked to {request}: {', '.join(names) or 'no process is running'}")
