"""Posting a comment, in stages: looking up its form, saving it, and waiting until the reader's front end shows it.

Guarantees that a form that was filled in is never lost: what is not accepted comes back as a form. A form that a
program sends (its trap is filled) is answered like one whose comment waits for approval, so the program learns nothing.
No stage waits with a connection to the database in its hands, so readers who wait keep nobody else from theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance import db
from appliance.config import CommentSettings, Config
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import Outcome, Submission, Verdict
from appliance.intake.forms import Forms, to_problems, to_submission
from appliance.intake.limits import limited, network_key
from appliance.intake.messages import CommentAnswer, CommentRequest, ErrorAnswer
from appliance.intake.pages import EntryPage, find_page
from appliance.intake.pool import Pool
from appliance.intake.rates import Rates
from appliance.intake.saver import Saver
from appliance.intake.visibility import Watcher
from appliance.signing import Signer


@dataclass(frozen=True, slots=True)
class _Sent:
    """A form that was sent, and what was found out about it."""

    page: EntryPage
    settings: CommentSettings
    #: When it was sent, by the database's clock.
    now: float
    #: What makes the form one.
    nonce: str
    submission: Submission


@dataclass(frozen=True, slots=True)
class _Again:
    """A form that is to be sent once more, with this token; a new one if it is empty."""

    page: EntryPage
    token: str


@dataclass(frozen=True)
class Posting:
    """Takes the comments of readers."""

    config: Config
    signer: Signer
    forms: Forms
    lookups: Pool
    previews: Pool
    saver: Saver
    watcher: Watcher
    rates: Rates

    def comment(self, request: CommentRequest) -> CommentAnswer | ErrorAnswer:
        """Save a comment, and wait a moment until the reader's front end shows it."""
        found = self.lookups.call(lambda: self._look_up(request))
        match found:
            case _Again(page, token):
                return self.previews.call(lambda: self._again(page, request, token))
            case _Sent():
                return self._save(found, request)
        return found

    def _look_up(self, request: CommentRequest) -> _Sent | _Again | CommentAnswer | ErrorAnswer:
        page = find_page(self.config, request.site, request.draft.entry)
        settings, now = self.config.site(request.site).comments, db.now()
        token = self.signer.read_form(request.token, page.entry.id, now)
        if token is None:
            return _Again(page, "")
        if token.age < settings.least_seconds and not request.trap:
            return _Again(page, request.token)
        submission = to_submission(page, request.draft, request.sender, token.nonce)
        sent = _Sent(page, settings, now, token.nonce, submission)
        if request.trap:
            return self._after(sent, "discarded")
        wait = self.rates.take(("saved", page.site.id, network_key(request.sender)), settings.rate)
        wait = wait or self.rates.take(("entry", page.entry.id), settings.entry_rate)
        return limited(wait) if wait else sent

    def _save(self, sent: _Sent, request: CommentRequest) -> CommentAnswer:
        verdict = self.saver.save(sent.submission)
        if verdict.outcome == "refused":
            return self.lookups.call(lambda: self._refused(sent.page, request, verdict))
        answer = self._after(sent, verdict.outcome)
        if verdict.outcome != "accepted" or verdict.comment is None:
            return answer
        page, number = sent.page, verdict.comment.id
        visible = self.watcher.wait(page.site.id, page.entry.id, number, request.sender.front_end, request.wait)
        told = request.draft.email if verdict.notice is not None else ""
        return answer.model_copy(
            update={"page": f"{page.path}#comment-{number}", "visible": visible, "confirmation_sent": told}
        )

    def _again(self, page: EntryPage, request: CommentRequest, token: str) -> CommentAnswer:
        """Ask for the same form once more, with what is wrong with it, if anything is."""
        checked = reader_comments.check(self.config, to_submission(page, request.draft, request.sender))
        return CommentAnswer(
            outcome="refused" if checked.problems else "confirm", site=page.about, page=page.path,
            form=self.forms.make(page, request.draft.parent, token), problems=to_problems(checked.problems),
            html="" if checked.problems else checked.html,
        )  # fmt: skip

    def _refused(self, page: EntryPage, request: CommentRequest, verdict: Verdict) -> CommentAnswer:
        return CommentAnswer(
            outcome="refused", site=page.about, page=page.path, problems=to_problems(verdict.problems),
            form=self.forms.make(page, request.draft.parent, request.token),
        )  # fmt: skip

    def _after(self, sent: _Sent, outcome: Outcome) -> CommentAnswer:
        return CommentAnswer(
            outcome=outcome, site=sent.page.about, page=sent.page.path,
            receipt=self.signer.receipt(sent.nonce, sent.now), delete_minutes=sent.settings.delete_minutes,
        )  # fmt: skip
