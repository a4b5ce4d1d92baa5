"""Answers to readers who comment: the form, the preview, the comment itself, its status and its deletion.

Guarantees that a form that was filled in is never lost: what is not accepted comes back as a form. A form that a
program sends (its trap is filled) is answered like one whose comment waits for approval, so the program learns nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance import db
from appliance.config import CommentSettings, Config
from appliance.content import comments
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, Entry
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import FieldProblem, Submission
from appliance.intake.limits import limited, network_key
from appliance.intake.messages import (
    CommentAnswer,
    CommentRequest,
    DeleteAnswer,
    DeleteRequest,
    Draft,
    ErrorAnswer,
    FormAnswer,
    FormRequest,
    PreviewAnswer,
    PreviewRequest,
    Problem,
    Sender,
    StatusRequest,
)
from appliance.intake.pages import EntryPage, describe_site, find_page, find_parent, find_site
from appliance.intake.rates import Rates
from appliance.intake.saver import Saver
from appliance.intake.visibility import Watcher
from appliance.notifications import reply_notices
from appliance.signing import Signer


@dataclass(frozen=True)
class Commenting:
    """Answers the requests of readers who comment."""

    config: Config
    signer: Signer
    saver: Saver
    watcher: Watcher
    rates: Rates

    def form(self, request: FormRequest) -> FormAnswer:
        """What a comment form needs."""
        page = find_page(self.config, request.site, request.entry)
        return self._form(page, request.parent)

    def preview(self, request: PreviewRequest) -> PreviewAnswer:
        """How a comment would look, or why it would be refused."""
        page = find_page(self.config, request.site, request.draft.entry)
        checked = reader_comments.check(self.config, _submission(page, request.draft, request.sender))
        form = self._form(page, request.draft.parent, request.token)
        return PreviewAnswer(form=form, html=checked.html, problems=_problems(checked.problems))

    def comment(self, request: CommentRequest) -> CommentAnswer | ErrorAnswer:
        """Save a comment, and wait a moment until the reader's front end shows it."""
        page = find_page(self.config, request.site, request.draft.entry)
        settings = self.config.site(request.site).comments
        now = db.now()
        token = self.signer.read_form(request.token, page.entry.id, now)
        if token is None:
            return self._again(page, request, "")
        if request.trap:
            return self._after(page, "discarded", token.nonce, now, settings)
        if token.age < settings.least_seconds:
            return self._again(page, request, request.token)
        if refusal := self._limit(page, request.sender, settings):
            return refusal
        verdict = self.saver.save(_submission(page, request.draft, request.sender, token.nonce))
        if verdict.outcome == "refused":
            return CommentAnswer(
                outcome="refused", site=page.about, page=page.path, problems=_problems(verdict.problems),
                form=self._form(page, request.draft.parent, request.token),
            )  # fmt: skip
        answer = self._after(page, verdict.outcome, token.nonce, now, settings)
        if verdict.outcome != "accepted" or verdict.comment is None:
            return answer
        number = verdict.comment.id
        visible = self.watcher.wait(page.site.id, page.entry.id, number, request.sender.front_end, request.wait)
        sent = request.draft.email if verdict.notice is not None else ""
        return answer.model_copy(
            update={"page": f"{page.path}#comment-{number}", "visible": visible, "confirmation_sent": sent}
        )

    def status(self, request: StatusRequest) -> CommentAnswer:
        """Whether the reader's front end shows a comment by now."""
        site = find_site(self.config, request.site)
        about, settings = describe_site(site), self.config.site(request.site).comments
        receipt = self.signer.read_receipt(request.receipt, db.now())
        comment = _find_comment(receipt.nonce) if receipt else None
        if comment is None or receipt is None:  # deleted, or never saved: its sender is told as much as of a held one
            return CommentAnswer(outcome="held", site=about, page=about.root, receipt=request.receipt)
        page = find_page(self.config, request.site, comment.entry_id)
        left = max(0, settings.delete_minutes - int(receipt.age // 60))
        answer = CommentAnswer(outcome="held", site=about, page=page.path, receipt=request.receipt, delete_minutes=left)
        if comment.status != "approved":
            return answer
        visible = self.watcher.wait(site.id, page.entry.id, comment.id, request.front_end, request.wait)
        return answer.model_copy(
            update={"outcome": "accepted", "page": f"{page.path}#comment-{comment.id}", "visible": visible}
        )

    def delete(self, request: DeleteRequest) -> DeleteAnswer:
        """Delete a comment of the reader's own, or say which one it would be."""
        site = find_site(self.config, request.site)
        about, settings = describe_site(site), self.config.site(request.site).comments
        receipt = self.signer.read_receipt(request.receipt, db.now())
        if receipt is None or receipt.age > settings.delete_minutes * 60:
            return DeleteAnswer(site=about, page=about.root, outcome="expired")
        with db.write():
            comment = _find_comment(receipt.nonce)
            if comment is None:  # deleting twice is no mistake
                return DeleteAnswer(site=about, page=about.root, outcome="deleted")
            entry = Entry.get_by_id(comment.entry_id)
            if entry.site_id != site.id:
                return DeleteAnswer(site=about, page=about.root, outcome="expired")
            if request.confirmed:
                comments.delete(comment, "its writer")
        page = find_page(self.config, request.site, entry.id)
        if request.confirmed:
            return DeleteAnswer(site=about, page=page.path, outcome="deleted")
        return DeleteAnswer(site=about, page=page.path, outcome="possible", html=comment.html)

    def _limit(self, page: EntryPage, sender: Sender, settings: CommentSettings) -> ErrorAnswer | None:
        wait = self.rates.take(("saved", page.site.id, network_key(sender)), settings.rate)
        wait = wait or self.rates.take(("entry", page.entry.id), settings.entry_rate)
        return limited(wait) if wait else None

    def _form(self, page: EntryPage, parent: int | None, token: str = "") -> FormAnswer:
        now = db.now()
        known = self.signer.read_form(token, page.entry.id, now) if token else None
        answered = find_parent(page.entry, parent)
        return FormAnswer(
            site=page.about,
            title=page.entry.title,
            page=page.path,
            closed=reader_comments.closed(self.config, page.site, page.entry),
            token=token if known else self.signer.form(page.entry.id, now),
            parent_name=answered.author_name if answered else "",
            parent_html=answered.html if answered else "",
            notices=reply_notices.are_offered(self.config, page.site.name),
        )

    def _again(self, page: EntryPage, request: CommentRequest, token: str) -> CommentAnswer:
        """Ask for the same form once more, with what is wrong with it, if anything is."""
        checked = reader_comments.check(self.config, _submission(page, request.draft, request.sender))
        return CommentAnswer(
            outcome="refused" if checked.problems else "confirm", site=page.about, page=page.path,
            form=self._form(page, request.draft.parent, token), problems=_problems(checked.problems),
        )  # fmt: skip

    def _after(
        self, page: EntryPage, outcome: reader_comments.Outcome, nonce: str, now: float, settings: CommentSettings
    ) -> CommentAnswer:
        return CommentAnswer(
            outcome=outcome, site=page.about, page=page.path, receipt=self.signer.receipt(nonce, now),
            delete_minutes=settings.delete_minutes,
        )  # fmt: skip


def _submission(page: EntryPage, draft: Draft, sender: Sender, nonce: str = "") -> Submission:
    return Submission(
        page.site, page.entry.id, draft.text, draft.name, draft.email, draft.website, draft.parent, nonce,
        sender.address, sender.user_agent, sender.referrer, draft.notify,
    )  # fmt: skip


def _problems(found: tuple[FieldProblem, ...]) -> tuple[Problem, ...]:
    return tuple(Problem(field=problem.field, sentence=problem.sentence) for problem in found)


def _find_comment(nonce: str) -> Comment | None:
    found: Comment | None = (
        Comment.select().join(CommentOrigin, on=CommentOrigin.comment == Comment.id)
        .where(CommentOrigin.submission == nonce).first()
    )  # fmt: skip
    return found
