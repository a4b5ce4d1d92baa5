"""The site rows, kept in step with the settings file.

A row is written only when the settings differ from it, so starting a process changes nothing. When a site's time zone
or first day of the week changes, every entry moves to the day and week it now belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from appliance import audit, db
from appliance.config import Config, SiteSettings
from appliance.content import comment_closing
from appliance.content.changes import record
from appliance.content.models import Site
from appliance.errors import ContentError

_COPIED_SETTINGS = (
    "title",
    "url",
    "folder",
    "description",
    "theme",
    "language",
    "timezone",
    "week_starts",
    "empty_archives",
)

#: The change recorded when the settings name a site for the first time.
SITE_ADDED: Final = "site added"


def sync(config: Config) -> dict[str, Site]:
    """Update the site rows to match `config.sites` and return them by name.

    A site that was removed from the settings keeps its row and its content.
    """
    known = {site.name: site for site in Site.select()}
    if all(s.name in known and not _differences(known[s.name], s, config) for s in config.sites):
        return {s.name: known[s.name] for s in config.sites}
    with db.write():
        db.acquire_lock("sites")  # processes that start at the same moment must not insert the same row
        return {settings.name: _sync_one(settings, config) for settings in config.sites}


def sync_site(config: Config, name: str) -> Site:
    """Sync all sites with the settings and return the row of the named one.

    Raises:
        ConfigError: there is no such site.
    """
    return sync(config)[config.site(name).name]


def find_site(config: Config, name: str = "") -> Site:
    """The row of the named site or, without a name, of the only site.

    Raises:
        ContentError: no site is named and there are several.
        ConfigError: there is no such site.
    """
    if not name and len(config.sites) > 1:
        names = ", ".join(site.name for site in config.sites)
        raise ContentError(f"There are several sites; choose one with --site: {names}.")
    return Site.get(Site.name == config.site(name or config.sites[0].name).name)


def find_sites(config: Config, names: Sequence[str] = ()) -> list[Site]:
    """The rows of the named sites, or of all sites of the settings. Raises the errors of `find_site`."""
    return [find_site(config, name) for name in names or [site.name for site in config.sites]]


def _sync_one(settings: SiteSettings, config: Config) -> Site:
    site: Site | None = Site.get_or_none(Site.name == settings.name)
    if site is None:
        site = Site.create(name=settings.name, **_values(settings, config))
        record(site, SITE_ADDED, "site", site.id, actor="settings")
        _audit("site.add", site, None, _values(settings, config))
        _close_old_entries(site)
        return site
    differences = _differences(site, settings, config)
    if differences:
        before = {column: getattr(site, column) for column in differences}
        for column, value in differences.items():
            setattr(site, column, value)
        site.save(only=list(differences))
        record(site, "settings changed", "site", site.id, actor="settings")
        _audit("site.settings", site, before, differences)
    if "comment_rules" in differences:
        _close_old_entries(site)
    if {"timezone", "week_starts"} & set(differences):
        from appliance.content import entries  # imports the renderer, which opening an installation does not need

        entries.update_days(site)
    return site


def _audit(action: str, site: Site, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    """Record what the settings file says of a site by now; whoever changed it, this is who has it take effect."""
    after = {name: value for name, value in after.items() if value not in ("", None) or before}
    audit.record(action, "site", site.id, site=site.name, label=site.title, before=before, after=after)


def _close_old_entries(site: Site) -> None:
    comment_closing.set_days(site, json.loads(site.comment_rules)["close_after"] if site.comment_rules else 0)


def _values(settings: SiteSettings, config: Config) -> dict[str, Any]:
    values = {column: getattr(settings, column) for column in _COPIED_SETTINGS}
    values["settings"] = json.dumps(settings.settings, sort_keys=True, ensure_ascii=False, default=str)
    web = f"{config.web.path}{settings.name}/" if config.web.path else ""
    values["comment_endpoint"] = settings.comment_endpoint or (web and f"{web}comments")
    values["search_endpoint"] = web and f"{web}search"
    values["comment_rules"] = _comment_rules(settings, config) if web and not settings.comment_endpoint else ""
    return values


def _comment_rules(settings: SiteSettings, config: Config) -> str:
    rules = settings.comments
    told = {
        "moderation": rules.moderation,
        "notices": rules.notices and bool(config.mail.host),
        "delete_minutes": rules.delete_minutes,
        "close_after": rules.close_after,
    }
    return json.dumps(told)


def _differences(site: Site, settings: SiteSettings, config: Config) -> dict[str, Any]:
    values = _values(settings, config)
    return {column: value for column, value in values.items() if (getattr(site, column) or "") != (value or "")}
