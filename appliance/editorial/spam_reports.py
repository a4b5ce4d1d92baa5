"""Tells the service that checks comments where a moderator has decided against it, so that it learns.

Guarantees that a decision is reported in the end although the service may be away, and that the last decision counts:
what is reported follows from the comment as it is when the job runs. Only what the service judged is reported, with the
values that it judged; a comment whose text was edited since, or whose sender was erased, is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from appliance import db
from appliance.actor import Actor
from appliance.config import Config
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, Entry, Site
from appliance.editorial.comment_submission import digest
from appliance.editorial.spam_candidate import describe_candidate
from appliance.errors import SpamCheckRefused
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, handler
from appliance.queue.retry import RetryPolicy
from appliance.spam.base import Candidate
from appliance.spam.selection import spam_check

#: The kind of job that reports the decision about one comment.
SPAM_REPORT: Final = "spam-report"
_RETRY: Final = RetryPolicy(max_retries=8, initial_delay=5.0, max_delay=3600.0, fatal=(SpamCheckRefused, LookupError))
#: What a comment with this status is.
_DECISIONS: Final = {"approved": "ham", "spam": "spam"}


def enqueue_reports(config: Config, site: Site, changed: Iterable[Comment], actor: Actor) -> None:
    """Enqueue reports of what was decided differently, in the transaction that changes the status."""
    if not spam_check(config.site(site.name).comments).is_remote:
        return
    requests = [
        JobRequest(f"comment/{comment.id}", scope=site.name, payload=json.dumps({"comment": comment.id}))
        for comment in changed
        if _is_contradicted(comment, CommentOrigin.get_or_none(CommentOrigin.comment == comment.id))
    ]
    if requests:
        causes = [Cause("comment moderated", actor.name)]
        enqueue(SPAM_REPORT, requests, ageing=config.queue.ageing, causes=causes)


@handler(SPAM_REPORT, retry=_RETRY)
def report_decision(payload: Payload, context: JobContext) -> Outcome:
    """Report one comment, unless the service and the moderator agree by now.

    Raises:
        SpamCheckError: the service did not answer.
        SpamCheckRefused: the key or the address of the site has to be corrected by a person.
    """
    number = payload["comment"]
    with db.snapshot():
        found = _find_contradicted(number)
        if found is None:
            return "unchanged"
        site, candidate, decision = found
    settings = next((one for one in context.config.sites if one.name == site.name), None)
    check = spam_check(settings.comments) if settings else None
    if check is None or not check.is_remote:  # the settings have changed
        return "unchanged"
    check.report(candidate, is_spam=decision == "spam")
    with db.write():
        CommentOrigin.update(judged=decision).where(CommentOrigin.comment == number).execute()
    return "changed"


def _find_contradicted(number: int) -> tuple[Site, Candidate, str] | None:
    """A comment about which the service and the moderator differ, and what the moderator says of it."""
    comment = Comment.get_or_none(Comment.id == number)
    origin = CommentOrigin.get_or_none(CommentOrigin.comment == number)
    if comment is None or origin is None or not _is_contradicted(comment, origin):
        return None
    entry = Entry.get_by_id(comment.entry_id)
    site = Site.get_by_id(entry.site_id)
    return site, describe_candidate(comment, origin, entry, site), _DECISIONS[comment.status]


def _is_contradicted(comment: Comment, origin: CommentOrigin | None) -> bool:
    if origin is None or not origin.judged or not origin.address or origin.text_digest != digest(comment.text):
        return False
    return _DECISIONS.get(comment.status, origin.judged) != origin.judged
