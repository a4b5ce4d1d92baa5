"""Commands about the processes of all publishing hosts: list, pause, resume and recycle them."""

from __future__ import annotations

from dataclasses import asdict

from invoke import Context, task

from appliance.errors import QueueError
from appliance.queue import processes
from appliance.queue.processes import ProcessRequest
from appliance.tasks.command_line import command, print_json, print_line, print_table
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.processes import open_processes

_HELP = {
    "name": "The process, as `processes.list` shows it. A supervisor passes the request on to its processes.",
    "all": "Every process of every host.",
    **VERBOSE,
}


@task(name="list", help={**JSON, **VERBOSE})
@command
def processes_list(_context: Context, json: bool = False, verbose: bool = False) -> None:
    """List workers, couriers and supervisors with their current activity, memory, job count and pending request."""
    with open_processes() as verbs:
        rows, now = verbs.list_processes()
    if json:
        print_json([asdict(row) for row in rows])
        return
    if not rows:
        print_line("No process is running; `work` starts them.")
        return
    table = [
        [
            row.name,
            row.role,
            row.doing,
            f"{row.memory / (1 << 20):.0f} MiB",
            f"{row.jobs:,}",
            f"{max(0.0, now - row.started_at):.0f} s",
            f"{max(0.0, now - row.beat_at):.0f} s ago",
            row.request or "",
        ]
        for row in rows
    ]
    print_table(["process", "role", "doing", "memory", "jobs", "age", "beat", "asked to"], table)


@task(help=_HELP)
@command
def pause(_context: Context, name: str = "", all: bool = False, verbose: bool = False) -> None:
    """Stop a process from starting new work until it is resumed."""
    _request("pause", name, everyone=all)


@task(help=_HELP)
@command
def resume(_context: Context, name: str = "", all: bool = False, verbose: bool = False) -> None:
    """Resume a paused process."""
    _request("resume", name, everyone=all)


@task(help=_HELP)
@command
def recycle(_context: Context, name: str = "", all: bool = False, verbose: bool = False) -> None:
    """Shut a process down gracefully and start a fresh one in its place."""
    _request("recycle", name, everyone=all)


def _request(request: ProcessRequest, name: str, *, everyone: bool) -> None:
    if bool(name) == everyone:
        raise QueueError("name one process as processes.list shows it, or give --all")
    with open_processes() as verbs:
        names = processes.names_to_ask(request, verbs.list_processes()[0]) if everyone else [name]
        for each in names:
            verbs.request(each, request)
    print_line(f"asked to {request}: {', '.join(names) or 'no process is running'}")
