"""The verbs for the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol
from zoneinfo import ZoneInfo

from appliance import audit
from appliance.audit import AuditFilter, AuditRow
from appliance.config import Config
from appliance.paging import Page
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class AuditVerbs(Protocol):
    """The verbs. Dates are by the clock of the schedule, and empty for no limit."""

    @property
    def timezone(self) -> str:
        """The time zone of the schedule, once anything was read."""

    def list_audit(
        self, wanted: AuditFilter, since: str, until: str, *, size: int, after: str | None
    ) -> Page[AuditRow]:
        """Read a page of the rows that match, the newest first."""

    def all_rows(self, wanted: AuditFilter, since: str, until: str) -> Iterator[AuditRow]:
        """Yield the rows that match, the oldest first."""

    def find_row(self, number: int) -> AuditRow | None:
        """Return the row with this number, if there is one."""


@contextmanager
def open_audit() -> Iterator[AuditVerbs]:
    """Open the verbs for the audit, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.audit import RemoteAudit
        from appliance.api_client.connection import connect

        with connect(address) as connection:
            yield RemoteAudit(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalAudit(config)


class _LocalAudit:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self.timezone = config.schedule.timezone
        self.find_row = audit.find_row

    def list_audit(
        self, wanted: AuditFilter, since: str, until: str, *, size: int, after: str | None
    ) -> Page[AuditRow]:
        return audit.list_audit(self._dated(wanted, since, until), size=size, after=after, with_total=False)

    def all_rows(self, wanted: AuditFilter, since: str, until: str) -> Iterator[AuditRow]:
        return audit.all_rows(self._dated(wanted, since, until))

    def _dated(self, wanted: AuditFilter, since: str, until: str) -> AuditFilter:
        return replace(wanted, since=self._moment(since), until=self._moment(until))

    def _moment(self, text: str) -> float | None:
        if not text:
            return None
        from appliance.editorial.dates import parse_local  # imports all of editing

        return parse_local(ZoneInfo(self.timezone), text)
