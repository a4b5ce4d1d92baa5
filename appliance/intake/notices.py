"""Answers to readers who follow the links in mails about replies: confirming them, and ending them.

Guarantees that asking what a link does changes nothing, so a mail program that opens links by itself neither confirms
nor ends anything, and that a link that was used before has the same effect again. A link of another site is refused.
"""

from __future__ import annotations

from appliance import db
from appliance.content.models import Site
from appliance.intake.messages import NoticeAnswer, NoticeRequest, SiteAnswer
from appliance.intake.pages import path_of
from appliance.notifications import reply_notices
from appliance.notifications.links import comment_url
from appliance.notifications.reply_notices import Wish
from appliance.signing import Signer


def answer_notice(signer: Signer, site: Site, about: SiteAnswer, request: NoticeRequest) -> NoticeAnswer:
    """Say what a link does or, if the request is confirmed, do it. `about` is how the site presents itself."""
    token = signer.read_notice(request.token, request.action, db.now())
    wish = reply_notices.find(token.notice) if token else None
    if wish is None or not token or not token.is_for(wish.email) or wish.site.id != site.id:
        return NoticeAnswer(site=about, page=about.root, outcome="expired")
    if request.action == "confirm" and wish.is_ended:
        return NoticeAnswer(site=about, page=about.root, outcome="expired")
    if request.confirmed:
        _carry_out(wish, request)
    page = path_of(comment_url(wish.site, wish.path, wish.comment))
    return NoticeAnswer(
        site=about, page=page, title=wish.title, outcome="done" if request.confirmed else "possible",
        everywhere=request.everywhere and request.action == "unsubscribe",
    )  # fmt: skip


def _carry_out(wish: Wish, request: NoticeRequest) -> None:
    if request.action == "confirm":
        reply_notices.confirm(wish)
    else:
        reply_notices.end(wish, everywhere=request.everywhere)
