"""The command that runs periodic tasks for cron, or lists when each is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance import clock
from appliance.overview.durations import duration
from appliance.queue.periodic import TaskRun, TaskState
from appliance.queue.periodic_history import RunRow
from appliance.tasks.command_line import command, exit_with, print_json, print_line, print_table
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.periodic import open_periodic


@task(
    help={
        "list": "Run nothing; show when each task was last due and is next due.",
        "run": "Run nothing here; have whichever publishing host is first run the task with this name now.",
        "runs": "Run nothing; show the last runs of the task with this name: when, how long, and how each ended.",
        **JSON,
        **VERBOSE,
    }
)
@command
def periodic(
    _context: Context, list: bool = False, run: str = "", runs: str = "", json: bool = False, verbose: bool = False
) -> None:
    """Run each periodic task that is due, once; exit status 1 when one failed."""
    with open_periodic() as verbs:
        if list:
            _print_states(*verbs.list_tasks(), json)
            return
        if runs:
            _print_runs(*verbs.runs_of(runs), json)
            return
        if run:
            verbs.request_run(run)
            print_line(f"{run}: a publishing host runs it now")
            return
        ended = verbs.run_due()
    if json:
        print_json([asdict(ran) for ran in ended])
    for ran in ended if not json else []:
        print_line(_format_run(ran))
    if failed := [ran for ran in ended if ran.error]:
        exit_with("\n".join(f"{ran.name}: {ran.error}" for ran in failed), 1)


def _format_run(run: TaskRun) -> str:
    return f"{run.name}: {'failed' if run.error else run.did or 'nothing to do'}"


def _print_states(states: Sequence[TaskState], zone: str, json: bool) -> None:
    if json:
        print_json([asdict(state) for state in states])
        return
    rows = [
        [state.name, _format_time(state.due_at, zone), state.host, _format_time(state.next_at, zone), state.error or ""]
        for state in states
    ]
    print_table(["task", "last due", "by", "next due", "last error"], rows)


def _print_runs(runs: Sequence[RunRow], zone: str, json: bool) -> None:
    if json:
        print_json([asdict(run) for run in runs])
        return
    rows = [
        [
            _format_time(run.started_at, zone), duration(run.ended_at - run.started_at), run.host, f"{run.times:,}",
            f"failed: {run.error}" if run.error else run.did or "nothing to do",
        ]
        for run in runs
    ]  # fmt: skip
    print_table(["began", "took", "by", "times", "result"], rows)


def _format_time(time: float | None, zone: str) -> str:
    return "" if time is None else clock.to_datetime(time, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
