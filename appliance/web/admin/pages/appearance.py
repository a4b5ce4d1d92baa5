"""Choosing an appearance. The choice belongs to the browser, so nobody has to sign in for it."""

from __future__ import annotations

from flask import Blueprint, Response, request

from appliance.web.admin import guard
from appliance.web.admin.pages.chosen_appearance import choose
from appliance.web.admin.pages.layout import see


def add_routes(pages: Blueprint) -> None:
    """Add the route."""

    @guard.route(pages, "/appearance", public=True, methods=("POST",))
    def choose_appearance() -> Response:
        response = see(request.form.get("return", "/"))
        choose(response, request.form.get("appearance", ""))
        return response
