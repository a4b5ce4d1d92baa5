"""The second step of signing in: a code of an authenticator app, a passkey, or a recovery code.

Who has shown only a password comes no further than these pages.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, abort, g, request

from appliance.accounts import passkeys, sign_in
from appliance.accounts.user_rows import user_row
from appliance.errors import AccountError
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, pending_of_session, see
from appliance.web.admin.pages.own_addresses import own_address
from appliance.web.admin.pages.refusals import refused
from appliance.web.admin.pages.webauthn_answers import answer_in, options_answer

_FACTORS: Final = "/account/second-factor"


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, "/sign-in/second-factor", public=True)
    def second_factor() -> Response:
        require_pending("second_factor")
        return page("second_factor.html", form=Form(), **_ways(own_address(request.args.get("next", ""))))

    @guard.route(pages, "/sign-in/second-factor", public=True, methods=("POST",))
    def show_code() -> Response:
        require_pending("second_factor")
        form = Form.sent()
        wanted = own_address(form.values.get("next", ""))
        code = form.text("code", "Give the six digits that the app shows.")
        if not form.is_right:
            return page("second_factor.html", 422, form=form, **_ways(wanted))
        try:
            return current_session.go_on(sign_in.confirm_code(current_session.session(), code, g.address), wanted)
        except AccountError as error:
            return refused("second_factor.html", form, error, "code", **_ways(wanted))

    @guard.route(pages, "/sign-in/second-factor/passkey/options", public=True, methods=("POST",))
    def second_factor_passkey_options() -> Response:
        require_pending("second_factor")
        return options_answer(passkeys.authentication_options(current_session.user()))

    @guard.route(pages, "/sign-in/second-factor/passkey", public=True, methods=("POST",))
    def show_passkey() -> Response:
        require_pending("second_factor")
        form = Form.sent()
        wanted = own_address(form.values.get("next", ""))
        try:
            shown = sign_in.confirm_passkey(current_session.session(), *answer_in(form), g.address)
            return current_session.go_on(shown, wanted)
        except AccountError as error:
            return refused("second_factor.html", form, error, **_ways(wanted))

    @guard.route(pages, "/sign-in/recovery-code", public=True)
    def recovery_code() -> Response:
        require_pending("second_factor")
        wanted = own_address(request.args.get("next", ""))
        return page("second_factor.html", form=Form(), recovery=True, **_ways(wanted))

    @guard.route(pages, "/sign-in/recovery-code", public=True, methods=("POST",))
    def show_recovery_code() -> Response:
        require_pending("second_factor")
        form = Form.sent()
        wanted = own_address(form.values.get("next", ""))
        code = form.text("code", "Give one of your recovery codes.")
        if not form.is_right:
            return page("second_factor.html", 422, form=form, recovery=True, **_ways(wanted))
        try:
            shown = sign_in.confirm_code(current_session.session(), code, g.address)
            return current_session.go_on(shown, _FACTORS, "recovery")
        except AccountError as error:
            return refused("second_factor.html", form, error, "code", recovery=True, **_ways(wanted))

    @guard.route(pages, "/sign-in/set-up", action="account.edit", pending=True)
    def set_up() -> Response:
        require_pending("set_up")
        return page("set_up.html")


def require_pending(what: str) -> None:
    """Go on only if this is what the session still lacks; else people go to where they should be."""
    pending = pending_of_session()
    if pending != what:
        abort(see(current_session.STEPS.get(pending, "/" if g.principal is not None else "/sign-in")))


def _ways(wanted: str) -> dict[str, Any]:
    row = user_row(current_session.user())
    return {"has_app": row.has_totp, "has_passkey": row.passkeys > 0, "next": "" if wanted == "/" else wanted}
