"""The command that reports on the queue and the targets."""

from __future__ import annotations

from pathlib import Path

from invoke import Context, task

from appliance.delivery.target_state import TargetState
from appliance.tasks.command_line import command, print_json, print_line
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.target_output import count_waiting, target_json
from appliance.tasks.verbs.status import StatusVerbs, open_status


@task(
    help={
        "metrics": "Write Prometheus metrics to this file instead, for node_exporter; - for standard output.",
        **JSON,
        **VERBOSE,
    }
)
@command
def status(_context: Context, json: bool = False, metrics: str = "", verbose: bool = False) -> None:
    """Show the number of jobs by state, failed jobs, and how far each target is."""
    with open_status() as verbs:
        if metrics:
            _write_metrics(verbs, metrics)
            return
        found, problem = verbs.read(), verbs.find_fault()
    if json:
        failed = [failure._asdict() for failure in found.failed]
        document = {"jobs": found.jobs, "failed": failed, "unknown": found.unknown, "conflicts": found.conflicts}
        print_json({**document, "away": problem, "targets": [target_json(state) for state in found.targets]})
        return
    print_line("jobs: " + ", ".join(f"{number:,} {state}" for state, number in found.jobs.items()))
    for kind, number in found.unknown.items():
        print_line(f"left alone: {number:,} of the kind “{kind}”, which this release does not know")
    for failure in found.failed:
        print_line(f"failed: {failure.key}: {failure.error}")
    for sentence in found.conflicts:
        print_line(f"left out: {sentence}")
    if problem:
        print_line(f"nothing is published for now: {problem}")
    for target in found.targets:
        print_line(f"{target.name}: {describe_target(target)}")


def _write_metrics(verbs: StatusVerbs, file: str) -> None:
    if file == "-":
        print(verbs.render_metrics().decode(), end="")
    else:
        verbs.write_metrics(Path(file).absolute())


def describe_target(target: TargetState) -> str:
    """Return in one line how far a target is."""
    if target.level:
        return "level"
    error = f"; {target.error}" if target.error else ""
    ahead = f"; what is published now is sent first, {target.ahead_lag:.0f} s behind" if target.has_backlog else ""
    return f"behind by {count_waiting(target)}, for {target.lag:.0f} s{ahead}{error}"
