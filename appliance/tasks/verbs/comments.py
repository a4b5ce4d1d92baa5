"""The verbs for comments and their senders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from appliance import editorial
from appliance.actor import current
from appliance.config import Config
from appliance.content.models import Comment, CommentStatus
from appliance.editorial import CommentFilter, CommentRow, EditResult, last_decision, senders
from appliance.editorial.decisions import Decided
from appliance.editorial.senders import Ban
from appliance.paging import Page
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation

#: The author of a comment that is added on a host, where nobody is signed in.
AUTHOR = "Editor"


class CommentVerbs(Protocol):
    """The verbs. See `editorial` for each; `site` may be empty where there is only one."""

    def add_comment(
        self, site: str, entry: str, text: str, *, author: str | None, email: str, url: str, reply_to: int | None
    ) -> EditResult[CommentRow]:
        """Add an approved comment."""

    def edit_comment(
        self, site: str, number: int, *, text: str | None, author: str | None, email: str | None, url: str | None
    ) -> EditResult[CommentRow]:
        """Change the given fields of a comment."""

    def list_comments(self, site: str, wanted: CommentFilter, *, size: int, after: str | None) -> Page[CommentRow]:
        """Read a page of comments."""

    def moderate_comments(
        self, site: str, comments: Sequence[int], status: CommentStatus
    ) -> EditResult[Sequence[object]]:
        """Approve comments, hold them or mark them as spam."""

    def delete_comments(self, site: str, *comments: int) -> EditResult[Sequence[object]]:
        """Delete comments: all of them or none."""

    def undo(self, site: str, comment: int) -> EditResult[Decided]:
        """Undo the last decisions of whoever asks, about a comment or, if it is 0, about any."""

    def ban(self, site: str, who: str, *, reason: str) -> list[Ban]:
        """Refuse comments of a sender."""

    def unban(self, site: str, who: str) -> int:
        """Take comments of a sender again; returns how many bans there were."""

    def list_bans(self, site: str) -> list[Ban]:
        """List whose comments a site refuses."""

    def erase(self, site: str, email: str) -> int:
        """Erase what identifies a sender; returns in how many comments."""


@contextmanager
def open_comments(*, later: bool = False) -> Iterator[CommentVerbs]:
    """Open the verbs for comments, here or where --api says. Here edits are built at once, or `later` as elsewhere."""
    if address := api_mode.address():
        from appliance.api_client.comments import RemoteComments
        from appliance.api_client.connection import connect

        with connect(address) as connection:
            yield RemoteComments(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalComments(config, later=later)


class _LocalComments:
    """The verbs on this host."""

    def __init__(self, config: Config, *, later: bool) -> None:
        self._config, self._later = config, later
        self.moderate_comments = partial(editorial.moderate_comments, config, actor=current(), later=later)
        self.delete_comments = partial(editorial.delete_comments, config, actor=current(), later=later)
        self.undo = partial(last_decision.undo_last, config, actor=current(), later=later)
        self.list_comments = partial(editorial.list_comments, config, with_total=False)
        self.ban = partial(senders.ban, config, actor=current())
        self.unban = partial(senders.unban, config, actor=current())
        self.list_bans = partial(senders.list_bans, config)
        self.erase = partial(senders.erase, config, actor=current())

    def add_comment(
        self, site: str, entry: str, text: str, *, author: str | None, email: str, url: str, reply_to: int | None
    ) -> EditResult[CommentRow]:
        result = editorial.add_comment(
            self._config, site, entry, text, author=author or AUTHOR, email=email, url=url, reply_to=reply_to,
            actor=current(), later=self._later,
        )  # fmt: skip
        return self._as_row(site, result)

    def edit_comment(
        self, site: str, number: int, *, text: str | None, author: str | None, email: str | None, url: str | None
    ) -> EditResult[CommentRow]:
        result = editorial.edit_comment(
            self._config, site, number, text=text, author=author, email=email, url=url, actor=current(),
            later=self._later,
        )  # fmt: skip
        return self._as_row(site, result)

    def _as_row(self, site: str, result: EditResult[Comment]) -> EditResult[CommentRow]:
        row = editorial.get_comment(self._config, site, result.subject.id)
        return EditResult(row, result.changed, result.files, result.faults, result.conflicts, result.actor)
