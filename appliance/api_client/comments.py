"""Comments of an installation elsewhere, and their senders: what `editorial` does with them, by its API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from appliance.api_client.answers import decode, decode_page, decode_rows
from appliance.api_client.connection import Connection
from appliance.api_client.entries import RemoteEntries
from appliance.api_client.sites import site_path
from appliance.content.models import COMMENT_STATUSES, CommentStatus
from appliance.editorial import CommentFilter, CommentRow, EditResult
from appliance.editorial.decisions import Decided
from appliance.editorial.queries.choices import refuse_unknown
from appliance.editorial.senders import Ban
from appliance.errors import ApiRefused, ContentError
from appliance.paging import Page


class RemoteComments:
    """The verbs for comments. Workers build what is edited."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_comment(
        self, site: str, entry: str, text: str, *, author: str | None, email: str, url: str, reply_to: int | None
    ) -> EditResult[CommentRow]:
        """Add a comment under the name of the user."""
        if author is not None or email or url:
            raise ContentError("By the API you comment under your own name; leave out --author, --email and --url.")
        body = {"entry": self._entry_id(site, entry), "text": text, "reply_to": reply_to}
        sent = {name: value for name, value in body.items() if value is not None}
        reply = self._connection.post(f"{self._site(site)}/comments", sent)
        return EditResult(_decode(reply.value), changed=True)

    def edit_comment(
        self, site: str, number: int, *, text: str | None, author: str | None, email: str | None, url: str | None
    ) -> EditResult[CommentRow]:
        """Change the given fields of a comment."""
        fields = {"text": text, "author": author, "email": email, "url": url}
        body = {name: value for name, value in fields.items() if value is not None}
        reply = self._connection.ask("PATCH", f"{self._site(site)}/comments/{number}", body=body)
        return EditResult(_decode(reply.value), reply.changed)

    def list_comments(self, site: str, wanted: CommentFilter, *, size: int, after: str | None) -> Page[CommentRow]:
        """Read a page of comments."""
        refuse_unknown("status of a comment", wanted.status, COMMENT_STATUSES)
        entry = None if wanted.entry is None else self._entry_id(site, str(wanted.entry))
        query = {**asdict(wanted), "entry": entry, "size": size, "after": after}
        found = self._connection.get(f"{self._site(site)}/comments", **query)
        return decode_page(CommentRow, {**found, "rows": [_with_email(row) for row in found["rows"]]})

    def moderate_comments(
        self, site: str, comments: Sequence[int], status: CommentStatus
    ) -> EditResult[Sequence[object]]:
        """Approve comments, hold them or mark them as spam."""
        body = {"comments": list(comments), "status": status}
        changed = self._connection.post(f"{self._site(site)}/comments/judge", body).value["changed"]
        return EditResult(changed, bool(changed))

    def delete_comments(self, site: str, *comments: int) -> EditResult[Sequence[object]]:
        """Delete comments: all of them or none."""
        reply = self._connection.post(f"{self._site(site)}/comments/delete", {"comments": list(comments)})
        return EditResult(range(reply.value["comments"]), reply.changed)

    def undo(self, site: str, comment: int) -> EditResult[Decided]:
        """Undo the last decisions of the user."""
        reply = self._connection.post(f"{self._site(site)}/comments/undo", {"comment": comment} if comment else {})
        return EditResult(Decided(tuple(reply.value["undone"]), tuple(reply.value["left"])), reply.changed)

    def ban(self, site: str, who: str, *, reason: str) -> list[Ban]:
        """Refuse comments of a sender."""
        return decode_rows(Ban, self._connection.post(f"{self._site(site)}/bans", {"who": who, "reason": reason}).value)

    def unban(self, site: str, who: str) -> int:
        """Take comments of a sender again; returns how many bans there were."""
        try:
            reply = self._connection.ask("DELETE", f"{self._site(site)}/bans", query={"who": who})
        except ApiRefused as error:
            if error.kind == "no-ban":
                return 0
            raise
        return int(reply.value["bans"])

    def list_bans(self, site: str) -> list[Ban]:
        """List whose comments a site refuses."""
        return decode_rows(Ban, self._connection.get(f"{self._site(site)}/bans"))

    def erase(self, site: str, email: str) -> int:
        """Erase what identifies a sender; returns in how many comments."""
        return int(self._connection.post(f"{self._site(site)}/comments/erase", {"email": email}).value["comments"])

    def _entry_id(self, site: str, reference: str) -> int:
        return RemoteEntries(self._connection).get_entry(site, reference).id

    def _site(self, name: str) -> str:
        return site_path(self._connection, name)


def _decode(row: dict[str, object]) -> CommentRow:
    return decode(CommentRow, _with_email(row))


def _with_email(row: dict[str, object]) -> dict[str, object]:
    """A comment whose e-mail address may not be seen, as one without."""
    return {**row, "email": row["email"] or ""}
