"""One's own tokens for the JSON API: made, shown once, and revoked."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response

from appliance.accounts import tokens
from appliance.accounts.rights import ACTIONS
from appliance.config import Config
from appliance.errors import AccountError
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.refusals import refused

_DAYS: Final = 90
_NEW: Final = "/account/tokens/new"


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    def choices() -> dict[str, Any]:
        user = guard.principal()
        sites = [site for site in config.sites if user.knows(site.name)]
        names = [site.name for site in sites]
        # Passwords and factors are changed by people only.
        actions = [
            action
            for action in ACTIONS.values()
            if action.name != "account.edit" and any(user.may_somehow(action.name, site) for site in [*names, None])
        ]
        return {"sites": sites, "actions": actions, "most_days": config.admin.token_days}

    @guard.route(pages, "/account/tokens", action="account.read")
    def token_list() -> Response:
        rows = tokens.list_tokens(current_session.user())
        return page("tokens.html", rows=rows, token_revoke=lambda number: f"/account/tokens/{number}/revoke")

    @guard.route(pages, _NEW, action="token.add")
    def new_token() -> Response:
        current_session.require_confirmed(_NEW)
        values = {"days": str(min(_DAYS, config.admin.token_days)), "limit": "read"}
        form = Form(values, {"scopes": frozenset(), "sites": frozenset()})
        return page("token_new.html", form=form, **choices())

    @guard.route(pages, _NEW, action="token.add", methods=("POST",))
    def add_token() -> Response:
        current_session.require_confirmed(_NEW)
        form = Form.sent("scopes", "sites")
        label = form.text("label", "Give the token a label.")
        days, scopes, sites = _days(form), _scopes(form), form.chosen["sites"]
        offered = choices()
        if sites - {site.name for site in offered["sites"]}:
            form.refuse("sites", "Choose from your own sites.")
        if not form.is_right:
            return page("token_new.html", 422, form=form, **offered)
        try:
            secret, token = tokens.create(
                current_session.user(), label, scopes=scopes, sites=sites or None, days=days
            )  # fmt: skip
        except AccountError as error:
            return refused("token_new.html", form, error, **offered)
        return page("token_made.html", secret=secret, token=token)

    @guard.route(pages, "/account/tokens/<int:number>/revoke", action="token.add", methods=("POST",))
    def revoke_token(number: int) -> Response:
        tokens.revoke(number, user=current_session.user())
        return see("/account/tokens", "revoked")


def _days(form: Form) -> float | None:
    text = form.text("days", "Give the number of days until the token expires.")
    if text.isascii() and text.isdigit() and len(text) < 6:
        return int(text)
    form.refuse("days", "Give a whole number of days.")
    return None


def _scopes(form: Form) -> frozenset[str] | None:
    limit = form.values.get("limit", "read")
    if limit == "chosen":
        if not form.chosen["scopes"]:
            form.refuse("scopes", "Choose at least one action.")
        return form.chosen["scopes"]
    return None if limit == "all" else frozenset({"read"})
