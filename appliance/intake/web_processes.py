"""The web processes of this host in the list of processes: the intake keeps their rows, since they know no database.

Guarantees that a web process can write no row but its own: the kernel says which process sent a report.
"""

from __future__ import annotations

import threading

from appliance.intake.messages import ProcessAnswer, ProcessReport
from appliance.queue import processes
from appliance.queue.processes import RegisteredProcess


class WebProcesses:
    """The rows of the web processes that report to one intake."""

    def __init__(self, host: str, supervisor: str) -> None:
        self._host = host
        self._supervisor = supervisor
        self._lock = threading.Lock()
        #: The run that reported last, and its row.
        self._run = ""
        self._row: RegisteredProcess | None = None

    def note(self, report: ProcessReport, pid: int) -> ProcessAnswer:
        """Update the row of a web process, and say what it is asked to do."""
        with self._lock:
            row = self._row
            known = row is not None and row.pid == pid and self._run == report.run
            if row is None or not known:
                row = RegisteredProcess(
                    processes.WEB, self._host, self._supervisor if report.with_work else "", pid=pid
                )
            row.activity = f"answering readers, {report.workers} worker{'' if report.workers == 1 else 's'}"
            row.memory, row.jobs_done = report.memory, report.requests
            if known:
                row.heartbeat()
            else:
                row.register()  # what an earlier run was asked to do has been done
            self._run, self._row = report.run, row
            row.refresh_request()
            return ProcessAnswer(recycle=row.should_recycle)
