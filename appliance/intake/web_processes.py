"""The web processes of this host in the list of processes: the intake keeps their rows, since they know no database.

Guarantees that a web process can write no row but its own: the kernel says which process sent a report.
"""

from __future__ import annotations

import threading
from typing import Final

from appliance.intake.messages import ProcessAnswer, ProcessReport
from appliance.queue import processes
from appliance.queue.processes import RegisteredProcess

#: Processes that are remembered.
_MOST: Final = 16


class WebProcesses:
    """The rows of the web processes that report to one intake."""

    def __init__(self, host: str, supervisor: str) -> None:
        self._host = host
        self._supervisor = supervisor
        self._lock = threading.Lock()
        #: The runs that report, and their rows, by process id; the one that reported last is last.
        self._known: dict[int, tuple[str, RegisteredProcess]] = {}

    def note(self, report: ProcessReport, pid: int) -> ProcessAnswer:
        """Update the row of a web process, and say what it is asked to do."""
        with self._lock:
            run, row = self._known.pop(pid, ("", None))
            is_new = row is None or run != report.run
            if row is None or is_new:
                keeper = self._supervisor if report.with_work else ""
                row = RegisteredProcess(processes.WEB, self._host, keeper, pid=pid)
            row.activity = f"answering readers, {report.workers} worker{'' if report.workers == 1 else 's'}"
            row.memory, row.jobs_done = report.memory, report.requests
            if is_new:
                # What an earlier run was asked to do has been done. A fresh intake does not make the process younger.
                row.register(report.age)
            else:
                row.heartbeat()
            self._known[pid] = report.run, row
            while len(self._known) > _MOST:
                del self._known[next(iter(self._known))]
            row.refresh_request()
            return ProcessAnswer(recycle=row.should_recycle)
