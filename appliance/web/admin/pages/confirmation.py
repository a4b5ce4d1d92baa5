"""“Is it you?”: a password or a passkey once more, before what would help most whoever found an open browser."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from appliance.accounts import passkeys, sign_in
from appliance.accounts.user_rows import user_row
from appliance.errors import AccountError
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page
from appliance.web.admin.pages.own_addresses import own_address
from appliance.web.admin.pages.refusals import refused
from appliance.web.admin.pages.webauthn_answers import answer_in, options_answer


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, "/confirm", action="account.read")
    def confirm_page() -> Response:
        return page("confirm.html", form=Form(), **_context(own_address(request.args.get("next", ""))))

    @guard.route(pages, "/confirm", action="account.edit", methods=("POST",))
    def confirm() -> Response:
        form = Form.sent()
        wanted = own_address(form.values.get("next", ""))
        password = form.secret("password", "Give your password.")
        if not form.is_right:
            return page("confirm.html", 422, form=form, **_context(wanted))
        try:
            shown = sign_in.confirm_password(current_session.session(), password, g.address)
            return current_session.go_on(shown, wanted, "confirmed")
        except AccountError as error:
            return refused("confirm.html", form, error, "password", **_context(wanted))

    @guard.route(pages, "/confirm/passkey/options", action="account.edit", methods=("POST",))
    def confirm_passkey_options() -> Response:
        return options_answer(passkeys.authentication_options(current_session.user()))

    @guard.route(pages, "/confirm/passkey", action="account.edit", methods=("POST",))
    def confirm_by_passkey() -> Response:
        form = Form.sent()
        wanted = own_address(form.values.get("next", ""))
        try:
            shown = sign_in.confirm_passkey(current_session.session(), *answer_in(form), g.address)
            return current_session.go_on(shown, wanted, "confirmed")
        except AccountError as error:
            return refused("confirm.html", form, error, **_context(wanted))


def _context(wanted: str) -> dict[str, Any]:
    return {"next": wanted, "has_passkey": user_row(current_session.user()).passkeys > 0}
