"""The page after signing in: the sites that one has rights on, and where else to go."""

from __future__ import annotations

from flask import Blueprint, Response

from appliance.accounts.principal import Principal
from appliance.accounts.rights import ALL_SITES
from appliance.config import Config, SiteSettings
from appliance.web.admin import guard
from appliance.web.admin.pages.layout import page


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the route."""

    @guard.route(pages, "/", action="account.read")
    def start() -> Response:
        user = guard.principal()
        sites = [_row(site, user) for site in config.sites if user.knows(site.name)]
        return page("start.html", sites=sites, any_audit=any(row["audit"] for row in sites))


def _row(site: SiteSettings, user: Principal) -> dict[str, str]:
    return {
        "name": site.name,
        "title": site.title,
        "address": str(site.url),
        "role": ", ".join(_roles(site.name, user)),
        "audit": f"/sites/{site.name}/audit" if user.may("audit.read", site.name) else "",
    }


def _roles(site: str, user: Principal) -> list[str]:
    everywhere = [f"{user.roles[ALL_SITES]} on all sites"] if ALL_SITES in user.roles else []
    return [*everywhere, user.roles[site]] if site in user.roles else everywhere
