"""Links in mails by which a password is chosen: for who was invited, and for who forgot theirs.

Guarantees that fetching a link uses nothing up, since programs that look for dangerous mails fetch every link. Only the
form that it shows, once sent, ends it. Who asks for a link learns nothing about whether there is such an account.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, g

from appliance import logging
from appliance.accounts import links
from appliance.errors import AccountError, SignInRefused, WeakPassword
from appliance.web.admin import guard
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.refusals import refused

log = logging.get_logger("admin")

_SENT: Final = (
    "If there is an account with this address, a mail with a link is on its way to it. The link works for an hour. Look"
    " among unwanted mail too if it does not come."
)
_NO_MAIL: Final = "Ask an administrator for a link by which you can choose a new password."
_GONE: Final = "This link does not work. It may be too old, or used already. Ask for a new one."
_BACK: Final = [("/sign-in", "Sign in")]
_PATHS: Final[dict[links.Purpose, str]] = {"invitation": "/invitation/<secret>", "reset": "/reset/<secret>"}


def add_routes(pages: Blueprint) -> None:
    """Add the routes."""

    @guard.route(pages, "/forgotten", public=True)
    def forgotten() -> Response:
        return page("forgotten.html", form=Form())

    @guard.route(pages, "/forgotten", public=True, methods=("POST",))
    def ask_for_link() -> Response:
        form = Form.sent()
        email = form.text("email", "Give the e-mail address of your account.")
        if not form.is_right:
            return page("forgotten.html", 422, form=form)
        try:
            links.reset(email, g.address)
        except SignInRefused as error:
            return refused("forgotten.html", form, error)
        except AccountError:
            log.warning("nobody can be mailed a link for a new password; name a server in [mail] of the settings")
            return page("message.html", heading="No mail can be sent", sentence=_NO_MAIL, links=_BACK)
        return page("message.html", heading="Look into your mail", sentence=_SENT, links=_BACK)

    for purpose, path in _PATHS.items():
        _add_link(pages, purpose, path)


def _add_link(pages: Blueprint, purpose: links.Purpose, path: str) -> None:
    def show(secret: str) -> Response:
        user = links.find(secret, purpose)
        if user is None:
            return _gone()
        return page("link.html", form=Form(), purpose=purpose, name=user.name)

    def choose(secret: str) -> Response:
        user = links.find(secret, purpose)
        if user is None:
            return _gone()
        form = Form.sent()
        password = form.secret("password", "Choose a password.")
        if not form.is_right:
            return page("link.html", 422, form=form, purpose=purpose, name=user.name)
        try:
            links.set_password(secret, purpose, password, g.address)
        except WeakPassword as error:
            return refused("link.html", form, error, "password", purpose=purpose, name=user.name)
        except AccountError:
            return _gone()
        return see("/sign-in", "password-set")

    guard.route(pages, path, public=True, endpoint=f"{purpose}_form")(show)
    guard.route(pages, path, public=True, endpoint=f"{purpose}_password", methods=("POST",))(choose)


def _gone() -> Response:
    return page(
        "message.html", 410, heading="This link does not work", sentence=_GONE,
        links=[("/forgotten", "Ask for a link"), ("/sign-in", "Sign in")],
    )  # fmt: skip
