"""Jobs of an installation elsewhere: seen and acted on by its API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from appliance.api_client.answers import decode, decode_page
from appliance.api_client.connection import Connection
from appliance.paging import Page, all_rows
from appliance.queue.administration import Acted, JobDetails, JobFilter, JobRow
from appliance.queue.models import STATES, State

#: Rows of a page.
_MANY: Final = 500


class RemoteJobs:
    """The verbs for jobs: those of the sites on which the user may use them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, wanted: JobFilter, order: str, limit: int) -> tuple[Sequence[JobRow], Mapping[State, int], float]:
        """Return the first jobs that match, how many do by state, and the time of the database."""
        query = _query(wanted)
        rows = self._find(query, order, limit)
        counts = self._connection.get("/jobs/counts", **query)
        numbers = counts["states"]
        return rows, Counter({state: numbers[state] for state in STATES if state in numbers}), float(counts["now"])

    def show(self, ids: Sequence[int]) -> tuple[list[JobDetails], float]:
        """Return the jobs of these ids that there are, and the time of the database."""
        found = self._connection.get("/jobs/details", id=list(ids))
        return [decode(JobDetails, {**row, "job": row}) for row in found["rows"]], float(found["now"])

    def known(self, ids: Collection[int]) -> set[int]:
        """Return those of these ids that are of jobs."""
        return {job.id for job in self._find({"id": list(ids)}, "id", len(ids))} if ids else set()

    def retry(self, wanted: JobFilter, *, dry_run: bool) -> Acted:
        """Retry failed jobs from the beginning."""
        return self._act("retry", wanted, dry_run)

    def delete(self, wanted: JobFilter, *, dry_run: bool) -> Acted:
        """Cancel pending or failed jobs."""
        return self._act("delete", wanted, dry_run)

    def prioritise(self, wanted: JobFilter, priority: int, *, dry_run: bool) -> Acted:
        """Change the priority of pending jobs."""
        return self._act("prioritise", wanted, dry_run, priority=priority)

    def _find(self, query: Mapping[str, Any], order: str, limit: int) -> list[JobRow]:
        size = max(1, min(limit, _MANY))

        def read(after: str | None) -> Page[JobRow]:
            return decode_page(JobRow, self._connection.get("/jobs", **query, order=order, size=size, after=after))

        return list(islice(all_rows(read), limit))

    def _act(self, verb: str, wanted: JobFilter, dry_run: bool, **values: int) -> Acted:
        body = {"filter": _query(wanted), "dry_run": dry_run, **values}
        done = self._connection.post(f"/jobs/{verb}", body).value
        return Counter({(row["before"], row["after"]): row["number"] for row in done["jobs"]})


def _query(wanted: JobFilter) -> dict[str, Any]:
    """A filter that the options of commands form, as the API takes it."""
    keys = {test.how: test.text for test in wanted.keys}
    given = {
        "id": list(wanted.ids or ()), "state": list(wanted.states), "kind": list(wanted.kinds),
        "site": list(wanted.scopes), "worker": list(wanted.workers), "key_like": keys.get("glob"),
        "key_without": keys.get("not"), "error": "".join(test.text for test in wanted.errors),
        "priority_from": wanted.priority_from, "priority_to": wanted.priority_to, "older": wanted.older,
        "within": wanted.within,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value not in (None, "", [])}
