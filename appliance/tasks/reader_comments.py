"""Commands about readers' comments: approve, hold, delete and mark them as spam, ban senders, erase addresses."""

from __future__ import annotations

from invoke import Context, task

from appliance import clock
from appliance.content.models import CommentStatus
from appliance.tasks.command_line import command, pluralize, print_json, print_line
from appliance.tasks.edit_output import print_result, require_ids
from appliance.tasks.list_output import format_date, one_line, print_columns, row_json
from appliance.tasks.option_help import JSON, LATER, SITE, VERBOSE
from appliance.tasks.verbs.comments import open_comments

_HELP = {**LATER, **SITE, **VERBOSE}
_WHO = "A network or an address, an e-mail address, or the id of a comment, which stands for its sender."


def _set_status(context: Context, status: CommentStatus, verb: str, later: bool, site: str) -> None:
    with open_comments(later=later) as verbs:
        ids = require_ids(context, "the comments by the ids that content.comments shows")
        result = verbs.moderate_comments(site, ids, status)
        print_result(result, f"{pluralize(len(result.subject), 'comment')} {verb}")


@task(help=_HELP)
@command
def approve(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Publish the comments with these ids: all of them or none."""
    _set_status(context, "approved", "approved", later, site)


@task(help=_HELP)
@command
def hold(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Keep the comments with these ids from readers until they are approved."""
    _set_status(context, "pending", "held", later, site)


@task(help=_HELP)
@command
def spam(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Mark the comments with these ids as spam, which readers never see."""
    _set_status(context, "spam", "marked as spam", later, site)


@task(help=_HELP)
@command
def delete(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Delete the comments with these ids, for good after a minute. Replies to them stay."""
    with open_comments(later=later) as verbs:
        ids = require_ids(context, "the comments by the ids that content.comments shows")
        result = verbs.delete_comments(site, *ids)
        print_result(result, f"{pluralize(len(result.subject), 'comment')} removed")


@task(
    positional=["comment"],
    optional=["comment"],
    help={"comment": "The id of the comment that it was about; by default your last decision.", **_HELP},
)
@command
def undo(_context: Context, comment: int = 0, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Undo your last decision about comments, within a minute: deleted ones come back, others as they were."""
    with open_comments(later=later) as verbs:
        result = verbs.undo(site, comment)
        print_result(result, f"{pluralize(len(result.subject.done), 'comment')} as before")
        if left := result.subject.left:
            print_line(f"left alone, since somebody has decided otherwise: {', '.join(map(str, left))}")


@task(positional=["who"], help={"who": _WHO, "reason": "Why, for those who read the list.", **SITE, **VERBOSE})
@command
def ban(_context: Context, who: str, reason: str = "", site: str = "", verbose: bool = False) -> None:
    """Refuse further comments of a sender. Comments that are there stay."""
    with open_comments() as verbs:
        added = verbs.ban(site, who, reason=reason)
        for one in added:
            print_line(f"banned {one.value}")
        if not added:
            print_line("nothing changed")


@task(positional=["who"], help={"who": _WHO, **SITE, **VERBOSE})
@command
def unban(_context: Context, who: str, site: str = "", verbose: bool = False) -> None:
    """Take comments of a sender again."""
    with open_comments() as verbs:
        lifted = verbs.unban(site, who)
        print_line(f"{pluralize(lifted, 'ban')} lifted" if lifted else "nothing changed")


@task(help={**JSON, **SITE, **VERBOSE})
@command
def bans(_context: Context, json: bool = False, site: str = "", verbose: bool = False) -> None:
    """List whose comments are refused, the newest ban first."""
    with open_comments() as verbs:
        rows = verbs.list_bans(site)
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("none")
    else:
        columns = {
            "banned": [row.value for row in rows],
            "since": [format_date(clock.to_datetime(row.created_at)) for row in rows],
            "by": [row.created_by for row in rows],
            "reason": [one_line(row.reason) for row in rows],
        }
        print_columns(columns, {"reason": 1})


@task(positional=["email"], help={"email": "The e-mail address of the sender.", **SITE, **VERBOSE})
@command
def erase(_context: Context, email: str, site: str = "", verbose: bool = False) -> None:
    """Erase what identifies a sender: e-mail and network addresses, browser, mail about replies. Comments stay."""
    with open_comments() as verbs:
        erased = verbs.erase(site, email)
        print_line(f"erased from {pluralize(erased, 'comment')}; backups made before still have it")
