"""One comment: its thread, its sender's history and where it came from; and its text to edit.

Guarantees that an edit is of the comment as the moderator saw it: if somebody has changed it since, nothing is saved,
and the page shows both versions.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from appliance import editorial
from appliance.config import Config
from appliance.editorial import decisions
from appliance.editorial.queries import comment_context
from appliance.editorial.queries.comment_context import ModerationRow
from appliance.errors import ContentError, EditConflict
from appliance.web.admin import guard
from appliance.web.admin.dashboard import comment_sentences
from appliance.web.admin.dashboard.comment_filter import PATH
from appliance.web.admin.dashboard.comments import row_context
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import live_page, page, see
from appliance.web.admin.pages.own_addresses import own_address

#: Comments of the sender with one status that are counted one by one.
_COUNTED: Final = 1_000
#: What a moderator may edit. The e-mail address only where it may be seen.
_FIELDS: Final = ("author", "url", "text")


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/sites/<site:site>/comments/<int:comment>", action="comment.read")
    def show_comment(site: str, comment: int) -> Response:
        row = read_row(config, site, comment)
        return live_page(
            "dashboard/comment.html", {"thread": "dashboard/_comment_thread.html"}, row=row,
            thread=comment_context.read_thread(comment), **row_context(f"/sites/{site}/comments/{comment}"),
        )  # fmt: skip

    @guard.route(pages, "/sites/<site:site>/comments/<int:comment>/edit", action="comment.edit")
    def edit_form(site: str, comment: int) -> Response:
        row = read_row(config, site, comment)
        return _form(row, Form({name: getattr(row, name) for name in (*_FIELDS, "email", "version")}))

    @guard.route(
        pages, "/sites/<site:site>/comments/<int:comment>/edit", action="comment.edit", methods=("POST",),
        endpoint="edit_comment",
    )  # fmt: skip
    def edit_comment(site: str, comment: int) -> Response:
        row, form = read_row(config, site, comment), Form.sent()
        sent: dict[str, str] = {
            name: form.values[name].replace("\r\n", "\n") for name in _FIELDS if name in form.values
        }
        if "email" in form.values and guard.principal().may("comment.read_sender", site):
            sent["email"] = form.values["email"]
        try:
            editorial.edit_comment(
                config, site, comment, expected_version=form.values.get("version", ""), later=True,
                actor=guard.principal().actor(), **sent,
            )  # fmt: skip
        except EditConflict:
            return _conflict(row, form)
        except ContentError as error:
            form.refuse("", str(error))
            return _form(row, form, 422)
        answer = see(_back(form), "comment-edited")
        answer.headers["Location"] += f"#c-{comment}"
        return answer


def read_row(config: Config, site: str, comment: int) -> ModerationRow:
    """The comment of a site with an id.

    Raises:
        NotFound: the site has none.
    """
    senders = [site] if guard.principal().may("comment.read_sender", site) else []
    rows = comment_context.read_rows(config, [comment], [site], senders, counted=_COUNTED)
    if not rows:
        raise NotFound
    return rows[0]


def _form(row: ModerationRow, form: Form, status: int = 200) -> Response:
    return page(
        "dashboard/comment_edit.html", status, row=row, form=form, back=_back(form),
        sees_sender=guard.principal().may("comment.read_sender", row.site),
    )  # fmt: skip


def _conflict(row: ModerationRow, form: Form) -> Response:
    """Show what the comment is now beside what was typed, which can be sent again on top of it."""
    why = comment_sentences.why_left(decisions.last_acts([row.id]).get(row.id))
    form.heading = "Somebody changed it first"
    form.refuse("", f"{why} Below is the comment as it is now, and your text to send again.")
    form.values["version"] = row.version
    return _form(row, form, 409)


def _back(form: Form) -> str:
    return own_address(form.values.get("back", "") or request.args.get("back", ""), PATH)
