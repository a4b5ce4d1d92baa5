"""Comments: listed, read, added, edited, judged and deleted, and their senders banned or erased."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from appliance import editorial
from appliance.accounts import users
from appliance.content.models import CommentStatus
from appliance.editorial import CommentFilter, last_decision, senders
from appliance.web.admin import guard
from appliance.web.api.fields import Id, Moment, PageOf, PageQuery, Rows, Sent, Shown, left_out
from appliance.web.api.operations import Answer, Call, found, operation
from appliance.web.api.problems import Problem


class Comment(Shown):
    """A comment."""

    id: int
    status: CommentStatus
    entry: int
    title: str = Field(description="Of the entry that it is on.")
    reply_to: int | None
    date: datetime
    author: str
    email: str | None = Field(description="Null without the right to see who sent comments.")
    url: str
    text: str
    version: str = Field(description="The ETag, for If-Match.")


class CommentQuery(PageQuery):
    """Which comments."""

    entry: Id | None = None
    status: CommentStatus | None = None
    author: str = Field("", max_length=400, description="A part of the name, in upper or lower case.")
    text: str = Field("", max_length=400, description="A part of what it says, in upper or lower case.")
    since: Moment = ""
    order: Literal["newest", "oldest"] = "newest"


class NewComment(Sent):
    """A new comment, under your own name."""

    entry: Id
    text: str = Field(min_length=1, max_length=20_000)
    reply_to: Id | None = None


class CommentEdit(Sent):
    """The fields of a comment that are to change; the others stay."""

    text: str = Field(default_factory=left_out, min_length=1, max_length=20_000)
    author: str = Field(default_factory=left_out, min_length=1, max_length=400)
    email: str = Field(default_factory=left_out, max_length=254)
    url: str = Field(default_factory=left_out, max_length=1500)


class ChosenComments(Sent):
    """Which comments."""

    comments: list[Id] = Field(min_length=1, max_length=500)
    versions: dict[Id, str] = Field(default={}, description="The versions that the decision is based on, by id.")


class Judgement(ChosenComments):
    """What becomes of some comments: all of them or none."""

    status: CommentStatus


class JudgedComments(Shown):
    """The comments whose status changed."""

    changed: list[int]


class Undoing(Sent):
    """Which decisions to undo."""

    comment: Id | None = Field(None, description="The comment that they were about; by default any.")


class UndoneDecisions(Shown):
    """What became of the comments."""

    undone: list[int] = Field(description="Those that have their former status again, or are back.")
    left: list[int] = Field(description="Those about which somebody has decided otherwise since.")


class Ban(Shown):
    """Whose comments a site refuses."""

    kind: str = Field(description="`network` or `email`.")
    value: str
    reason: str
    created_by: str
    created_at: int = Field(description="Seconds since the epoch.")


class NewBan(Sent):
    """Whom to ban."""

    who: str = Field(min_length=1, max_length=400, description="A network, an e-mail address, or the id of a comment.")
    reason: str = Field("", max_length=2000)


class BanQuery(Sent):
    """Which ban to lift."""

    who: str = Field(min_length=1, max_length=400, description="A network, an e-mail address, or the id of a comment.")


class Erasure(Sent):
    """Whose traces to erase."""

    email: str = Field(min_length=3, max_length=254)


class NumberOfComments(Shown):
    """How many comments it was."""

    comments: int


class NumberOfBans(Shown):
    """How many bans it was."""

    bans: int


@operation("GET", "/sites/{site}/comments", "comment.read", query=CommentQuery, answer=PageOf[Comment])
def list_comments(call: Call) -> Answer:
    """List comments, those that wait and spam too."""
    asked: CommentQuery = call.query
    wanted = CommentFilter(asked.entry, asked.status or "", asked.author, asked.text, asked.since)
    page = editorial.list_comments(
        call.config, call.site, wanted, order=asked.order, size=asked.size, after=asked.after, with_total=asked.total
    )
    rows = [_shown(call, row) for row in page.rows]
    return Answer(PageOf[Comment].model_validate({"rows": rows, "next": page.next, "total": page.total}))


@operation("GET", "/sites/{site}/comments/{comment}", "comment.read", answer=Comment, has_version=True)
def read_comment(call: Call) -> Answer:
    """Return a comment."""
    row = _comment(call)
    return Answer(_shown(call, row), row.version)


@operation(
    "POST", "/sites/{site}/comments", "comment.add", body=NewComment, answer=Comment, status=201, has_version=True,
    may_wait=True,
)  # fmt: skip
def add_comment(call: Call) -> Answer:
    """Comment on an entry, under your own name."""
    user, body = users.find_user(call.principal.user), call.body
    result = editorial.add_comment(
        call.config, call.site, _entry_id(call, body.entry), body.text, author=user.display or user.name,
        reply_to=body.reply_to, later=True,
    )  # fmt: skip
    row = editorial.get_comment(call.config, call.site, result.subject.id)
    return Answer(_shown(call, row), row.version, f"/sites/{call.site}/comments/{row.id}", entry=row.entry)


@operation(
    "PATCH", "/sites/{site}/comments/{comment}", "comment.edit", body=CommentEdit, answer=Comment, has_version=True,
    is_conditional=True, may_wait=True,
)  # fmt: skip
def edit_comment(call: Call) -> Answer:
    """Change the text or the author of a comment."""
    row = _comment(call)
    result = editorial.edit_comment(
        call.config, call.site, row.id, expected_version=call.expected(row.version), later=True,
        **call.body.model_dump(exclude_unset=True),
    )  # fmt: skip
    row = editorial.get_comment(call.config, call.site, row.id)
    return Answer(_shown(call, row), row.version, entry=row.entry, changed=result.changed)


@operation("DELETE", "/sites/{site}/comments/{comment}", "comment.delete", is_conditional=True, may_wait=True)
def delete_comment(call: Call) -> Answer:
    """Delete a comment. Replies to it are kept."""
    row = _comment(call)
    expected = call.expected(row.version)
    versions = {} if expected is None else {row.id: expected}
    editorial.delete_comments(call.config, call.site, row.id, expected_versions=versions, later=True)
    return Answer(entry=row.entry)


@operation("POST", "/sites/{site}/comments/delete", "comment.delete", body=ChosenComments, answer=NumberOfComments)
def delete_comments(call: Call) -> Answer:
    """Delete comments: all of them or none. Replies to them are kept."""
    body: ChosenComments = call.body
    result = editorial.delete_comments(
        call.config, call.site, *body.comments, expected_versions=body.versions, later=True
    )
    return Answer({"comments": len(result.subject)}, changed=result.changed)


@operation("POST", "/sites/{site}/comments/judge", "comment.moderate", body=Judgement, answer=JudgedComments)
def judge_comments(call: Call) -> Answer:
    """Approve comments, hold them or mark them as spam: all of them or none."""
    body: Judgement = call.body
    result = editorial.moderate_comments(
        call.config, call.site, body.comments, body.status, expected_versions=body.versions, later=True
    )
    return Answer({"changed": [comment.id for comment in result.subject]})


@operation("POST", "/sites/{site}/comments/undo", "comment.moderate", body=Undoing, answer=UndoneDecisions)
def undo_decisions(call: Call) -> Answer:
    """Undo your last decisions about comments, which you made together, within a minute."""
    decided = last_decision.undo_last(
        call.config, call.site, call.body.comment or 0, actor=call.principal.actor(), later=True
    )
    return Answer({"undone": decided.subject.done, "left": decided.subject.left}, changed=decided.changed)


@operation("POST", "/sites/{site}/comments/erase", "comment.erase", body=Erasure, answer=NumberOfComments)
def erase_sender(call: Call) -> Answer:
    """Erase what identifies the sender of all comments with an e-mail address. The comments stay."""
    return Answer({"comments": senders.erase(call.config, call.site, call.body.email)})


@operation("GET", "/sites/{site}/bans", "comment.read_sender", answer=Rows[Ban])
def list_bans(call: Call) -> Answer:
    """List whose comments a site refuses."""
    return Answer({"rows": senders.list_bans(call.config, call.site)})


@operation("POST", "/sites/{site}/bans", "comment.ban", body=NewBan, answer=Rows[Ban])
def ban_sender(call: Call) -> Answer:
    """Refuse the comments of a network, an e-mail address or the sender of a comment; returns the bans that are new."""
    bans = senders.ban(call.config, call.site, call.body.who, reason=call.body.reason, actor=call.principal.actor())
    guard.require("comment.ban", call.site)
    return Answer({"rows": bans if call.may("comment.read_sender") else []})


@operation("DELETE", "/sites/{site}/bans", "comment.ban", query=BanQuery, answer=NumberOfBans)
def lift_ban(call: Call) -> Answer:
    """Lift the bans of a network, an e-mail address or the sender of a comment."""
    lifted = senders.unban(call.config, call.site, call.query.who)
    if not lifted:
        raise Problem(404, f"There is no ban of “{call.query.who}” on the site {call.site}.", "no-ban")
    return Answer({"bans": lifted})


def _comment(call: Call) -> Any:
    return found(lambda: editorial.get_comment(call.config, call.site, call.path["comment"]))


def _entry_id(call: Call, entry: int) -> int:
    """The id of an entry; a slug that looks like a number does not count."""
    if editorial.get_entry(call.config, call.site, entry).id != entry:
        raise Problem(422, f"There is no entry {entry} on the site {call.site}.", "refused")
    return entry


def _shown(call: Call, row: Any) -> Comment:
    shown = Comment.model_validate(row)
    return shown if call.may("comment.read_sender") else shown.model_copy(update={"email": None})
