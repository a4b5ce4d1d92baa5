"""One's own sessions: where one is signed in, and ending them."""

from __future__ import annotations

from flask import Blueprint, Response

from appliance.accounts import sessions
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.layout import page, see


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, "/account/sessions", action="account.read")
    def session_list() -> Response:
        return page(
            "sessions.html",
            rows=sessions.list_sessions(current_session.user()),
            current=current_session.session().id,
            session_end=lambda number: f"/account/sessions/{number}/end",
        )

    @guard.route(pages, "/account/sessions/<int:number>/end", action="account.edit", methods=("POST",))
    def end_session(number: int) -> Response:
        sessions.end(number, user=current_session.user())
        return see("/account/sessions", "ended")

    @guard.route(pages, "/account/sessions/end-others", action="account.edit", methods=("POST",))
    def end_other_sessions() -> Response:
        sessions.end_all(current_session.user(), except_=current_session.session().id)
        return see("/account/sessions", "others-ended")
