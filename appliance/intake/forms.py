"""The comment form: what it needs, and how a comment in it would look."""

from __future__ import annotations

from dataclasses import dataclass

from appliance import db
from appliance.config import Config
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import FieldProblem, Submission
from appliance.intake.messages import (
    Draft,
    FormAnswer,
    FormRequest,
    PreviewAnswer,
    PreviewRequest,
    Problem,
    Sender,
)
from appliance.intake.pages import EntryPage, find_page, find_parent
from appliance.notifications import reply_notices
from appliance.signing import Signer


@dataclass(frozen=True)
class Forms:
    """Answers the requests for forms and previews."""

    config: Config
    signer: Signer

    def form(self, request: FormRequest) -> FormAnswer:
        """What a comment form needs."""
        return self.make(find_page(self.config, request.site, request.entry), request.parent)

    def preview(self, request: PreviewRequest) -> PreviewAnswer:
        """How a comment would look, or why it would be refused."""
        page = find_page(self.config, request.site, request.draft.entry)
        checked = reader_comments.check(self.config, to_submission(page, request.draft, request.sender))
        form = self.make(page, request.draft.parent, request.token)
        return PreviewAnswer(form=form, html=checked.html, problems=to_problems(checked.problems))

    def make(self, page: EntryPage, parent: int | None, token: str = "") -> FormAnswer:
        """A form for a page and the comment that is replied to; it keeps its token if that is still good."""
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


def to_submission(page: EntryPage, draft: Draft, sender: Sender, nonce: str = "") -> Submission:
    """What a reader wrote, as it is checked and saved."""
    return Submission(
        page.site, page.entry.id, draft.text, draft.name, draft.email, draft.website, draft.parent, nonce,
        sender.address, sender.user_agent, sender.referrer, draft.notify,
    )  # fmt: skip


def to_problems(found: tuple[FieldProblem, ...]) -> tuple[Problem, ...]:
    """What is wrong with fields, for the web process."""
    return tuple(Problem(field=problem.field, sentence=problem.sentence) for problem in found)
