"""The commands for links to previews: share, list and revoke."""

from __future__ import annotations

from invoke import Context, task

from appliance import clock
from appliance.previews import DEFAULT_DAYS, PreviewLink
from appliance.tasks.command_line import command, print_json, print_line
from appliance.tasks.edit_output import require_ids
from appliance.tasks.list_output import format_date, one_line, print_columns, read_rows, row_json
from appliance.tasks.option_help import ENTRY, JSON, SITE, VERBOSE
from appliance.tasks.verbs.previews import open_previews


@task(
    positional=["entry"],
    help={"entry": ENTRY, "days": "The number of days that the link is valid, at most 30.", **JSON, **SITE, **VERBOSE},
)
@command
def share(
    _context: Context, entry: str, days: int = DEFAULT_DAYS, json: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Make a link that shows an entry, draft or not, as it would be published now; the link is printed once."""
    with open_previews() as verbs:
        address, link = verbs.share(site, entry, days=days)
    if json:
        print_json({"url": address, **row_json(link)})
        return
    print_line(address)
    print_line(f"valid until {_date(link.expires_at)}; previews.revoke {link.id} ends it; a worker builds the preview")


@task(
    help={
        "entry": "Only links to this entry: its id, slug, or address below the site.",
        "limit": "The number of links to show; 0 for all.",
        **JSON,
        **SITE,
        **VERBOSE,
    },
)
@command
def previews_list(
    _context: Context, entry: str = "", limit: int = 50, json: bool = False, site: str = "", verbose: bool = False
) -> None:
    """List the links to previews, the newest first."""
    with open_previews() as verbs:
        rows = read_rows(lambda size, after: verbs.list_links(site, entry or None, size=size, after=after), limit)
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("none")
    else:
        columns: dict[str, list[str]] = {
            "id": [str(row.id) for row in rows],
            "entry": [one_line(row.title) for row in rows],
            "by": [row.created_by for row in rows],
            "valid until": [_date(row.expires_at) for row in rows],
            "state": [row.state for row in rows],
            "opened": [_date(row.seen_at) if row.seen_at else "never" for row in rows],
            "preview": [_preview(row) for row in rows],
        }
        print_columns(columns, {"entry": 2, "preview": 1})


@task(help={**SITE, **VERBOSE})
@command
def revoke(context: Context, site: str = "", verbose: bool = False) -> None:
    """Revoke links to previews, by the ids in previews.list."""
    with open_previews() as verbs:
        for number in require_ids(context, "the links by the ids that previews.list shows"):
            link = verbs.revoke(site, number)
            print_line(f"link {link.id} to “{link.title}” is {link.state}")


def _preview(link: PreviewLink) -> str:
    if link.state != "active":
        return ""
    return f"{link.build}: {one_line(link.fault)}" if link.fault else link.build


def _date(moment: float) -> str:
    return format_date(clock.to_datetime(int(moment)))
