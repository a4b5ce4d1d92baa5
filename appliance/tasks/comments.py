"""Comments from the shell: added, edited, listed, judged."""

from __future__ import annotations

from invoke import Context, task

from appliance import editorial
from appliance.content.models import COMMENT_STATUSES, CommentStatus
from appliance.errors import ContentError
from appliance.tasks.console import command, opened, tell, tell_json
from appliance.tasks.edited import ACTOR, ENTRY, JSON, LATER, SITE, VERBOSE, counted, numbers, report
from appliance.tasks.listing import cut, one_line, one_more, short, show_list

_NAMED = {
    "author": "Who says it.",
    "email": "The author's address; it is not published.",
    "url": "The author's web site.",
}


@task(
    positional=["entry", "text"],
    help={
        "entry": ENTRY,
        "text": "What the comment says, in Markdown.",
        **_NAMED,
        "reply_to": "The id of the comment it answers.",
        **LATER, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def comment(
    _context: Context, entry: str, text: str, author: str = "Editor", email: str = "", url: str = "", reply_to: int = 0,
    later: bool = False, site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """Add an approved comment to an entry."""
    with opened() as (config, _):
        done = editorial.comment(
            config, site, entry, text, author=author, email=email, url=url, reply_to=reply_to or None, actor=ACTOR,
            later=later,
        )  # fmt: skip
        report(done, f"comment {done.subject.id} on “{done.subject.entry.title}”")


@task(
    name="edit-comment",
    positional=["number"],
    help={"number": "The comment's id.", "text": "What it says, in Markdown.", **_NAMED, **LATER, **SITE, **VERBOSE},
)
@command
def edit_comment(
    _context: Context, number: int, text: str | None = None, author: str | None = None, email: str | None = None,
    url: str | None = None, later: bool = False, site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """Change what a comment says, or who says it."""
    if all(value is None for value in (text, author, email, url)):
        raise ContentError("Name what is to change: --text, --author, --email or --url.")
    with opened() as (config, _):
        done = editorial.edit_comment(
            config, site, number, text=text, author=author, email=email, url=url, actor=ACTOR, later=later
        )
        report(done, f"comment {number} on “{done.subject.entry.title}” edited")


@task(
    name="comments",
    help={
        "entry": "Those on this entry: its id, slug, or address below the site.",
        "status": f"Those of this status: {', '.join(COMMENT_STATUSES)}.",
        "author": "Those whose author's name contains this.",
        "text": "Those that contain this.",
        "since": "Those made since: now, 2026-11-22 or 2026-11-22 08:30, by the site's clock.",
        "limit": "This many at most; 0 for all.",
        **JSON, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def comments_list(
    _context: Context, entry: str = "", status: str = "", author: str = "", text: str = "", since: str = "",
    limit: int = 50, json: bool = False, site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """The comments for which all that is named holds, the latest first."""
    with opened() as (config, _):
        found = editorial.comments(
            config, site, entry=entry or None, status=status, author=author, text=text, since=since,
            limit=one_more(limit),
        )  # fmt: skip
    found = cut(found, limit)
    if json:
        tell_json(found)
    elif not found:
        tell("no comments")
    else:
        columns = {
            "id": [str(one["id"]) for one in found],
            "date": [short(one["date"]) for one in found],
            "status": [one["status"] for one in found],
            "author": [one["author"] for one in found],
            "on": [one_line(one["title"]) for one in found],
            "text": [one_line(one["text"]) for one in found],
        }
        show_list(columns, {"author": 2, "on": 3, "text": 4})


@task(
    help={
        "approve": "Readers see them.",
        "hold": "Readers do not see them yet.",
        "spam": "Readers never see them.",
        "delete": "Remove them.",
        **LATER, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def moderate(
    context: Context, approve: bool = False, hold: bool = False, spam: bool = False, delete: bool = False,
    later: bool = False, site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """Approve, hold, mark as spam or remove the comments with these ids: all of them or none."""
    if approve + hold + spam + delete != 1:
        raise ContentError("Say what is to become of them: --approve, --hold, --spam or --delete.")
    judged: CommentStatus = "approved" if approve else "pending" if hold else "spam"
    with opened() as (config, _):
        ids = numbers(context, "the comments by their ids, which content.comments lists")
        if delete:
            done = editorial.delete_comment(config, site, *ids, actor=ACTOR, later=later)
        else:
            done = editorial.moderate(config, site, ids, judged, actor=ACTOR, later=later)
        said = "removed" if delete else {"approved": "approved", "pending": "held", "spam": "marked as spam"}[judged]
        report(done, f"{counted(len(done.subject), 'comment')} {said}")
