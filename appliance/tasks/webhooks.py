"""Commands about webhooks: list, test and enable them."""

from __future__ import annotations

from dataclasses import asdict

from invoke import Context, task

from appliance import audit, db
from appliance.config import Config, WebhookSettings
from appliance.errors import ConfigError
from appliance.tasks.command_line import command, open_installation, print_json, print_line, print_table
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.webhooks import deliveries, state

_HELP = {"name": "The webhook, by its name in the settings.", **VERBOSE}


@task(name="list", help={**JSON, **VERBOSE})
@command
def webhooks_list(_context: Context, json: bool = False, verbose: bool = False) -> None:
    """List the webhooks with their last request, what waits for them, and why a disabled one is."""
    with open_installation() as (config, _):
        rows, now = state.list_webhooks(config), db.now()
    if json:
        print_json([asdict(row) for row in rows])
        return
    if not rows:
        print_line("The settings name no webhook; docs/how-to/webhooks.md shows how to add one.")
        return
    columns = ["webhook", "state", "last request", "answer", "taken", "refused", "waiting"]
    print_table(columns, [_row(row, now) for row in rows])
    for row in rows:
        if reason := row.note or row.error:
            print_line(f"{row.name}: {reason}")


@task(help=_HELP)
@command
def test(_context: Context, name: str, verbose: bool = False) -> None:
    """Send an event to a webhook now and show its answer; exit status 1 if it was not taken."""
    from appliance.webhooks.sender import SENDER  # brings TLS along, which the list does not need

    with open_installation() as (config, _):
        webhook = _find(config, name)
        event = deliveries.make_event("webhook.test", "", {"webhook": name}, db.now())
    answer = SENDER.post(webhook, event["id"], deliveries.encode(event))
    print_line(f"{name}: taken with {answer.status} after {answer.seconds * 1000:.0f} ms")


@task(help=_HELP)
@command
def enable(_context: Context, name: str, verbose: bool = False) -> None:
    """Send events again to a webhook that is disabled or rests after failures."""
    with open_installation() as (config, _), db.write():
        webhook = _find(config, name)
        state.enable(webhook)
        audit.record("webhook.enable", "webhook", name, label=name)
    print_line(f"{name}: events are sent again; jobs.retry sends those again that were given up meanwhile")


def _find(config: Config, name: str) -> WebhookSettings:
    webhook = deliveries.find_webhook(config, name)
    if webhook is None:
        known = ", ".join(one.name for one in config.webhooks) or "none"
        raise ConfigError([f"there is no webhook “{name}”; the webhooks are: {known}"], config.path)
    return webhook


def _row(row: state.WebhookState, now: float) -> list[str]:
    tried = "never" if row.tried_at is None else f"{max(0.0, now - row.tried_at):.0f} s ago"
    answer = "" if row.tried_at is None else str(row.status or "none")
    return [row.name, row.state, tried, answer, f"{row.sent:,}", f"{row.failed:,}", f"{row.waiting:,}"]
