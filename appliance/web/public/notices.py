"""The routes of notices of replies: to confirm them and to end them, by links from mails.

Opening a link changes nothing, since programs that check mail open links too. A mail program may end notices by one
POST to the link, as RFC 8058 says.
"""

from __future__ import annotations

from typing import Literal

from flask import Flask, Response, request

from appliance.intake.messages import ErrorAnswer, NoticeAnswer, NoticeRequest
from appliance.web.public.fields import ENCODING, read_fields, read_token
from appliance.web.public.pages import Pages, is_local_path


def add_routes(app: Flask, pages: Pages) -> None:
    """Add the routes to the application."""
    base = f"{pages.settings.path}<site:site>/notices"
    methods = ["GET", "POST"]
    app.add_url_rule(f"{base}/confirm", "notice_confirm", lambda site: _notice(pages, site, "confirm"), methods=methods)
    app.add_url_rule(
        f"{base}/unsubscribe", "notice_unsubscribe", lambda site: _notice(pages, site, "unsubscribe"), methods=methods
    )


def _notice(pages: Pages, site: str, action: Literal["confirm", "unsubscribe"]) -> Response:
    sent = request.method == "POST"
    # The body of a mail program's POST may be encoded in another way, and says nothing more.
    fields = read_fields(request, pages.settings.body) if sent and request.mimetype == ENCODING else {}
    token = read_token(request.args.get("token", ""))
    everywhere = fields.get("everywhere", "") == "1"
    answer = pages.ask_for(
        NoticeAnswer,
        NoticeRequest(
            site=site, action=action, token=token, confirmed=sent, everywhere=everywhere, sender=pages.sender()
        ),
    )
    if isinstance(answer, ErrorAnswer):
        return pages.refuse(site, answer)
    page = answer.page.partition("#")[0]
    return pages.render(
        "notice", site, 410 if answer.outcome == "expired" else 200, answer=answer, action=action,
        here=pages.url(site, f"notices/{action}", token=token), back=page if is_local_path(page) else "",
    )  # fmt: skip
