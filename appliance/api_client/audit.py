"""The audit of an installation elsewhere: of all of it or, for those who may see no more, of their sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from appliance.api_client.answers import decode, decode_page
from appliance.api_client.connection import Connection
from appliance.audit import AuditFilter, AuditRow
from appliance.errors import ApiRefused
from appliance.paging import Page, all_rows

#: Rows of a page of an export.
_MANY: Final = 500


class RemoteAudit:
    """The verbs for the audit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        #: The time zone of the schedule there, once anything was read.
        self.timezone = "UTC"

    def list_audit(
        self, wanted: AuditFilter, since: str, until: str, *, size: int, after: str | None
    ) -> Page[AuditRow]:
        """Read a page of the rows that match, the newest first."""
        return self._page(wanted, since_date=since, until_date=until, size=size, after=after)

    def all_rows(self, wanted: AuditFilter, since: str, until: str) -> Iterator[AuditRow]:
        """Yield the rows that match, the oldest first."""
        return all_rows(
            lambda after: self._page(
                wanted, since_date=since, until_date=until, size=_MANY, after=after, order="oldest"
            )
        )

    def find_row(self, number: int) -> AuditRow | None:
        """Return the row with this number, if there is one that the user may see."""
        if number < 1:
            return None
        refused: list[ApiRefused] = []
        for place in self._places():
            try:
                return self._row(place, number)
            except ApiRefused as error:
                if error.status == 404 and not place:  # whoever may see all rows need not look at those of sites
                    return None
                if error.status not in (403, 404):
                    raise
                refused.append(error)
        if all(error.status == 403 for error in refused):
            raise refused[0]
        return None

    def _places(self) -> Iterator[str]:
        """Where rows are: all of them or, for those who may see no more, those of each site."""
        yield ""
        yield from (f"/sites/{site['name']}" for site in self._connection.get("/sites")["rows"])

    def _row(self, place: str, number: int) -> AuditRow:
        found = self._connection.get(f"{place}/audit/{number}")
        self.timezone = str(found["timezone"])
        return decode(AuditRow, found)

    def _page(self, wanted: AuditFilter, **query: Any) -> Page[AuditRow]:
        given = {**asdict(wanted), **query}
        try:
            found = self._connection.get("/audit", **given)
        except ApiRefused as error:
            if not wanted.site or error.status != 403:
                raise
            found = self._connection.get(f"/sites/{wanted.site}/audit", **{**given, "site": None})
        self.timezone = str(found["timezone"])
        return decode_page(AuditRow, found)
