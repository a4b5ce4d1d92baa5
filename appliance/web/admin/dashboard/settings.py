"""The settings of each host, seen and not edited, and what is wrong in them.

They are files, which whoever looks after the hosts edits. What is shown here is what the daemons have written down of
their settings; where none runs, it is what the admin application itself has read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from flask import Blueprint, Response, request

from appliance import settings_report
from appliance.config import Config
from appliance.config.shown import ShownSetting, describe_setting
from appliance.settings_report import HostSettings
from appliance.web.admin import guard
from appliance.web.admin.pages import shown_times
from appliance.web.admin.pages.layout import page
from appliance.web.admin.pages.own_addresses import with_query

_SETTINGS: Final = "/settings"
_LONGEST: Final = 100
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A key of the settings."""

    known: ShownSetting
    description: str
    #: What other hosts have, by their names.
    elsewhere: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Section:
    """A section, with the keys that the file sets apart from those at their defaults."""

    name: str
    given: tuple[Row, ...]
    defaults: tuple[Row, ...]


def add_routes(blueprint: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(blueprint, _SETTINGS, action="settings.read")
    def show_settings() -> Response:
        hosts = settings_report.read() or [_own(config)]
        text = request.args.get("text", "").strip()[:_LONGEST]
        shown = _chosen(hosts, request.args.get("of", ""))
        return page(
            "dashboard/settings.html",
            hosts=hosts,
            shown=shown,
            summary=_summary(hosts),
            sections=_sections(shown, [host for host in hosts if host is not shown], text.lower()),
            text=text,
            address=partial(with_query, _SETTINGS, text=text),
        )


def _chosen(hosts: Sequence[HostSettings], process: str) -> HostSettings:
    """Return the host whose settings are shown: that of a process, or the first with a fault, or the first."""
    for host in hosts:
        if process == host.process:
            return host
    return next((host for host in hosts if host.faults), hosts[0])


def _own(config: Config) -> HostSettings:
    """What the admin application itself has read. Its account may see no theme."""
    settings, faults = settings_report.report(config, themes=False)
    return HostSettings("", config.host_name, str(config.path), shown_times.now(), settings, faults)


def _summary(hosts: Sequence[HostSettings]) -> tuple[str, str]:
    """The state of all settings as good, warn or bad, and as a sentence."""
    faults = sum(len(host.faults) for host in hosts)
    if faults:
        wrong = [host.host for host in hosts if host.faults]
        return "bad", f"{faults} {'fault' if faults == 1 else 'faults'} in the settings of {', '.join(wrong)}."
    waiting = sum(each.after_restart is not None for host in hosts for each in host.settings)
    if waiting:
        return "warn", f"{waiting} changed {'setting is' if waiting == 1 else 'settings are'} used after a restart."
    return "good", "Nothing is wrong in the settings."


def _sections(shown: HostSettings, others: Sequence[HostSettings], text: str) -> list[Section]:
    """The sections of a host's settings, of those alone that have a text in their name, key or value."""
    theirs: dict[_Key, dict[str, str]] = defaultdict(dict)
    for other in others:
        for each in other.settings:
            theirs[each.section, each.key][other.host] = each.value
    found: dict[str, list[Row]] = defaultdict(list)
    for each in shown.settings:
        if text in f"{each.section}.{each.key} {each.value}".lower():
            own, there = each.value, theirs[each.section, each.key]
            elsewhere = {host: value or "nothing" for host, value in there.items() if value != own}
            description = describe_setting(each.section, each.key)
            found[each.section].append(Row(each, description, {} if each.key == "host" else elsewhere))
    return [_section(name, rows) for name, rows in found.items()]


def _section(name: str, rows: Sequence[Row]) -> Section:
    is_default = [row.known.origin == "default" and row.known.after_restart is None for row in rows]
    given = tuple(row for row, default in zip(rows, is_default, strict=True) if not default)
    return Section(name, given, tuple(row for row, default in zip(rows, is_default, strict=True) if default))
