"""The pages of the admin application for people: signing in, one's account, users and the audit.

Guarantees that every page works without scripts, passkeys aside; that a GET changes nothing, so whoever fetches the
links of a mail uses none of them up; and that secrets are shown on the page that answers the request that made them,
and on no other.
"""

from __future__ import annotations

from flask import Blueprint, Flask

from appliance.config import Config
from appliance.web.admin.pages import (
    account,
    appearance,
    audit,
    authenticator_app,
    confirmation,
    factors,
    layout,
    one_time_links,
    passkeys,
    second_factor,
    sessions,
    sign_in,
    tokens,
    user,
    users,
)


def add_routes(app: Flask, config: Config) -> None:
    """Add the pages to the application."""
    blueprint = Blueprint("pages", __name__)
    layout.add_frame(app, config)
    for module in (tokens, users, user, audit):
        module.add_routes(blueprint, config)
    for one in (
        appearance, sign_in, second_factor, one_time_links, confirmation, account, factors, authenticator_app,
        passkeys, sessions,
    ):  # fmt: skip
        one.add_routes(blueprint)
    app.register_blueprint(blueprint)
