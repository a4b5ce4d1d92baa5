"""The command that runs periodic tasks for cron, or lists when each is due."""

from __future__ import annotations

from dataclasses import asdict
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance import clock, housekeeping
from appliance.config import Config
from appliance.queue.periodic import TaskRun, TaskState
from appliance.tasks.command_line import command, exit_with, open_installation, print_json, print_line, print_table
from appliance.tasks.option_help import JSON, VERBOSE


@task(help={"list": "Run nothing; show when each task was last due and is next due.", **JSON, **VERBOSE})
@command
def periodic(_context: Context, list: bool = False, json: bool = False, verbose: bool = False) -> None:
    """Run each periodic task that is due, once; exit status 1 when one failed."""
    with open_installation() as (config, _):
        schedule = housekeeping.make_schedule(config)
        if list:
            _print_states(config, schedule.states(), json)
            return
        runs = schedule.run_due()
    if json:
        print_json([asdict(run) for run in runs])
    for run in runs if not json else []:
        print_line(_format_run(run))
    if failed := [run for run in runs if run.error]:
        exit_with("\n".join(f"{run.name}: {run.error}" for run in failed), 1)


def _format_run(run: TaskRun) -> str:
    return f"{run.name}: {'failed' if run.error else run.did or 'nothing to do'}"


def _print_states(config: Config, states: list[TaskState], json: bool) -> None:
    if json:
        print_json([asdict(state) for state in states])
        return
    zone = config.schedule.timezone
    rows = [
        [state.name, _format_time(state.due_at, zone), state.host, _format_time(state.next_at, zone), state.error or ""]
        for state in states
    ]
    print_table(["task", "last due", "by", "next due", "last error"], rows)


def _format_time(time: float | None, zone: str) -> str:
    return "" if time is None else clock.to_datetime(time, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
