"""The verbs for periodic tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from appliance import housekeeping
from appliance.config import Config
from appliance.queue.periodic import TaskRun, TaskState
from appliance.queue.periodic_history import RunRow
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class PeriodicVerbs(Protocol):
    """The verbs."""

    def list_tasks(self) -> tuple[Sequence[TaskState], str]:
        """Return the state of each task, and the time zone of the schedule."""

    def runs_of(self, name: str) -> tuple[list[RunRow], str]:
        """Return the last runs of a task, the newest first, and the time zone of the schedule."""

    def request_run(self, name: str) -> None:
        """Have whichever host is first run a task now."""

    def run_due(self) -> list[TaskRun]:
        """Run what is due, on this host."""


@contextmanager
def open_periodic() -> Iterator[PeriodicVerbs]:
    """Open the verbs for periodic tasks, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.machinery import RemotePeriodicTasks

        with connect(address) as connection:
            yield RemotePeriodicTasks(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalTasks(config)


class _LocalTasks:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._schedule = housekeeping.make_schedule(config)
        self._timezone = config.schedule.timezone
        self.request_run = self._schedule.request_run
        self.run_due = self._schedule.run_due

    def list_tasks(self) -> tuple[Sequence[TaskState], str]:
        return self._schedule.states(), self._timezone

    def runs_of(self, name: str) -> tuple[list[RunRow], str]:
        return housekeeping.make_shown_schedule(self._config).runs_of(name), self._timezone
