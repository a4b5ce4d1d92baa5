"""One user as administrators see it: roles, sessions, tokens, and whether the user can sign in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from appliance.accounts import factors, links, sessions, tokens, users
from appliance.accounts.models import User
from appliance.accounts.rights import ROLES
from appliance.accounts.user_rows import user_row
from appliance.config import Config
from appliance.errors import AccountError
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.refusals import refused


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    def context(user: User) -> dict[str, Any]:
        return {
            "user": user_row(user),
            "session_rows": sessions.list_sessions(user),
            "token_rows": tokens.list_tokens(user),
            "session_end": lambda number: f"/users/{user.id}/sessions/{number}/end",
            "token_revoke": lambda number: f"/users/{user.id}/tokens/{number}/revoke",
            "roles": ROLES,
            "sites": config.sites,
            "may_edit": guard.principal().may("user.edit"),
        }

    @guard.route(pages, "/users/<int:number>", action="user.read")
    def show_user(number: int) -> Response:
        user = _found(number)
        return page("user.html", form=Form({"display": user.display, "email": user.email}), **context(user))

    @guard.route(pages, "/users/<int:number>", action="user.edit", methods=("POST",))
    def edit_user(number: int) -> Response:
        return act(number, lambda user, form: users.edit_user(
            user, display=form.text("display"), email=form.text("email")), "saved")  # fmt: skip

    @guard.route(pages, "/users/<int:number>/roles", action="user.edit", methods=("POST",))
    def set_role(number: int) -> Response:
        return act(number, lambda user, form: users.set_role(
            user, form.text("site"), form.text("role") or None), "role")  # fmt: skip

    @guard.route(pages, "/users/<int:number>/disable", action="user.edit", methods=("POST",))
    def disable_user(number: int) -> Response:
        return act(number, lambda user, _form: users.disable(user), "disabled")

    @guard.route(pages, "/users/<int:number>/enable", action="user.edit", methods=("POST",))
    def enable_user(number: int) -> Response:
        return act(number, lambda user, _form: users.enable(user), "enabled")

    @guard.route(pages, "/users/<int:number>/link", action="user.edit", methods=("POST",))
    def send_link(number: int) -> Response:
        return act(number, lambda user, _form: give_link(user, config), "link")

    @guard.route(pages, "/users/<int:number>/factors/remove", action="user.edit", methods=("POST",))
    def remove_factors(number: int) -> Response:
        return act(number, lambda user, _form: factors.remove_all(user), "factors-removed")

    @guard.route(pages, "/users/<int:number>/sessions/<int:session>/end", action="token.revoke", methods=("POST",))
    def end_session_of(number: int, session: int) -> Response:
        sessions.end(session, user=_found(number))
        return see(f"/users/{number}", "user-session")

    @guard.route(pages, "/users/<int:number>/tokens/<int:token>/revoke", action="token.revoke", methods=("POST",))
    def revoke_token_of(number: int, token: int) -> Response:
        tokens.revoke(token, user=_found(number))
        return see(f"/users/{number}", "revoked")

    def act(number: int, change: Any, done: str) -> Response:
        """Change a user, if whoever asks has shown of late that it is still them."""
        user, form = _found(number), Form.sent()
        current_session.require_confirmed(f"/users/{number}")
        try:
            answer = change(user, form)
        except AccountError as error:
            form.values = {"display": user.display, "email": user.email} | form.values
            return refused("user.html", form, error, **context(user))
        return answer if isinstance(answer, Response) else see(f"/users/{number}", done)


def give_link(user: User, config: Config) -> Response | None:
    """Mail a user the link that is needed: to choose the first password, or a new one.

    Where no mail can be sent, the page with the link is returned, for whoever asked to hand it over.

    Raises:
        AccountError: the user is disabled.
    """
    purpose: links.Purpose = "reset" if user.password else "invitation"
    if not (config.mail.host and user.email):
        return page("link_made.html", user=user, purpose=purpose, link=links.issue(user, purpose))
    if purpose == "invitation":
        links.invite(user)
    else:
        links.mail_reset(user)
    return None


def _found(number: int) -> User:
    user = users.look_up(number)
    if user is None:
        raise NotFound
    return user
