"""Commands about the folders and git repositories that feed the sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance import clock
from appliance.errors import ApplianceError, ContentError
from appliance.importing import sources
from appliance.importing.sources import PullResult, SourceState
from appliance.tasks import api_mode
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
from appliance.tasks.verbs.sources import SourceVerbs, open_sources

#: Seconds between two looks whether a worker has pulled.
_LOOK: Final = 0.25
_OUTCOMES: Final = {"changed": "changed", "unchanged": "nothing new"}


@task(
    help={
        "site": "Only sources of this site.",
        "allow_removals": "Import even if that removes a large part of the entries from this source.",
        "again": "Import a commit again that was imported before.",
        "later": "Have workers import them, as by an API.",
        "wait": "As --later, and wait at most so many seconds for them; exit status 1 if one failed, 2 if one is not"
        " done by then.",
        **VERBOSE,
    }
)
@command
def pull(
    context: Context,
    site: str = "",
    allow_removals: bool = False,
    again: bool = False,
    later: bool = False,
    wait: float = 0.0,
    verbose: bool = False,
) -> None:
    """Import the current state of the named sources, or of all, and plan the sites that it changes."""
    if later or wait or api_mode.address():
        if allow_removals or again:
            raise ContentError("--allow-removals and --again are for pulling on a publishing host; leave them out.")
        _pull_later(remaining_arguments(context), site, wait)
        return
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


def _pull_later(names: Sequence[str], site: str, wait: float) -> None:
    with open_sources() as verbs:
        asked = verbs.find_sources(names, site)
        for one in asked:
            verbs.request_pull(*one)
        if wait <= 0:
            for of_site, name in asked:
                print_line(f"{of_site}, {name}: a worker imports it")
            return
        ends = clock.monotonic() + wait
        waiting = list(asked)
        while (waiting := [one for one in waiting if verbs.is_requested(*one)]) and clock.monotonic() < ends:
            clock.sleep(_LOOK)
        states = {(state.site, state.name): state for state in verbs.list_sources(site)[0]}
        reports = {one: _report(verbs, *one) for one in asked if one not in waiting}
    problems = [f"{of_site}, {name}: not done after {wait:g} s" for of_site, name in waiting]
    for of_site, name in asked:
        state = states[of_site, name]
        if (of_site, name) in waiting:
            continue
        if state.error:
            problems.append(f"{of_site}, {name}: {state.error}")
        else:
            at = f" at {state.revision[:12]}" if state.revision else ""
            print_line(f"{of_site}, {name}{at}: {_OUTCOMES.get(state.outcome, state.outcome)}")
            for line in reports[of_site, name]:
                print_line(line)
    if problems:
        exit_with("\n".join(problems), 1 if len(problems) > len(waiting) else 2)


@task(
    name="sources",
    help={
        "site": "Only sources of this site.",
        "pulls": "Show the last pulls of the source with this name instead, each with the report of its import.",
        **JSON,
        **VERBOSE,
    },
)
@command
def sources_list(_context: Context, site: str = "", pulls: str = "", json: bool = False, verbose: bool = False) -> None:
    """List the sources of the sites: the commit each is at, when it was last pulled, and its last error."""
    with open_sources() as verbs:
        if pulls:
            _print_pulls(verbs, pulls, site, json)
            return
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


def _report(verbs: SourceVerbs, site: str, name: str) -> Sequence[str]:
    """The lines of the report of the last pull; none if it imported nothing."""
    last = next(iter(verbs.read_pulls(site, name)), None)
    return last.lines if last is not None else ()


def _print_pulls(verbs: SourceVerbs, name: str, site: str, json: bool) -> None:
    """Print the last pulls of a source, or of those with this name on several sites."""
    found = {one: verbs.read_pulls(*one) for one in verbs.find_sources([name], site)}
    if json:
        print_json([{"site": one[0], "source": one[1], **asdict(pull)} for one in found for pull in found[one]])
        return
    zones = verbs.list_sources(site)[1]
    for (of_site, source), pulls in found.items():
        if not pulls:
            print_line(f"{of_site}, {source}: never pulled")
        for pull in pulls:
            at = clock.to_datetime(pull.ended_at, ZoneInfo(zones[of_site])).strftime("%Y-%m-%d %H:%M:%S")
            more = f", {pull.times:,} times" if pull.times > 1 else ""
            print_line(f"{of_site}, {source}, {at}: {_OUTCOMES.get(pull.outcome, pull.outcome)}{more}")
            for line in (pull.error, *pull.lines):
                if line:
                    print_line(f"  {line}")


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
