"""The first page: whether all is well, what waits and what failed, and how fast changes reach the front ends.

Guarantees that people see the sites on which they may see jobs, and no other; and that many who look at the same time
cost little more than one, since what they see is read once for all who may see the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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

#: What the template of each live region shows, besides the facts themselves.
_REGIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "now": ("verdict", "hosts"),
    "charts": ("charts",),
    "targets": ("targets",),
    "failures": (),
    "processes": ("hosts", "disks"),
    "schedule": ("tasks",),
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
    return render_template(f"dashboard/_overview_{region}.html", **_context(config, reader, visibility, [region]))


def _context(
    config: Config, reader: Reader, visibility: Visibility, regions: Collection[str] = _REGIONS
) -> dict[str, Any]:
    """What the templates of some regions show."""
    facts = reader.facts(visibility)
    makers: dict[str, Callable[[], Any]] = {
        "verdict": lambda: judge(config, facts),
        "targets": lambda: target_rows(facts),
        "hosts": lambda: host_rows(facts),
        "disks": lambda: disk_rows(facts),
        "tasks": lambda: task_rows(facts),
        "charts": lambda: charts_of(reader.series(visibility), has_targets=bool(config.targets)),
    }
    shown = {name for region in regions for name in _REGIONS[region]}
    made = {name: makers[name]() for name in shown}
    return {"visibility": visibility, "facts": facts, "front_ends": len(config.targets), **made}


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
