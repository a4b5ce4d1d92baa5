"""The audit as pages: a list with its filter in the address, one row with what it changed, and exports.

The audit of a site shows what concerns that site, to whoever may read that; the one of the installation shows all.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from appliance import audit
from appliance.accounts.rights import ACTIONS
from appliance.audit import AuditFilter
from appliance.config import Config, SiteSettings
from appliance.web.admin import guard
from appliance.web.admin.pages.audit_export import CSV, JSON_LINES, export
from appliance.web.admin.pages.changes import changes_of
from appliance.web.admin.pages.forms import Form
from appliance.web.admin.pages.layout import page, see
from appliance.web.admin.pages.own_addresses import with_query

#: The fields of the filter in the form and in the address.
_FIELDS: Final = ("actor", "action", "site", "subject", "subject_id", "since", "until")
_LONGEST: Final = 200
_DAY: Final = dt.timedelta(days=1)


def add_routes(pages: Blueprint, config: Config) -> None:
    """Add the routes."""
    sites = {site.name: site for site in config.sites}

    @guard.route(pages, "/audit", action="audit.read")
    def audit_list() -> Response:
        own = guard.allowed_sites("audit.read")
        if guard.principal().may("audit.read_all"):
            return _list(config, None)
        return see(_path(sites[own[0]]))

    @guard.route(pages, "/sites/<site:site>/audit", action="audit.read")
    def site_audit_list(site: str) -> Response:
        return _list(config, sites[site])

    @guard.route(pages, "/audit/<int:number>", action="audit.read_all")
    def audit_row(number: int) -> Response:
        return _row(number, None)

    @guard.route(pages, "/sites/<site:site>/audit/<int:number>", action="audit.read")
    def site_audit_row(site: str, number: int) -> Response:
        return _row(number, sites[site])

    @guard.route(pages, "/audit/export.jsonl", action="audit.read_all")
    def audit_json_lines() -> Response:
        return export(_asked(Form.of(request.args), None), JSON_LINES)

    @guard.route(pages, "/audit/export.csv", action="audit.read_all")
    def audit_csv() -> Response:
        return export(_asked(Form.of(request.args), None), CSV)

    @guard.route(pages, "/sites/<site:site>/audit/export.jsonl", action="audit.read")
    def site_audit_json_lines(site: str) -> Response:
        return export(_asked(Form.of(request.args), sites[site]), JSON_LINES)

    @guard.route(pages, "/sites/<site:site>/audit/export.csv", action="audit.read")
    def site_audit_csv(site: str) -> Response:
        return export(_asked(Form.of(request.args), sites[site]), CSV)


def _list(config: Config, site: SiteSettings | None) -> Response:
    form = Form.of(request.args)
    wanted = _asked(form, site)
    after = request.args.get("after") or None
    path = _path(site)
    asked = {name: form.values[name] for name in _FIELDS if form.values[name]}
    return page(
        "audit.html",
        200 if form.is_right else 422,
        form=form,
        page=audit.list_audit(wanted, after=after, with_total=False),
        path=path,
        site=site,
        others=_others(config, site),
        sites=config.sites,
        actions=sorted(ACTIONS),
        filtered=bool(asked),
        first=after is not None,
        address=partial(with_query, path, **asked),
        export=lambda ending: with_query(f"{path}/export.{ending}", **asked),
    )


def _others(config: Config, site: SiteSettings | None) -> list[tuple[str, str, None, bool]]:
    """Links to the audits that the user may read beside that of a site; none if it is the only one."""
    if site is None:
        return []
    allowed = guard.allowed_sites("audit.read")
    links = [(_path(one), one.title, None, one is site) for one in config.sites if one.name in allowed]
    if guard.principal().may("audit.read_all"):
        links.insert(0, (_path(None), "All", None, False))
    return links if len(links) > 1 else []


def _row(number: int, site: SiteSettings | None) -> Response:
    row = audit.find_row(number)
    if row is None or (site is not None and row.site != site.name):
        raise NotFound
    changes = changes_of(row.before or {}, row.after or {})
    return page("audit_row.html", row=row, site=site, path=_path(site), changes=changes)


def _path(site: SiteSettings | None) -> str:
    return f"/sites/{site.name}/audit" if site is not None else "/audit"


def _asked(form: Form, site: SiteSettings | None) -> AuditFilter:
    """The filter that an address asks for; what it says about days that are none is noted in the form."""
    form.values = {name: form.text(name)[:_LONGEST] for name in _FIELDS}
    if site is not None:
        form.values["site"] = ""
    texts = {name: form.values[name] for name in _FIELDS if name not in ("since", "until")}
    wanted = AuditFilter(**texts, since=_day(form, "since"), until=_day(form, "until", _DAY))
    return wanted if site is None else replace(wanted, site=site.name)


def _day(form: Form, name: str, later: dt.timedelta = dt.timedelta()) -> float | None:
    """The moment at which a day begins in UTC."""
    text = form.values[name]
    if not text:
        return None
    try:
        return (dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC) + later).timestamp()
    except (ValueError, OverflowError):
        form.refuse(name, f"“{text}” is not a day; write it like 2026-11-29.")
        return None
