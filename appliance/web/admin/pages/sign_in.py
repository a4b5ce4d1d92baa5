"""Signing in with a password or a passkey, and signing out."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from appliance.accounts import passkeys, sessions, sign_in
from appliance.errors import AccountError
from appliance.web.admin import guard, session_cookie
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, pending_of_session, see
from appliance.web.admin.pages.own_addresses import own_address
from appliance.web.admin.pages.refusals import refused
from appliance.web.admin.pages.webauthn_answers import answer_in, options_answer


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, "/sign-in", public=True)
    def sign_in_page() -> Response:
        wanted = own_address(request.args.get("next", ""))
        if g.principal is not None and not pending_of_session():
            return see(wanted)
        return page("sign_in.html", form=Form(), next=wanted)

    @guard.route(pages, "/sign-in", public=True, methods=("POST",))
    def sign_in_by_password() -> Response:
        form = Form.sent()
        name = form.text("name", "Give your name or e-mail address.")
        password = form.secret("password", "Give your password.")
        wanted = own_address(form.values.get("next", ""))
        if form.is_right:
            try:
                signed_in = sign_in.sign_in(name, password, g.address, request.user_agent.string)
                return current_session.begin(signed_in, wanted)
            except AccountError as error:
                return refused("sign_in.html", form, error, next=wanted)
        return page("sign_in.html", 422, form=form, next=wanted)

    @guard.route(pages, "/sign-in/passkey/options", public=True, methods=("POST",))
    def sign_in_passkey_options() -> Response:
        return options_answer(passkeys.authentication_options(address=g.address))

    @guard.route(pages, "/sign-in/passkey", public=True, methods=("POST",))
    def sign_in_by_passkey() -> Response:
        form = Form.sent()
        wanted = own_address(form.values.get("next", ""))
        try:
            signed_in = sign_in.with_passkey(*answer_in(form), g.address, request.user_agent.string)
            return current_session.begin(signed_in, wanted)
        except AccountError as error:
            return refused("sign_in.html", form, error, next=wanted)

    @guard.route(pages, "/sign-out", public=True, methods=("POST",))
    def sign_out() -> Response:
        if g.session is not None:
            sessions.end(g.session.id)
        response = see("/sign-in", "signed-out")
        session_cookie.forget_secret(response)
        return response
