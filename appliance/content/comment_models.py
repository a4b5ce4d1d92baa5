"""The database tables of readers' comments besides the comments themselves.

What identifies a sender is kept apart from the comment, so that it can be erased while the comment stays.
"""

from __future__ import annotations

from typing import Final, Literal

from peewee import SQL, AutoField, BigIntegerField, ForeignKeyField, IntegerField, TextField

from appliance.content.models import Comment, Site
from appliance.db import BaseModel

BanKind = Literal["network", "email"]
BAN_KINDS: Final = ("network", "email")


class CommentOrigin(BaseModel):
    """Where a reader's comment came from, and why it was not approved at once."""

    comment_id: int
    comment = ForeignKeyField(Comment, primary_key=True, backref="origins", on_delete="CASCADE")
    #: The nonce of the form that was sent. A form that is sent twice makes one comment.
    submission = TextField(null=True, unique=True)
    #: The IP address, and its network: an IPv4 /24 or an IPv6 /48. Empty once erased.
    address = TextField(default="")
    network = TextField(default="")
    user_agent = TextField(default="")
    referrer = TextField(default="")
    #: Why the comment waits for approval or counts as spam, in a few words.
    reason = TextField(default="")
    #: What the spam check took it for: 'ham', 'doubtful' or 'spam'; null if it was not asked. Once another decision was
    #: reported to the service, that decision.
    judged = TextField(null=True)
    #: A digest of the text, by which the same text is found again.
    text_digest = TextField(null=True)
    created_at = BigIntegerField()


CommentOrigin.add_index(
    CommentOrigin.index(CommentOrigin.created_at, name="comment_origin_kept", where=SQL("address <> ''"))
)
CommentOrigin.add_index(
    CommentOrigin.index(
        CommentOrigin.network, CommentOrigin.created_at, name="comment_origin_network", where=SQL("network <> ''")
    )
)
CommentOrigin.add_index(
    CommentOrigin.index(
        CommentOrigin.text_digest,
        CommentOrigin.created_at,
        name="comment_origin_text",
        where=SQL("text_digest IS NOT NULL"),
    )
)


class CommentBan(BaseModel):
    """Whose comments a site refuses."""

    id = AutoField()
    site_id: int
    site = ForeignKeyField(Site, backref="bans", on_delete="CASCADE")
    #: 'network' or 'email'.
    kind = TextField()
    #: A network such as `192.0.2.0/24`, or an e-mail address in lower case.
    value = TextField()
    reason = TextField(default="")
    created_by = TextField(default="")
    created_at = BigIntegerField()

    class Meta:
        """A ban is stored once."""

        indexes = ((("site", "kind", "value"), True),)


class ReplyNotice(BaseModel):
    """A reader's wish to be told by mail of replies to a comment of theirs. It counts once it is confirmed."""

    id = AutoField()
    comment_id: int
    comment = ForeignKeyField(Comment, unique=True, backref="notices", on_delete="CASCADE")
    #: In lower case.
    email = TextField()
    created_at = BigIntegerField()
    #: When the reader followed the link in the mail that asks for it.
    confirmed_at = BigIntegerField(null=True)
    ended_at = BigIntegerField(null=True)
    #: When that mail was sent.
    asked_at = BigIntegerField(null=True)


ReplyNotice.add_index(ReplyNotice.index(ReplyNotice.created_at, name="reply_notice_created"))
ReplyNotice.add_index(ReplyNotice.index(ReplyNotice.email, name="reply_notice_email"))


class Secret(BaseModel):
    """A key that all publishing hosts sign with, made when it is first needed."""

    name = TextField(primary_key=True)
    value = TextField()
    created_at = BigIntegerField()


class CommentClosing(BaseModel):
    """The age at which entries of a site take no more comments; see `content.comment_closing`."""

    site_id: int
    site = ForeignKeyField(Site, primary_key=True, on_delete="CASCADE")
    days = BigIntegerField()
    #: Pages of entries published at this time or earlier show that their comments are closed.
    until = BigIntegerField()


class CommentDecision(BaseModel):
    """What somebody made of a comment: to undo it, to tell others of it, and for the history of its sender."""

    id = AutoField()
    #: The key of the act that the decision is a part of. Decisions that are made together are undone together.
    act = TextField(index=True)
    site_id: int
    site = ForeignKeyField(Site, backref="decisions", on_delete="CASCADE")
    #: The id of the comment, which may be gone.
    comment_id = IntegerField(index=True)
    #: The status of the comment before and after: 'pending', 'approved', 'spam', and after also 'deleted'.
    before = TextField()
    after = TextField()
    made_by = TextField(default="")
    #: Seconds since the epoch, by the clock of the database.
    made_at = BigIntegerField(index=True)
    #: JSON object: a deleted comment with all that belongs to it, while the deletion can be undone.
    content = TextField(default="")
    #: The sender of a deleted comment, as long as the settings keep the senders of comments.
    author_email = TextField(default="")
    network = TextField(default="")


CommentDecision.add_index(
    CommentDecision.index(
        SQL("lower(author_email)"),
        CommentDecision.made_at,
        name="comment_decision_email",
        where=SQL("author_email <> ''"),
    )
)
CommentDecision.add_index(
    CommentDecision.index(CommentDecision.made_at, name="comment_decision_content", where=SQL("content <> ''"))
)
CommentDecision.add_index(
    CommentDecision.index(
        CommentDecision.network, CommentDecision.made_at, name="comment_decision_network", where=SQL("network <> ''")
    )
)

#: The tables in the order in which they are created.
MODELS: Final = (CommentOrigin, CommentBan, ReplyNotice, Secret, CommentClosing, CommentDecision)
