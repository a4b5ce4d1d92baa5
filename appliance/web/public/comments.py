"""The routes of readers' comments: the form, posting and previewing, what became of a comment, and deleting it.

A comment is sent once: after it was saved, the reader's browser is led on by a redirect. Whatever is refused or cannot
be saved now comes back in the form, as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Flask, Response, redirect, request
from pydantic import ValidationError
from werkzeug.exceptions import Forbidden, NotFound, RequestEntityTooLarge

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
    StatusRequest,
)
from appliance.web.public.fields import read_fields, read_number, read_token
from appliance.web.public.pages import STATUSES, Pages, is_local_path
from appliance.web.public.reader import origin_of
from appliance.web.public.waiting import GLANCE, WaitingSlots

#: How often “on its way” looks again by itself, and after how many seconds, at first and later.
_LOOKS: Final = 40
_SOON, _LATER, _SOON_LOOKS = 1, 5, 15


def add_routes(app: Flask, pages: Pages) -> None:
    """Add the routes to the application."""
    base = f"{pages.settings.path}<site:site>/comments"
    views = _Comments(pages)
    app.add_url_rule(base, "comment_form", views.form, methods=["GET"])
    app.add_url_rule(base, "comment", views.send, methods=["POST"])
    app.add_url_rule(f"{base}/form", "comment_token", views.token, methods=["GET"])
    app.add_url_rule(f"{base}/status", "comment_status", views.status, methods=["GET"])
    app.add_url_rule(f"{base}/delete", "comment_delete", views.delete, methods=["GET", "POST"])


class _Comments:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._waiting = WaitingSlots(pages.settings.threads)

    # --- The form ---

    def form(self, site: str) -> Response:
        answer = self._ask_form(site)
        if isinstance(answer, FormAnswer):
            draft = Draft(entry=_entry(request.args), parent=read_number(request.args.get("parent", "")))
            return self._show(site, answer, draft)
        return self._pages.refuse(site, answer)

    def token(self, site: str) -> Response:
        answer = self._ask_form(site)
        if isinstance(answer, FormAnswer):
            return self._pages.json({"token": answer.token, "closed": answer.closed})
        return self._pages.json_error(answer)

    def _ask_form(self, site: str) -> FormAnswer | ErrorAnswer:
        entry, parent = _entry(request.args), read_number(request.args.get("parent", ""))
        return self._pages.ask_for(
            FormAnswer, FormRequest(site=site, entry=entry, parent=parent, sender=self._pages.sender())
        )

    def _show(
        self, site: str, form: FormAnswer, draft: Draft, *, title: str = "", html: str = "", status: int = 200,
        problems: tuple[Problem, ...] = (),
    ) -> Response:  # fmt: skip
        """Show the form, with what was written; `title` names the text above it."""
        if form.closed:
            return self._pages.render("closed", site, status if status >= 400 else 403, form=form, draft=draft)
        return self._pages.render(
            "form", site, status, form=form, draft=draft, title=title, html=html, token=form.token,
            problems={problem.field: problem.sentence for problem in problems}, listed=problems,
        )  # fmt: skip

    # --- Posting ---

    def send(self, site: str) -> Response:
        if origin_of(request, self._pages.proxies) == "other":
            raise Forbidden
        fields = read_fields(request, self._pages.settings.body)
        draft, token = _draft(fields), read_token(fields.get("token", ""))
        if fields.get("action") == "preview":
            return self._preview(site, draft, token)
        trap = fields.get("topic", "")[:2000]
        with self._waiting.seconds() as wait:
            answer = self._pages.ask(
                CommentRequest(site=site, draft=draft, sender=self._pages.sender(), token=token, trap=trap, wait=wait)
            )
        if isinstance(answer, CommentAnswer):
            return self._after(site, draft, answer)
        if not isinstance(answer, ErrorAnswer):
            answer = ErrorAnswer(reason="invalid", sentence="")
        return self._keep(site, draft, token, answer)

    def _preview(self, site: str, draft: Draft, token: str) -> Response:
        answer = self._pages.ask_for(
            PreviewAnswer, PreviewRequest(site=site, draft=draft, sender=self._pages.sender(), token=token)
        )
        if not isinstance(answer, PreviewAnswer):
            return self._keep(site, draft, token, answer)
        if answer.problems:
            return self._show(site, answer.form, draft, title="problems", status=422, problems=answer.problems)
        return self._show(site, answer.form, draft, title="preview", html=answer.html)

    def _after(self, site: str, draft: Draft, answer: CommentAnswer) -> Response:
        """Lead on from a comment that was saved; show the form again otherwise."""
        if answer.form is not None and answer.outcome == "confirm":
            return self._show(site, answer.form, draft, title="confirm", html=answer.html)
        if answer.form is not None and answer.outcome == "refused":
            return self._show(site, answer.form, draft, title="problems", status=422, problems=answer.problems)
        if answer.outcome == "accepted" and answer.visible:
            return self._lead(answer.page, answer.receipt)
        if answer.receipt:
            return redirect(self._pages.url(site, "comments/status", receipt=answer.receipt), 303)  # type: ignore[return-value]
        return self._pages.message(site, "held", 200)

    def _lead(self, page: str, receipt: str) -> Response:
        """Lead to the page of an entry. With the receipt its script lets the reader delete the comment."""
        if not is_local_path(page):
            raise NotFound
        return redirect(self._pages.with_receipt(page, receipt), 303)  # type: ignore[return-value]

    def _keep(self, site: str, draft: Draft, token: str, answer: ErrorAnswer) -> Response:
        """Say why a comment was not saved, with all that was written."""
        if answer.reason in ("missing", "invalid"):
            return self._pages.refuse(site, answer)
        status, _ = STATUSES[answer.reason]
        response = self._pages.render(
            "form", site, status, form=None, draft=draft, title=answer.reason, html="", token=token, problems={},
            listed=(),
        )  # fmt: skip
        return self._pages.with_retry(response, answer)

    # --- What became of it ---

    def status(self, site: str) -> Response:
        receipt, looks = read_token(request.args.get("receipt", "")), read_number(request.args.get("look", "")) or 1
        sender = self._pages.sender()
        with self._waiting.seconds(GLANCE) as wait:
            answer = self._pages.ask(
                StatusRequest(site=site, receipt=receipt, front_end=sender.front_end, wait=wait, sender=sender)
            )
        if isinstance(answer, ErrorAnswer):
            return self._pages.refuse(site, answer)
        if not isinstance(answer, CommentAnswer):
            raise NotFound
        if answer.outcome == "accepted" and answer.visible:
            return self._lead(answer.page, answer.receipt or receipt)
        on_its_way = answer.outcome == "accepted"
        again = self._pages.url(site, "comments/status", receipt=receipt, look=looks + 1)
        pause = 0 if not on_its_way or looks > _LOOKS else _SOON if looks <= _SOON_LOOKS else _LATER
        back = answer.page.partition("#")[0] if is_local_path(answer.page) else ""
        response = self._pages.render(
            "status", site, 200, answer=answer, kind="way" if on_its_way else "held", again=again, pause=pause,
            back=self._pages.with_receipt(f"{back}#comments", answer.receipt or receipt) if back else "",
            delete=self._pages.url(site, "comments/delete", receipt=receipt),
        )  # fmt: skip
        if pause:
            response.headers["Refresh"] = f"{pause}; url={again}"
        return response

    # --- Deleting ---

    def delete(self, site: str) -> Response:
        sent = request.method == "POST"
        fields: Mapping[str, str] = request.args
        if sent:
            if origin_of(request, self._pages.proxies) == "other":
                raise Forbidden
            fields = read_fields(request, self._pages.settings.body)
        receipt = read_token(fields.get("receipt", ""))
        answer = self._pages.ask_for(
            DeleteAnswer, DeleteRequest(site=site, receipt=receipt, confirmed=sent, sender=self._pages.sender())
        )
        if isinstance(answer, ErrorAnswer):
            return self._pages.refuse(site, answer)
        page = answer.page.partition("#")[0]
        return self._pages.render(
            "delete", site, 410 if answer.outcome == "expired" else 200, answer=answer, receipt=receipt,
            html=answer.html, back=page if is_local_path(page) else "",
        )  # fmt: skip


def _entry(fields: Mapping[str, str]) -> int:
    entry = read_number(fields.get("entry", ""))
    if entry is None:
        raise NotFound
    return entry


def _draft(fields: Mapping[str, str]) -> Draft:
    texts = {name: fields.get(name, "") for name in ("name", "email", "website", "text")}
    try:
        return Draft(
            entry=_entry(fields),
            parent=read_number(fields.get("parent", "")),
            notify=fields.get("notify", "") not in ("", "0"),
            **texts,
        )
    except ValidationError as error:
        raise RequestEntityTooLarge from error
