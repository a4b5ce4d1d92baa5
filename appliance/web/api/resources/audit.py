"""The audit: who did what, on a site or on the whole installation."""

from __future__ import annotations

from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from appliance import audit
from appliance.audit import AuditFilter
from appliance.editorial.dates import parse_local
from appliance.web.api.fields import Moment, PageOf, PageQuery, Shown
from appliance.web.api.operations import Answer, Call, operation
from appliance.web.api.problems import NotThere

_ZONE = "The time zone of the schedule, in which commands show and take times."


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


class AuditPage(PageOf[AuditRow]):
    """A page of the audit."""

    timezone: str = Field(description=_ZONE)


class OneAuditRow(AuditRow):
    """A row of the audit."""

    timezone: str = Field(description=_ZONE)


class AuditQuery(PageQuery):
    """Which rows."""

    actor: str = Field("", max_length=200)
    action: str = Field("", max_length=100, description="Such as `entry.edit`, or `entry.` for all about entries.")
    subject: str = Field("", max_length=100)
    subject_id: str = Field("", max_length=200)
    via: str = Field("", max_length=20, description="How it came in, such as `shell`, `browser` or `api`.")
    since: float | None = Field(None, ge=0, le=1e11, description="Seconds since the epoch.")
    until: float | None = Field(None, ge=0, le=1e11, description="The first moment that is too late.")
    since_date: Moment = Field("", description="A date in place of `since`, by the clock of the schedule.")
    until_date: Moment = Field("", description="A date in place of `until`, by the clock of the schedule.")
    order: Literal["newest", "oldest"] = Field("newest", description="`oldest` is by number, as an export has it.")


class WholeAuditQuery(AuditQuery):
    """Which rows, of any site."""

    site: str = Field("", max_length=63)


@operation("GET", "/sites/{site}/audit", "audit.read", query=AuditQuery, answer=AuditPage)
def list_site_audit(call: Call) -> Answer:
    """List what was done on a site."""
    return _page(call, call.site)


@operation("GET", "/audit", "audit.read_all", query=WholeAuditQuery, answer=AuditPage)
def list_audit(call: Call) -> Answer:
    """List what was done anywhere."""
    return _page(call, call.query.site)


@operation("GET", "/sites/{site}/audit/{row}", "audit.read", answer=OneAuditRow)
def read_site_audit_row(call: Call) -> Answer:
    """Return something that was done on a site, by the number of its row."""
    return _row(call, call.site)


@operation("GET", "/audit/{row}", "audit.read_all", answer=OneAuditRow)
def read_audit_row(call: Call) -> Answer:
    """Return something that was done anywhere, by the number of its row."""
    return _row(call, None)


def _page(call: Call, site: str) -> Answer:
    asked: AuditQuery = call.query
    wanted = AuditFilter(
        site=site, actor=asked.actor, action=asked.action, subject=asked.subject, subject_id=asked.subject_id,
        via=asked.via, since=_moment(call, asked.since_date, asked.since),
        until=_moment(call, asked.until_date, asked.until),
    )  # fmt: skip
    read = audit.list_oldest if asked.order == "oldest" else audit.list_audit
    page = read(wanted, size=asked.size, after=asked.after, with_total=asked.total)
    values = {"rows": page.rows, "next": page.next, "total": page.total, "timezone": call.config.schedule.timezone}
    return Answer(AuditPage.model_validate(values, from_attributes=True))


def _row(call: Call, site: str | None) -> Answer:
    number = call.path["row"]
    row = audit.find_row(number)
    if row is None or site not in (None, row.site):
        raise NotThere(f"The audit has no row {number}.")
    values = AuditRow.model_validate(row).model_dump()
    return Answer({**values, "timezone": call.config.schedule.timezone})


def _moment(call: Call, date: str, seconds: float | None) -> float | None:
    return parse_local(ZoneInfo(call.config.schedule.timezone), date) if date else seconds
