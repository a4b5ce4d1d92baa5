"""The verbs for processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from appliance import db
from appliance.queue import processes
from appliance.queue.processes import ProcessRequest, ProcessRow
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class ProcessVerbs(Protocol):
    """The verbs."""

    def list_processes(self) -> tuple[Sequence[ProcessRow], float]:
        """Return the processes of all hosts, and the time of the database."""

    def request(self, name: str, request: ProcessRequest) -> None:
        """Ask a process to pause, to resume or to recycle."""


@contextmanager
def open_processes() -> Iterator[ProcessVerbs]:
    """Open the verbs for processes, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.machinery import RemoteProcesses

        with connect(address) as connection:
            yield RemoteProcesses(connection)
    else:
        with open_installation():
            yield _LocalProcesses()


class _LocalProcesses:
    """The verbs on this host."""

    def list_processes(self) -> tuple[Sequence[ProcessRow], float]:
        return processes.list_processes(), db.now()

    def request(self, name: str, request: ProcessRequest) -> None:
        processes.request(name, request)
