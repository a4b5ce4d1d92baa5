"""Targets and processes of an installation elsewhere: seen and acted on by its API."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from appliance.api_client.answers import decode, decode_rows
from appliance.api_client.connection import Connection
from appliance.delivery.target_state import TargetState
from appliance.queue.processes import ProcessRequest, ProcessRow


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
