"""Sites as rows, kept equal to the settings file.

Guarantees that rows are written only where the settings differ, so that starting a process changes nothing,
and that a new time zone or first day of the week moves every entry to the day and week it now belongs to.
"""

from __future__ import annotations

import json
from typing import Any

from appliance import db
from appliance.config import Config, SiteSettings
from appliance.content import entries
from appliance.content.changes import record
from appliance.content.models import Site

_PLAIN = (
    "title", "url", "folder", "description", "theme", "language", "timezone", "week_starts", "empty_archives",
    "comment_endpoint",
)  # fmt: skip


def sync(config: Config) -> dict[str, Site]:
    """Make the rows of `config.sites` say what the settings say; returns them by name.

    A site that left the settings keeps its row and its content.
    """
    known = {site.name: site for site in Site.select()}
    if all(s.name in known and not _differences(known[s.name], s) for s in config.sites):
        return {s.name: known[s.name] for s in config.sites}
    with db.write():
        db.in_turn("sites")  # processes that start at once would all make what none of them found
        return {settings.name: _sync_one(settings) for settings in config.sites}


def find(name: str) -> Site | None:
    """The row of one site, None when `sync` never saw it."""
    return Site.get_or_none(Site.name == name)


def _sync_one(settings: SiteSettings) -> Site:
    site = find(settings.name)
    if site is None:
        site = Site.create(name=settings.name, **_values(settings))
        record(site, "site added", "site", site.id, actor="settings")
        return site
    differences = _differences(site, settings)
    if differences:
        for column, value in differences.items():
            setattr(site, column, value)
        site.save(only=list(differences))
        record(site, "settings changed", "site", site.id, actor="settings")
    if {"timezone", "week_starts"} & set(differences):
        entries.move_days(site)
    return site


def _values(settings: SiteSettings) -> dict[str, Any]:
    values = {column: getattr(settings, column) for column in _PLAIN}
    values["settings"] = json.dumps(settings.settings, sort_keys=True, ensure_ascii=False, default=str)
    return values


def _differences(site: Site, settings: SiteSettings) -> dict[str, Any]:
    return {column: value for column, value in _values(settings).items() if getattr(site, column) != value}
