"""One's authenticator app, turned on and off."""

from __future__ import annotations

import segno
from flask import Blueprint, Response
from markupsafe import Markup

from appliance.accounts import totp
from appliance.errors import AccountError
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.factors import PAGE, added, require_confirmed
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, f"{PAGE}/app", action="account.edit", pending=True, methods=("POST",))
    def begin_app() -> Response:
        require_confirmed()
        return _key(Form(), totp.begin(current_session.user()))

    @guard.route(pages, f"{PAGE}/app/confirm", action="account.edit", pending=True, methods=("POST",))
    def confirm_app() -> Response:
        require_confirmed()
        form, user = Form.sent(), current_session.user()
        code = form.text("code", "Give the six digits that the app shows.")
        key = totp.begun(user)
        if key is None:  # the form was sent twice, or is an old one
            return see(PAGE)
        if not form.is_right:
            return _key(form, key)
        try:
            totp.confirm(user, code)
        except AccountError as error:
            form.refuse("code", str(error))
            return _key(form, key)
        return added(user, "totp", "The authenticator app is set up.")

    @guard.route(pages, f"{PAGE}/app/remove", action="account.edit", methods=("POST",))
    def remove_app() -> Response:
        require_confirmed()
        totp.remove(current_session.user())
        return see(PAGE, "app-off")


def _key(form: Form, key: tuple[str, str]) -> Response:
    """Show the key for the app, and its address as a picture."""
    secret, address = key
    spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return page("app.html", 200 if form.is_right else 422, form=form, secret=spaced, qr=_qr(address))


def _qr(address: str) -> Markup:
    """The key as a picture for the camera of a phone: dark on light in both appearances, which cameras need."""
    made = segno.make(address, error="m")
    picture = made.svg_inline(
        border=4, omitsize=True, svgclass="qr", lineclass=None, light="#fff", title="The key for the app as a QR code"
    )
    return Markup(picture)  # noqa: S704 - made by us, of an address that it encodes as dots
