"""Readers' comments: checked for a preview, or saved in batches.

Guarantees that what `save` returns is committed; that a bad submission stops only itself; that a form that is sent
twice, even at the same moment to two hosts, makes one comment; and that the job that plans the change is enqueued in
the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from peewee import DataError, IntegrityError

from appliance import db, logging
from appliance.config import Config
from appliance.content import comments
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, Entry, Site
from appliance.db import rows
from appliance.editorial import spam_job
from appliance.editorial.comment_judgement import WAITS_FOR_CHECK, Decision, Judge, why_closed
from appliance.editorial.comment_submission import (
    FieldProblem,
    Outcome,
    Prepared,
    Submission,
    Verdict,
    kept_agent,
    kept_referrer,
    prepare,
)
from appliance.notifications import reply_notices

__all__ = ["Checked", "FieldProblem", "Outcome", "Submission", "Verdict", "check", "closed", "save"]

log = logging.get_logger("comments")

#: The actor of a change that a reader makes.
READER: Final = "reader"
_OUTCOMES: Final[dict[str, Outcome]] = {"approved": "accepted", "pending": "held", "spam": "discarded"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A submission as it would look, and why it would be refused."""

    name: str
    website: str
    html: str
    problems: tuple[FieldProblem, ...] = ()


def closed(config: Config, site: Site, entry: Entry) -> str:
    """Why an entry takes no comments, in a sentence; empty when it does."""
    return why_closed(config.site(site.name).comments, entry)


def check(config: Config, submission: Submission) -> Checked:
    """Check a submission without saving it: for a preview."""
    prepared, problems = prepare(submission), list[FieldProblem]()
    with db.snapshot():
        entry = Entry.get_or_none(Entry.id == submission.entry, Entry.site == submission.site.id)
        sentence = why_closed(config.site(submission.site.name).comments, entry)
    if sentence:
        problems.append(FieldProblem("", sentence))
    return Checked(prepared.name, prepared.website, prepared.html, (*problems, *prepared.problems))


def save(config: Config, submissions: Sequence[Submission]) -> list[Verdict]:
    """Judge and save submissions in one transaction; one verdict for each, in their order."""
    prepared = [prepare(submission) for submission in submissions]
    try:
        return _save_all(config, prepared, each_alone=False)
    except (IntegrityError, DataError):  # one of them cannot be saved, which is rare: the others can
        return _save_all(config, prepared, each_alone=True)


def _save_all(config: Config, prepared: Sequence[Prepared], *, each_alone: bool) -> list[Verdict]:
    """Save in one transaction; with `each_alone`, one that cannot be saved does not undo the others."""
    with db.write():
        entries = _lock_entries(one.submission.entry for one in prepared)
        batch = _Batch(Judge(config), _find_saved([one.submission.nonce for one in prepared]), each_alone)
        return [_save_one(batch, one, entries.get(one.submission.entry)) for one in prepared]


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the submissions of one transaction share."""

    judge: Judge
    #: The comments that were saved already, by the nonce of their form.
    saved: dict[str, Comment]
    each_alone: bool


def _lock_entries(ids: Iterable[int]) -> dict[int, Entry]:
    """The entries, which nobody else changes until the transaction ends; locked in one order, against deadlocks."""
    wanted = sorted(set(ids))
    for some in db.chunks(wanted):
        db.execute(
            f"SELECT id FROM entry WHERE id IN ({db.placeholders(len(some))}) ORDER BY id {db.for_update()}", some
        )
    columns = (Entry.id, Entry.site, Entry.status, Entry.allow_comments, Entry.published_at, Entry.title)
    return {row.id: row for some in db.chunks(wanted) for row in Entry.select(*columns).where(Entry.id.in_(some))}


def _save_one(batch: _Batch, prepared: Prepared, entry: Entry | None) -> Verdict:
    nonce = prepared.submission.nonce
    if earlier := batch.saved.get(nonce):
        return _repeated(earlier)
    if entry is not None and entry.site_id != prepared.submission.site.id:
        entry = None
    decision = batch.judge.judge(prepared, entry)
    if decision.problems or entry is None:
        return Verdict("refused", problems=decision.problems)
    try:
        with db.database.savepoint() if batch.each_alone else nullcontext():
            verdict = _accept(batch.judge.config, prepared, entry, decision)
    except (IntegrityError, DataError):
        if not batch.each_alone:
            raise
        # Another host saved the same form, or the parent was deleted, a moment ago; or the text cannot be stored.
        saved = _find_saved([nonce]).get(nonce)
        if saved is None:
            log.exception("a comment cannot be saved")
        return _repeated(saved) if saved else _unsaved()
    if nonce and verdict.comment:
        batch.saved[nonce] = verdict.comment
    return verdict


def _accept(config: Config, prepared: Prepared, entry: Entry, decision: Decision) -> Verdict:
    comment = _insert(prepared, entry, decision)
    notice = _request_notice(config, prepared, comment)
    if decision.reason == WAITS_FOR_CHECK:
        spam_job.enqueue_check(config, prepared.submission.site, comment)
    return Verdict(_OUTCOMES[decision.status], comment, reason=decision.reason, notice=notice)


def _unsaved() -> Verdict:
    return Verdict("refused", problems=(FieldProblem("", "This comment could not be saved. Please send it again."),))


def _repeated(comment: Comment) -> Verdict:
    return Verdict(_OUTCOMES[comment.status], comment, repeated=True)


def _find_saved(nonces: Sequence[str]) -> dict[str, Comment]:
    """The comments that were saved from the forms of these nonces."""
    wanted = sorted({nonce for nonce in nonces if nonce})
    found = dict[str, Comment]()
    for some in db.chunks(wanted):
        among = f"SELECT comment_id, submission FROM comment_origin WHERE submission IN ({db.placeholders(len(some))})"
        ids = dict(db.execute(among, some).fetchall())
        if ids:
            found |= {ids[row.id]: row for row in Comment.select().where(Comment.id.in_(list(ids)))}
    return found


def _insert(prepared: Prepared, entry: Entry, decision: Decision) -> Comment:
    submission = prepared.submission
    comment = comments.add_checked(
        entry,
        {
            "author_name": prepared.name,
            "author_email": prepared.email,
            "author_url": prepared.website,
            "text": prepared.text,
            "html": prepared.html,
        },
        parent=submission.parent,
        status=decision.status,
        actor=READER,
    )
    rows.insert(
        CommentOrigin,
        {
            "comment": comment.id,
            "submission": submission.nonce or None,
            "address": submission.address,
            "network": prepared.network,
            "user_agent": kept_agent(submission),
            "referrer": kept_referrer(submission),
            "reason": decision.reason,
            "judged": decision.judged,
            "text_digest": prepared.text_digest,
            "created_at": comment.created_at,
        },
    )
    return comment


def _request_notice(config: Config, prepared: Prepared, comment: Comment) -> int | None:
    submission = prepared.submission
    if not submission.notify or comment.status == "spam":
        return None
    return reply_notices.request(config, submission.site, comment, prepared.network)
