"""The job that asks another machine whether a comment is spam.

Guarantees that no comment is lost and none is published unasked: a comment waits for approval until the service has
judged it, and goes on waiting if the service does not answer. What a moderator decides meanwhile counts, and the
service is told of it.
"""

from __future__ import annotations

import json
from typing import Final

from appliance import db
from appliance.actor import Actor
from appliance.config import CommentSettings, Config
from appliance.content import comments
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, CommentStatus, Entry, Site
from appliance.editorial import spam_reports
from appliance.editorial.comment_judgement import WAITS_FOR_CHECK, moderation
from appliance.editorial.comment_submission import count_links
from appliance.editorial.spam_candidate import describe_candidate
from appliance.errors import SpamCheckRefused
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, handler
from appliance.queue.retry import RetryPolicy
from appliance.spam.base import Opinion
from appliance.spam.selection import spam_check

#: The kind of job that checks one comment.
SPAM_CHECK: Final = "spam-check"
#: The actor of a change that follows from a check.
_CHECKER: Final = "spam check"
_RETRY: Final = RetryPolicy(max_retries=6, initial_delay=5.0, max_delay=3600.0, fatal=(SpamCheckRefused, LookupError))


def enqueue_check(config: Config, site: Site, comment: Comment) -> None:
    """Enqueue the check of a comment, in the transaction that saves it."""
    request = JobRequest(f"comment/{comment.id}", scope=site.name, payload=json.dumps({"comment": comment.id}))
    enqueue(SPAM_CHECK, [request], ageing=config.queue.ageing, causes=[Cause("comment added", "reader")])


@handler(SPAM_CHECK, retry=_RETRY)
def check_comment(payload: Payload, context: JobContext) -> Outcome:
    """Ask about one comment, and publish it or mark it as spam unless another rule holds it.

    Raises:
        SpamCheckError: the service did not answer. The comment waits.
        SpamCheckRefused: the key or the address of the site has to be corrected by a person.
    """
    with db.snapshot():
        found = _find_waiting(payload["comment"])
        if found is None:
            return "unchanged"
        comment, origin, entry, site = found
        candidate = describe_candidate(comment, origin, entry, site)
    settings = _settings(context.config, site)
    if settings is None:
        return "unchanged"
    opinion = spam_check(settings).judge(candidate)
    with db.write():
        if _find_waiting(payload["comment"]) is None:
            return _tell_a_moderators_decision(context.config, site, comment.id, opinion)
        status, reason = _decide(settings, opinion, comment, site)
        values = {"reason": reason, "judged": opinion.verdict}
        CommentOrigin.update(values).where(CommentOrigin.comment == comment.id).execute()
        comments.set_status(comment, status, _CHECKER)
    return "changed"


def _settings(config: Config, site: Site) -> CommentSettings | None:
    """The rules of a site for comments; None if the site has left the settings, so that nobody reads its comments."""
    return next((one.comments for one in config.sites if one.name == site.name), None)


def _tell_a_moderators_decision(config: Config, site: Site, number: int, opinion: Opinion) -> Outcome:
    """Keep what a moderator decided while the service was asked, and tell the service if it differs."""
    CommentOrigin.update(judged=opinion.verdict).where(CommentOrigin.comment == number).execute()
    comment = Comment.get_or_none(Comment.id == number)
    if comment is not None:
        spam_reports.enqueue_reports(config, site, [comment], Actor(_CHECKER))
    return "unchanged"


def _find_waiting(number: int) -> tuple[Comment, CommentOrigin, Entry, Site] | None:
    """A comment that still waits for its check."""
    comment = Comment.get_or_none(Comment.id == number, Comment.status == "pending")
    origin = CommentOrigin.get_or_none(CommentOrigin.comment == number, CommentOrigin.reason == WAITS_FOR_CHECK)
    if comment is None or origin is None:
        return None
    entry = Entry.get_by_id(comment.entry_id)
    return comment, origin, entry, Site.get_by_id(entry.site_id)


def _decide(settings: CommentSettings, opinion: Opinion, comment: Comment, site: Site) -> tuple[CommentStatus, str]:
    if opinion.judgement in ("spam", "certain"):
        return "spam", opinion.reason
    if opinion.judgement == "doubtful":
        return "pending", opinion.reason
    return moderation(settings, site.id, comment.author_email, count_links(comment.html))
