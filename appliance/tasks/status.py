"""The command that reports on the queue and the targets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from invoke import Context, task

from appliance.config import Config
from appliance.delivery import shared_docroot, target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import courier_targets
from appliance.planning.faults import recorded_faults
from appliance.queue import store
from appliance.tasks.command_line import command, open_installation, print_json, print_line
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.target_output import count_waiting, target_json

#: The job kinds of this release. The rooms that handle them would register them, but counting jobs must not import
#: those rooms.
KINDS: Final = frozenset(
    {
        *(
            "mail",
            "mail-account",
            "mail-confirmation",
            "mail-digest",
            "mail-link",
            "mail-reply",
            "plan",
            "preview",
            "publish",
            "pull",
            "purge",
        ),
        *("check-target", "look-at-page", "rebuild", "verify-target"),
        *("spam-check", "spam-report", "webhook", "webhook-events"),
    }
)


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
    with open_installation() as (config, _):
        if metrics:
            _write_metrics(config, metrics)
            return
        counts, failures, unknown = store.count_by_state(), store.recent_failures(), store.count_unknown_kinds(KINDS)
        states, problem = target_state.read_all(courier_targets(config)), shared_docroot.find_fault(config)
        conflicts = recorded_faults([site.name for site in config.sites])
    if json:
        failed = [{"kind": kind, "key": key, "error": message} for kind, key, message in failures]
        document = {"jobs": counts, "failed": failed, "unknown": unknown, "conflicts": conflicts, "away": problem}
        print_json({**document, "targets": [target_json(state) for state in states]})
        return
    print_line("jobs: " + ", ".join(f"{number:,} {state}" for state, number in counts.items()))
    for kind, number in unknown.items():
        print_line(f"left alone: {number:,} of the kind “{kind}”, which this release does not know")
    for _, key, message in failures:
        print_line(f"failed: {key}: {message}")
    for sentence in conflicts:
        print_line(f"left out: {sentence}")
    if problem:
        print_line(f"nothing is published for now: {problem}")
    for target in states:
        print_line(f"{target.name}: {describe_target(target)}")


def _write_metrics(config: Config, file: str) -> None:
    from appliance.running import metrics

    if file == "-":
        print(metrics.render(config).decode(), end="")
    else:
        metrics.write_textfile(config, Path(file).absolute())


def describe_target(target: TargetState) -> str:
    """Return in one line how far a target is."""
    if target.level:
        return "level"
    error = f"; {target.error}" if target.error else ""
    return f"behind by {count_waiting(target)}, for {target.lag:.0f} s{error}"
