"""One's own account: the name that others see, and the password."""

from __future__ import annotations

from flask import Blueprint, Response, g

from appliance.accounts import passwords, sign_in, users
from appliance.accounts.user_rows import user_row
from appliance.errors import AccountError, SignInRefused
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.refusals import refused


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, "/account", action="account.read")
    def account() -> Response:
        row = user_row(current_session.user())
        return page("account.html", account=row, form=Form({"display": row.display}))

    @guard.route(pages, "/account", action="account.edit", methods=("POST",))
    def edit_account() -> Response:
        form = Form.sent()
        display = form.text("display", "Give a name for others to see.")
        if form.is_right:
            users.edit_user(current_session.user(), display=display)
            return see("/account", "saved")
        return page("account.html", 422, account=user_row(current_session.user()), form=form)

    @guard.route(pages, "/account/password", action="account.read")
    def password() -> Response:
        return page("password.html", form=Form())

    @guard.route(pages, "/account/password", action="account.edit", methods=("POST",))
    def change_password() -> Response:
        form = Form.sent()
        old = form.secret("old", "Give the password that you have used until now.")
        new = form.secret("new", "Give a new password.")
        if not form.is_right:
            return page("password.html", 422, form=form)
        user = current_session.user()
        try:
            shown = sign_in.confirm_password(current_session.session(), old, g.address)
        except SignInRefused as error:
            return refused("password.html", form, error, "old")
        try:
            passwords.set_password(user, new, keep=shown.session.id)
        except AccountError as error:
            return current_session.with_secret(refused("password.html", form, error, "new"), shown.secret)
        return current_session.go_on(shown, "/account/password", "password")
