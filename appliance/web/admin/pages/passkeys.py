"""One's passkeys: added, renamed and removed."""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import Forbidden, NotFound

from appliance.accounts import passkeys
from appliance.errors import AccountError
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.factors import PAGE, added, overview, require_confirmed
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, pending_of_session, see
from appliance.web.admin.pages.refusals import refused
from appliance.web.admin.pages.webauthn_answers import answer_in, options_answer


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, "/account/passkeys/options", action="account.edit", pending=True, methods=("POST",))
    def passkey_options() -> Response:
        if not pending_of_session() and not current_session.is_confirmed():
            raise Forbidden("Confirm first that it is you.")  # the script then sends the form, which asks for that
        return options_answer(passkeys.registration_options(current_session.user()))

    @guard.route(pages, "/account/passkeys", action="account.edit", pending=True, methods=("POST",))
    def add_passkey() -> Response:
        require_confirmed()
        form, user = Form.sent(), current_session.user()
        try:
            passkeys.register(user, *answer_in(form), form.text("name"))
        except AccountError as error:
            if pending_of_session():
                return refused("set_up.html", form, error)
            return refused("factors.html", form, error, **overview(user))
        return added(user, "passkey", "The passkey is added.")

    @guard.route(pages, "/account/passkeys/<int:number>", action="account.read")
    def passkey(number: int) -> Response:
        labels = {each.id: each.label for each in passkeys.list_passkeys(current_session.user())}
        if number not in labels:
            raise NotFound
        return page("passkey.html", form=Form({"name": labels[number]}))

    @guard.route(pages, "/account/passkeys/<int:number>", action="account.edit", methods=("POST",))
    def rename_passkey(number: int) -> Response:
        form = Form.sent()
        label = form.text("name", "Give the passkey a name.")
        if not form.is_right:
            return page("passkey.html", 422, form=form)
        try:
            passkeys.rename(current_session.user(), number, label)
        except AccountError as error:
            return refused("passkey.html", form, error, "name")
        return see(PAGE, "saved")

    @guard.route(pages, "/account/passkeys/<int:number>/remove", action="account.edit", methods=("POST",))
    def remove_passkey(number: int) -> Response:
        require_confirmed()
        user = current_session.user()
        try:
            passkeys.remove(user, number)
        except AccountError as error:
            return refused("factors.html", Form(), error, **overview(user))
        return see(PAGE, "passkey-removed")
