"""Targets, processes, periodic tasks and the status of an installation elsewhere: seen and acted on by its API."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from appliance.api_client.answers import decode, decode_rows
from appliance.api_client.connection import Connection
from appliance.delivery.target_state import TargetState
from appliance.errors import ApiError
from appliance.queue.periodic import TaskRun, TaskState
from appliance.queue.periodic_history import RunRow
from appliance.queue.processes import ProcessRequest, ProcessRow
from appliance.status import Status

_METRICS: Final = "--metrics is for a publishing host; the admin application serves the metrics at /metrics."


class RemoteTargets:
    """The verbs for targets."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read_all(self) -> tuple[list[TargetState], float]:
        """Return the states of the targets, and the time of the database."""
        found = self._connection.get("/targets")
        return decode_rows(TargetState, found), float(found["now"])

    def pause(self, name: str) -> None:
        """Send nothing to a target until it is resumed."""
        self._connection.post(f"/targets/{quote(name, safe='')}/pause")

    def resume(self, name: str) -> None:
        """Resume a paused target."""
        self._connection.post(f"/targets/{quote(name, safe='')}/resume")

    def resync(self, name: str, *, allow_removals: bool) -> None:
        """Have everything sent to a target again."""
        self._connection.post(f"/targets/{quote(name, safe='')}/resync", {"allow_removals": allow_removals})


class RemoteProcesses:
    """The verbs for processes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_processes(self) -> tuple[Sequence[ProcessRow], float]:
        """Return the processes of all hosts, and the time of the database."""
        found = self._connection.get("/processes")
        rows = [decode(ProcessRow, {**row, "keeper": row["supervisor"]}) for row in found["rows"]]
        return rows, float(found["now"])

    def request(self, name: str, request: ProcessRequest) -> None:
        """Ask a process to pause, to resume or to recycle."""
        self._connection.post(f"/processes/{quote(name, safe='')}", {"request": request})


class RemotePeriodicTasks:
    """The verbs for periodic tasks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_tasks(self) -> tuple[Sequence[TaskState], str]:
        """Return the state of each task, and the time zone of the schedule."""
        found = self._connection.get("/periodic")
        return decode_rows(TaskState, found), str(found["timezone"])

    def request_run(self, name: str) -> None:
        """Have whichever host is first run a task now."""
        self._connection.post("/periodic/run", {"name": name})

    def runs_of(self, name: str) -> tuple[list[RunRow], str]:
        """Return the last runs of a task, the newest first, and the time zone of the schedule."""
        rows = decode_rows(RunRow, self._connection.get("/periodic/runs", name=name))
        return rows, str(self._connection.get("/periodic")["timezone"])

    def run_due(self) -> list[TaskRun]:
        """Refuse to run what is due: a host does that.

        Raises:
            ApiError: always.
        """
        raise ApiError("periodic: what is due runs on a publishing host by itself; give --list, or --run with a task.")


class RemoteStatus:
    """The verbs for the status. Whether a shared docroot is there is known on its publishing hosts alone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self) -> Status:
        """Return how the installation is."""
        found = self._connection.get("/status")
        failed = [(row["kind"], row["key"], row["error"]) for row in found["failed"]]
        return decode(Status, {**found, "failed": failed})

    def find_fault(self) -> str | None:
        """Return nothing, since nobody here can tell."""
        return None

    def render_metrics(self) -> bytes:
        """Refuse to read the metrics, which their own address serves.

        Raises:
            ApiError: always.
        """
        raise ApiError(f"status: {_METRICS}")

    def write_metrics(self, file: Path) -> None:
        """Refuse to write the metrics. Errors as `render_metrics`."""
        raise ApiError(f"{file}: {_METRICS}")
