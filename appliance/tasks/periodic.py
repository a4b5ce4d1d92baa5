"""Periodic tasks from the command line: run what is due once, for cron, or see when each is due."""

from __future__ import annotations

from dataclasses import asdict
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance import clock, housekeeping
from appliance.config import Config
from appliance.queue.schedule import Ran, Standing
from appliance.tasks.console import command, leave, opened, tell, tell_json, tell_table


@task(
    help={
        "list": "Run nothing; say when each task ran last and is due next.",
        "json": "One JSON document instead of lines.",
        "verbose": "Show the stack trace of an error.",
    }
)
@command
def periodic(_context: Context, list: bool = False, json: bool = False, verbose: bool = False) -> None:
    """Run the periodic tasks that are due, each once, then end; exit status 1 when one failed."""
    with opened() as (config, _):
        schedule = housekeeping.scheduler(config)
        if list:
            _tell_standing(config, [schedule.standing(one) for one in schedule.tasks], json)
            return
        ran = schedule.run_due()
    if json:
        tell_json([asdict(one) for one in ran])
    for one in ran if not json else []:
        tell(_line(one))
    if failed := [one for one in ran if one.error]:
        leave("\n".join(f"{one.name}: {one.error}" for one in failed), 1)


def _line(ran: Ran) -> str:
    return f"{ran.name}: {'failed' if ran.error else ran.did or 'nothing to do'}"


def _tell_standing(config: Config, standings: list[Standing], json: bool) -> None:
    if json:
        tell_json([asdict(one) for one in standings])
        return
    zone = config.schedule.timezone
    rows = [
        [one.name, _moment(one.due_at, zone), one.host, _moment(one.next_at, zone), one.error or ""]
        for one in standings
    ]
    tell_table(["task", "last due", "by", "next due", "last error"], rows)


def _moment(moment: float | None, zone: str) -> str:
    return "" if moment is None else clock.local(moment, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
