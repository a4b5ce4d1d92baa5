"""Commands about the folders and git repositories that feed the sites."""

from __future__ import annotations

from dataclasses import asdict
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance import clock
from appliance.errors import ApplianceError
from appliance.importing import sources
from appliance.importing.sources import PullResult, SourceState
from appliance.tasks.command_line import (
    command,
    exit_with,
    open_installation,
    print_json,
    print_line,
    print_table,
    remaining_arguments,
)
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.sources import open_sources


@task(
    help={
        "site": "Only sources of this site.",
        "allow_removals": "Import even if that removes a large part of the entries from this source.",
        "again": "Import a commit again that was imported before.",
        **VERBOSE,
    }
)
@command
def pull(
    context: Context, site: str = "", allow_removals: bool = False, again: bool = False, verbose: bool = False
) -> None:
    """Import the current state of the named sources, or of all, and plan the sites that it changes."""
    from appliance import pull_job  # imports all of publishing, which `content.sources` does not need

    failures = []
    with open_installation() as (config, _):
        for source in sources.find_sources(config, remaining_arguments(context), site):
            try:
                _print_pull(pull_job.pull(config, source, allow_removals=allow_removals, again=again))
            except ApplianceError as error:
                failures.append(f"{source.site}, {source.name}: {error}")
    if failures:
        exit_with("\n".join(failures), 1)


@task(name="sources", help={"site": "Only sources of this site.", **JSON, **VERBOSE})
@command
def sources_list(_context: Context, site: str = "", json: bool = False, verbose: bool = False) -> None:
    """List the sources of the sites: the commit each is at, when it was last pulled, and its last error."""
    with open_sources() as verbs:
        states, zones = verbs.list_sources(site)
    if json:
        print_json([asdict(state) for state in states])
    elif states:
        rows = [_row(zones[state.site], state) for state in states]
        print_table(["site", "source", "from", "every", "at", "last pulled", "outcome"], rows)
    else:
        print_line("No site has a source; docs/how-to/edit-in-git.md shows how to add one.")
    for state in states if not json else []:
        if state.error:
            print_line(f"{state.site}, {state.name}: {state.error}")


def _print_pull(pulled: PullResult) -> None:
    at = f" at {pulled.revision[:12]}" if pulled.revision else ""
    print_line(f"{pulled.source.site}, {pulled.source.name}{at}: {'changed' if pulled.changed else 'nothing new'}")
    for line in pulled.report.lines() if pulled.report else []:
        print_line(line)


def _row(timezone: str, state: SourceState) -> list[str]:
    zone = ZoneInfo(timezone)
    pulled_at = (
        "never" if state.pulled_at is None else clock.to_datetime(state.pulled_at, zone).strftime("%Y-%m-%d %H:%M:%S")
    )
    every = state.every or "when asked"
    return [state.site, state.name, state.place, every, state.revision[:12], pulled_at, state.outcome]
