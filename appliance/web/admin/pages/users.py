"""All users, page by page, and inviting new ones."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from flask import Blueprint, Response, request

from appliance.accounts import users
from appliance.accounts.rights import ALL_SITES, ROLES
from appliance.accounts.user_rows import UserFilter, list_users
from appliance.config import Config
from appliance.errors import AccountError
from appliance.web.admin import guard
from appliance.web.admin.pages import current_session
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.own_addresses import with_query
from appliance.web.admin.pages.refusals import refused
from appliance.web.admin.pages.user import give_link

_NEW: Final = "/users/new"
_LONGEST: Final = 200


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(pages, "/users", action="user.read")
    def user_list() -> Response:
        after = request.args.get("after") or None
        form = Form.of(request.args)
        text = form.text("text")[:_LONGEST]
        return page(
            "users.html",
            page=list_users(UserFilter(text=text), after=after),
            form=form,
            text=text,
            first=after is not None,
            address=partial(with_query, "/users", text=text),
            may_edit=guard.principal().may("user.edit"),
        )

    @guard.route(pages, _NEW, action="user.edit")
    def new_user() -> Response:
        current_session.require_confirmed(_NEW)
        return page("user_new.html", form=Form({"role": "author", "site": _first(config)}), **_choices(config))

    @guard.route(pages, _NEW, action="user.edit", methods=("POST",))
    def add_user() -> Response:
        current_session.require_confirmed(_NEW)
        form = Form.sent()
        name = form.text("name", "Give a name for signing in.")
        email = form.text("email", "Give the e-mail address that the invitation goes to.")
        roles = {form.text("site"): form.text("role")} if form.text("role") else {}
        if not form.is_right:
            return page("user_new.html", 422, form=form, **_choices(config))
        try:
            user = users.add_user(name, email, form.text("display"), roles)
        except AccountError as error:
            return refused("user_new.html", form, error, **_choices(config))
        return give_link(user, config) or see(f"/users/{user.id}", "invited")


def _choices(config: Config) -> dict[str, Any]:
    return {"roles": ROLES, "sites": config.sites}


def _first(config: Config) -> str:
    return config.sites[0].name if len(config.sites) == 1 else ALL_SITES
