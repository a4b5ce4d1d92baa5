"""The first page: whether all is well, what waits and what failed, and how fast changes reach the front ends.

Guarantees that people see the sites on which they may see jobs, and no other; and that many who look at the same time
cost little more than one, since what they see is read once for all who may see the same.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, render_template

from appliance.accounts.principal import Principal
from appliance.accounts.rights import ALL_SITES
from appliance.config import Config, SiteSettings
from appliance.overview.kept import Kept
from appliance.overview.reading import Reader
from appliance.overview.rows import charts_of, disk_rows, host_rows, target_rows, task_rows
from appliance.overview.troubles import judge
from appliance.overview.visibility import Visibility
from appliance.web.admin import guard
from appliance.web.admin.pages.layout import page, region_page, wanted_region

_REGIONS: Final = {
    name: f"dashboard/_overview_{name}.html"
    for name in ("now", "charts", "targets", "failures", "processes", "schedule")
}
#: Seconds for which the inside of a region is kept for all who may see the same.
_KEPT: Final = 2.0


def add_routes(blueprint: Blueprint, config: Config) -> None:
    """Add the route."""
    reader = Reader(config)
    regions: Kept[str] = Kept(_KEPT)

    @guard.route(blueprint, "/", action="account.read")
    def overview() -> Response:
        user = guard.principal()
        visibility, region = _visibility(user), wanted_region()
        if region in _REGIONS and visibility.sites != ():
            return region_page(regions.get((region, visibility), lambda: _render(config, reader, visibility, region)))
        sites = [_row(site, user) for site in config.sites if user.knows(site.name)]
        own: dict[str, Any] = {"user_sites": sites, "any_audit": any(row["audit"] for row in sites)}
        shown = _context(config, reader, visibility) if visibility.sites != () else {}
        return page("dashboard/overview.html", **own, **shown)


def _render(config: Config, reader: Reader, visibility: Visibility, region: str) -> str:
    return render_template(_REGIONS[region], **_context(config, reader, visibility, with_charts=region == "charts"))


def _context(config: Config, reader: Reader, visibility: Visibility, *, with_charts: bool = True) -> dict[str, Any]:
    facts = reader.facts(visibility)
    return {
        "visibility": visibility,
        "facts": facts,
        "verdict": judge(config, facts),
        "front_ends": len(config.targets),
        "targets": target_rows(facts),
        "hosts": host_rows(facts),
        "disks": disk_rows(facts),
        "tasks": task_rows(facts),
        "charts": charts_of(reader.series(visibility), has_targets=bool(config.targets)) if with_charts else {},
    }


def _visibility(user: Principal) -> Visibility:
    """What a user may see; whoever has a role on all sites sees jobs of no site as well."""
    sites = guard.allowed_sites("job.read")
    return Visibility(
        None if user.may("job.read", "") else tuple(sites),
        targets=user.may("target.read"),
        processes=user.may("process.read"),
        schedule=user.may("periodic.read"),
    )


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
