"""One's second factors on one page, and recovery codes, which stand in for a lost one."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response

from appliance import db
from appliance.accounts import passkeys, recovery_codes, sessions
from appliance.accounts.models import User
from appliance.accounts.user_rows import user_row
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, pending_of_session, see

PAGE: Final = "/account/second-factor"


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, PAGE, action="account.read")
    def factors() -> Response:
        return page("factors.html", form=Form(), **overview(current_session.user()))

    @guard.route(pages, "/account/recovery-codes", action="account.edit", methods=("POST",))
    def new_recovery_codes() -> Response:
        require_confirmed()
        codes = recovery_codes.create(current_session.user())
        return page("recovery_codes.html", codes=codes, next=PAGE, now=db.now(), done="")


def overview(user: User) -> dict[str, Any]:
    """What the page of the second factors shows of a user."""
    row = user_row(user)
    return {
        "has_app": row.has_totp,
        "passkeys": passkeys.list_passkeys(user),
        "codes_left": recovery_codes.left(user),
        "needed": sessions.needs_second_factor(row.roles.values()),
    }


def require_confirmed() -> None:
    """Go on only if it is certainly still the user, or one who sets up the factor that the role needs."""
    if pending_of_session() != "set_up":
        current_session.require_confirmed(PAGE)


def added(user: User, factor: sessions.Factor, done: str) -> Response:
    """Note a new second factor in the session. With the first one come recovery codes."""
    if recovery_codes.left(user):
        return current_session.renewed(see(PAGE, "added"), factor)
    following = "/" if pending_of_session() else PAGE
    codes = recovery_codes.create(user)
    shown = page("recovery_codes.html", codes=codes, next=following, now=db.now(), done=done)
    return current_session.renewed(shown, factor)
