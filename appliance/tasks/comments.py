"""Commands about comments: add, edit, list and moderate them."""

from __future__ import annotations

from invoke import Context, task

from appliance.content.models import COMMENT_STATUSES, CommentStatus
from appliance.editorial import CommentFilter
from appliance.errors import ContentError
from appliance.tasks.command_line import command, pluralize, print_json, print_line
from appliance.tasks.edit_output import print_result, require_ids
from appliance.tasks.list_output import format_date, one_line, print_columns, read_rows, row_json
from appliance.tasks.option_help import ENTRY, JSON, LATER, SITE, VERBOSE
from appliance.tasks.verbs.comments import open_comments

_AUTHOR_HELP = {
    "author": "The name of the author.",
    "email": "The author's email address; it is not published.",
    "url": "The author's web site.",
}


@task(
    positional=["entry", "text"],
    help={
        "entry": ENTRY,
        "text": "The text of the comment, in Markdown.",
        **_AUTHOR_HELP,
        "reply_to": "The id of the comment that this one replies to.",
        **LATER,
        **SITE,
        **VERBOSE,
    },
)
@command
def comment(
    _context: Context,
    entry: str,
    text: str,
    author: str | None = None,
    email: str = "",
    url: str = "",
    reply_to: int = 0,
    later: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """Add an approved comment to an entry."""
    with open_comments(later=later) as verbs:
        result = verbs.add_comment(site, entry, text, author=author, email=email, url=url, reply_to=reply_to or None)
        print_result(result, f"comment {result.subject.id} on “{result.subject.title}”")


@task(
    name="edit-comment",
    positional=["number"],
    help={
        "number": "The comment's id.",
        "text": "The new text, in Markdown.",
        **_AUTHOR_HELP,
        **LATER,
        **SITE,
        **VERBOSE,
    },
)
@command
def edit_comment(
    _context: Context,
    number: int,
    text: str | None = None,
    author: str | None = None,
    email: str | None = None,
    url: str | None = None,
    later: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """Change the text or the author of a comment."""
    if all(value is None for value in (text, author, email, url)):
        raise ContentError("Give something to change: --text, --author, --email or --url.")
    with open_comments(later=later) as verbs:
        result = verbs.edit_comment(site, number, text=text, author=author, email=email, url=url)
        print_result(result, f"comment {number} on “{result.subject.title}” edited")


@task(
    name="comments",
    help={
        "entry": "Comments on this entry: its id, slug, or address below the site.",
        "status": f"Comments with this status: {', '.join(COMMENT_STATUSES)}.",
        "author": "Comments by authors with a name that contains this.",
        "text": "Comments that contain this text.",
        "since": "Comments made since this date: 2026-11-22 or 2026-11-22 08:30, in the site's time zone.",
        "limit": "List at most this many; 0 lists all.",
        **JSON,
        **SITE,
        **VERBOSE,
    },
)
@command
def comments_list(
    _context: Context,
    entry: str = "",
    status: str = "",
    author: str = "",
    text: str = "",
    since: str = "",
    limit: int = 50,
    json: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """List comments that match all given options, the newest first."""
    wanted = CommentFilter(entry or None, status, author, text, since)
    with open_comments() as verbs:
        rows = read_rows(lambda size, after: verbs.list_comments(site, wanted, size=size, after=after), limit)
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("no comments")
    else:
        columns: dict[str, list[str]] = {
            "id": [str(row.id) for row in rows],
            "date": [format_date(row.date) for row in rows],
            "status": [row.status for row in rows],
            "author": [row.author for row in rows],
            "on": [one_line(row.title) for row in rows],
            "text": [one_line(row.text) for row in rows],
        }
        print_columns(columns, {"author": 2, "on": 3, "text": 4})


@task(
    help={
        "approve": "Publish them.",
        "hold": "Keep them from readers until they are approved.",
        "spam": "Mark them as spam, which readers never see.",
        "delete": "Delete them.",
        **LATER,
        **SITE,
        **VERBOSE,
    },
)
@command
def moderate(
    context: Context,
    approve: bool = False,
    hold: bool = False,
    spam: bool = False,
    delete: bool = False,
    later: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """Approve, hold, mark as spam or delete the comments with these ids: all of them or none."""
    if approve + hold + spam + delete != 1:
        raise ContentError("Choose what to do with the comments: --approve, --hold, --spam or --delete.")
    status: CommentStatus = "approved" if approve else "pending" if hold else "spam"
    with open_comments(later=later) as verbs:
        ids = require_ids(context, "the comments by the ids that content.comments shows")
        result = verbs.delete_comments(site, *ids) if delete else verbs.moderate_comments(site, ids, status)
        action = "removed" if delete else {"approved": "approved", "pending": "held", "spam": "marked as spam"}[status]
        print_result(result, f"{pluralize(len(result.subject), 'comment')} {action}")
