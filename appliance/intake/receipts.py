"""Answers to readers who have the receipt of a comment: what became of it, and deleting it.

Guarantees that a writer can delete a comment whether readers see its entry or not, and is told so.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance import db
from appliance.config import Config
from appliance.content import comments
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment
from appliance.intake.messages import CommentAnswer, DeleteAnswer, DeleteRequest, StatusRequest
from appliance.intake.pages import Missing, describe_site, find_page, find_site
from appliance.intake.pool import Pool
from appliance.intake.visibility import Watcher
from appliance.signing import Signer


@dataclass(frozen=True, slots=True)
class _Saved:
    """A comment that is approved."""

    site: int
    entry: int
    number: int


@dataclass(frozen=True)
class Receipts:
    """Answers the requests that come with a receipt."""

    config: Config
    signer: Signer
    lookups: Pool
    watcher: Watcher

    def status(self, request: StatusRequest) -> CommentAnswer:
        """Whether the reader's front end shows a comment by now."""
        answer, saved = self.lookups.call(lambda: self._look_up(request))
        if saved is None:
            return answer
        visible = self.watcher.wait(saved.site, saved.entry, saved.number, request.front_end, request.wait)
        return answer.model_copy(
            update={"outcome": "accepted", "page": f"{answer.page}#comment-{saved.number}", "visible": visible}
        )

    def _look_up(self, request: StatusRequest) -> tuple[CommentAnswer, _Saved | None]:
        """The answer as long as nobody sees the comment, and the comment if it is approved."""
        site = find_site(self.config, request.site)
        about, settings = describe_site(site), self.config.site(request.site).comments
        receipt = self.signer.read_receipt(request.receipt, db.now())
        comment = _find_comment(receipt.nonce) if receipt else None
        if comment is None or receipt is None:  # deleted, or never saved: its sender is told as much as of a held one
            return CommentAnswer(outcome="held", site=about, page=about.root, receipt=request.receipt), None
        path = self._path(request.site, comment)
        left = max(0, settings.delete_minutes - int(receipt.age // 60))
        answer = CommentAnswer(
            outcome="held", site=about, page=path or about.root, receipt=request.receipt, delete_minutes=left
        )
        shown = path and comment.status == "approved"
        return answer, _Saved(site.id, comment.entry_id, comment.id) if shown else None

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
            if comment.entry.site_id != site.id:
                return DeleteAnswer(site=about, page=about.root, outcome="expired")
            path = self._path(request.site, comment) or about.root
            if request.confirmed:
                comments.delete(comment, "its writer")
                return DeleteAnswer(site=about, page=path, outcome="deleted")
        return DeleteAnswer(site=about, page=path, outcome="possible", html=comment.html)

    def _path(self, site: str, comment: Comment) -> str:
        """The path of a comment's page; empty if readers cannot see its entry."""
        try:
            return find_page(self.config, site, comment.entry_id).path
        except Missing:
            return ""


def _find_comment(nonce: str) -> Comment | None:
    found: Comment | None = (
        Comment.select().join(CommentOrigin, on=CommentOrigin.comment == Comment.id)
        .where(CommentOrigin.submission == nonce).first()
    )  # fmt: skip
    return found
