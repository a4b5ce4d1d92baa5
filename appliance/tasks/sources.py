"""Sources from the command line: pull them now, see where each stands."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance import clock, pulling
from appliance.config import Config
from appliance.errors import ApplianceError
from appliance.importing import sources
from appliance.importing.sources import Pulled, Standing
from appliance.tasks.console import command, leave, opened, tell, tell_json, tell_table

_VERBOSE = {"verbose": "Show the stack trace of an error."}


@task(
    help={
        "site": "Only sources of this site.",
        "allow_removals": "Take over even what removes a large part of what the source brought.",
        "again": "Import a commit that was imported already once more.",
        **_VERBOSE,
    }
)
@command
def pull(
    context: Context, site: str = "", allow_removals: bool = False, again: bool = False, verbose: bool = False
) -> None:
    """Import what the named sources, or all, say now; the sites that it changes are planned, and drain builds them."""
    failed = []
    with opened() as (config, _):
        for source in sources.find(config, shlex.split(context.remainder or ""), site):
            try:
                _tell(pulling.pull(config, source, allow_removals=allow_removals, again=again))
            except ApplianceError as error:
                failed.append(f"{source.site}, {source.name}: {error}")
    if failed:
        leave("\n".join(failed), 1)


@task(
    name="sources", help={"site": "Only sources of this site.", "json": "One JSON document for programs.", **_VERBOSE}
)
@command
def sources_list(_context: Context, site: str = "", json: bool = False, verbose: bool = False) -> None:
    """The sources the sites are fed from: the commit each is at, when it was last pulled, and what went wrong."""
    with opened() as (config, _):
        sources.find(config, site=site)
        found = [one for one in sources.standings(config) if site in ("", one.site)]
        if json:
            tell_json([asdict(one) for one in found])
        elif found:
            rows = [_row(config, one) for one in found]
            tell_table(["site", "source", "from", "every", "at", "last pulled", "outcome"], rows)
        else:
            tell("No site has a source; docs/how-to/edit-in-git.md shows how to name one.")
    for one in found if not json else []:
        if one.error:
            tell(f"{one.site}, {one.name}: {one.error}")


def _tell(pulled: Pulled) -> None:
    at = f" at {pulled.revision[:12]}" if pulled.revision else ""
    tell(f"{pulled.source.site}, {pulled.source.name}{at}: {'changed' if pulled.changed else 'nothing new'}")
    for line in pulled.report.lines() if pulled.report else []:
        tell(line)


def _row(config: Config, one: Standing) -> list[str]:
    zone = ZoneInfo(config.site(one.site).timezone)
    at = "never" if one.pulled_at is None else clock.local(one.pulled_at, zone).strftime("%Y-%m-%d %H:%M:%S")
    return [one.site, one.name, one.place, one.every or "when asked", one.revision[:12], at, one.outcome]
