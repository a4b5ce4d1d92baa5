"""The verbs for jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final, Protocol

from appliance import db
from appliance.config import Config
from appliance.queue import administration as queue
from appliance.queue.administration import Acted, JobDetails, JobFilter, JobRow
from appliance.queue.models import State
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation

#: More jobs than there are.
UNLIMITED: Final = 2**31 - 1


class JobVerbs(Protocol):
    """The verbs."""

    def read(self, wanted: JobFilter, order: str, limit: int) -> tuple[Sequence[JobRow], Mapping[State, int], float]:
        """Return the first jobs that match, how many do by state, and the time of the database."""

    def show(self, ids: Sequence[int]) -> tuple[list[JobDetails], float]:
        """Return the jobs of these ids that there are, and the time of the database."""

    def known(self, ids: Collection[int]) -> set[int]:
        """Return those of these ids that are of jobs."""

    def retry(self, wanted: JobFilter, *, dry_run: bool) -> Acted:
        """Retry failed jobs from the beginning."""

    def delete(self, wanted: JobFilter, *, dry_run: bool) -> Acted:
        """Cancel pending or failed jobs."""

    def prioritise(self, wanted: JobFilter, priority: int, *, dry_run: bool) -> Acted:
        """Change the priority of pending jobs."""


@contextmanager
def open_jobs() -> Iterator[JobVerbs]:
    """Open the verbs for jobs, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.jobs import RemoteJobs

        with connect(address) as connection:
            yield RemoteJobs(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalJobs(config)


class _LocalJobs:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def read(self, wanted: JobFilter, order: str, limit: int) -> tuple[Sequence[JobRow], Mapping[State, int], float]:
        with db.snapshot():
            return queue.find(wanted, order, limit), queue.count(wanted), db.now()

    def show(self, ids: Sequence[int]) -> tuple[list[JobDetails], float]:
        return [details for job in ids if (details := queue.show(job))], db.now()

    def known(self, ids: Collection[int]) -> set[int]:
        return {job.id for job in queue.find(JobFilter(ids=list(ids)), limit=UNLIMITED)}

    def retry(self, wanted: JobFilter, *, dry_run: bool) -> Acted:
        return _run(lambda: queue.retry(wanted), dry_run)

    def delete(self, wanted: JobFilter, *, dry_run: bool) -> Acted:
        return _run(lambda: queue.delete(wanted), dry_run)

    def prioritise(self, wanted: JobFilter, priority: int, *, dry_run: bool) -> Acted:
        return _run(lambda: queue.prioritise(wanted, priority, ageing=self._config.queue.ageing), dry_run)


def _run(act: Callable[[], Acted], dry_run: bool) -> Acted:
    """Run an action; in a dry run, roll it back."""
    with db.write(rollback=True) if dry_run else nullcontext():
        return act()
