"""The audit: who did what, on a site or on the whole installation."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from appliance import audit
from appliance.audit import AuditFilter
from appliance.web.api.fields import PageOf, PageQuery, Shown
from appliance.web.api.operations import Answer, Call, operation


class AuditRow(Shown):
    """Something that somebody did."""

    id: int
    at: float = Field(description="Seconds since the epoch.")
    actor: str
    via: str
    address: str
    request: str
    token: str
    site: str
    action: str
    subject: str
    subject_id: str
    label: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    digest: str
    previous: str = Field(description="The digest of the row before, so that no row can be changed unseen.")


class AuditQuery(PageQuery):
    """Which rows."""

    actor: str = Field("", max_length=200)
    action: str = Field("", max_length=100, description="Such as `entry.edit`, or `entry.` for all about entries.")
    subject: str = Field("", max_length=100)
    subject_id: str = Field("", max_length=200)
    since: float | None = Field(None, ge=0, le=1e11, description="Seconds since the epoch.")
    until: float | None = Field(None, ge=0, le=1e11, description="The first moment that is too late.")


class WholeAuditQuery(AuditQuery):
    """Which rows, of any site."""

    site: str = Field("", max_length=63)


@operation("GET", "/sites/{site}/audit", "audit.read", query=AuditQuery, answer=PageOf[AuditRow])
def list_site_audit(call: Call) -> Answer:
    """List what was done on a site, the newest first."""
    return _page(call, call.site)


@operation("GET", "/audit", "audit.read_all", query=WholeAuditQuery, answer=PageOf[AuditRow])
def list_audit(call: Call) -> Answer:
    """List what was done anywhere, the newest first."""
    return _page(call, call.query.site)


def _page(call: Call, site: str) -> Answer:
    asked: AuditQuery = call.query
    wanted = AuditFilter(
        site=site, actor=asked.actor, action=asked.action, subject=asked.subject, subject_id=asked.subject_id,
        since=asked.since, until=asked.until,
    )  # fmt: skip
    return Answer(audit.list_audit(wanted, size=asked.size, after=asked.after, with_total=asked.total))
