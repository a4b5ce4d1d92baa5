"""The processes of all hosts, as rows with heartbeats. A row holds the activity of its process and an open request.

A process deletes its row when it ends. If a process dies, its row is deleted after `DEAD_AFTER` seconds. A request
(pause, resume, recycle) reaches its process with the next heartbeat, or at once if the process is waiting for work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from appliance import audit, clock, db
from appliance.db import NOW
from appliance.errors import QueueError
from appliance.queue.future_times import SLACK

ProcessRequest = Literal["pause", "resume", "recycle"]

#: Seconds between two heartbeats, and seconds without one after which a process counts as dead.
HEARTBEAT_INTERVAL: Final = 3.0
DEAD_AFTER: Final = 30.0

#: The role of processes that know no database. Intakes list them.
WEB: Final = "web"
#: The role of workers of the admin application.
ADMIN: Final = "admin"
#: The roles of processes that answer requests, and cannot pause.
ANSWERING: Final = (WEB, ADMIN)

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process. The fields are the columns of the table; times are seconds since the epoch on the database's clock."""

    #: Host and process id: `pub1:4711`.
    name: str
    host: str
    pid: int
    role: str
    #: The name of its supervisor; empty for a supervisor.
    keeper: str
    doing: str
    #: Bytes.
    memory: int
    jobs: int
    started_at: float
    beat_at: float
    #: 'pause' or 'recycle' while such a request is open.
    request: str | None


def process_name(host: str, pid: int) -> str:
    """The name of a process: `host:pid`."""
    return f"{host}:{pid}"


def resident_memory() -> int:
    """The resident memory of this process, in bytes."""
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - called often, and faster than pathlib
        return int(statm.read().split()[1]) * _PAGE


_ENTER = f"""
INSERT INTO process (name, host, pid, role, keeper, doing, memory, jobs, started_at, beat_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, {NOW} - ?, {NOW})
ON CONFLICT (name) DO UPDATE SET role = excluded.role, keeper = excluded.keeper, doing = excluded.doing,
    memory = excluded.memory, jobs = excluded.jobs, started_at = excluded.started_at, beat_at = excluded.beat_at,
    request = NULL
"""
_BEAT = f"""
UPDATE process SET doing = ?, memory = ?, jobs = ?, beat_at = {NOW} WHERE name = ? RETURNING request
"""


class RegisteredProcess:
    """The row of this process, or of another one of this host that knows no database."""

    def __init__(self, role: str, host: str, keeper: str = "", *, pid: int = 0) -> None:
        self.role = role
        self.host = host
        self.supervisor = keeper
        self.pid = pid or os.getpid()
        self.name = process_name(host, self.pid)
        self.activity = "starting"
        #: Jobs that ended since the process started.
        self.jobs_done = 0
        #: Bytes; None for the memory of this process.
        self.memory: int | None = None
        self._request: str | None = None
        self._beaten = float("-inf")

    @property
    def is_paused(self) -> bool:
        """Whether this process or its supervisor was asked to pause."""
        return self._request == "pause"

    @property
    def should_recycle(self) -> bool:
        """Whether this process was asked to end so that a fresh one can replace it."""
        return self._request == "recycle"

    def register(self, age: float = 0.0) -> None:
        """Insert the row of a process that started `age` seconds ago."""
        with db.write():
            row = [
                self.name,
                self.host,
                self.pid,
                self.role,
                self.supervisor,
                self.activity,
                self._memory_used(),
                self.jobs_done,
                age,
            ]
            db.execute(_ENTER, row)
        self._beaten = clock.monotonic()

    def heartbeat(self) -> None:
        """Update the row and read the open request, at most once in `HEARTBEAT_INTERVAL`."""
        if clock.monotonic() - self._beaten < HEARTBEAT_INTERVAL:
            return
        with db.write():
            known = db.execute(_BEAT, [self.activity, self._memory_used(), self.jobs_done, self.name]).fetchone()
            if known is None:  # the row was pruned, since there was no heartbeat for too long
                self.register()
        self._beaten = clock.monotonic()
        self.refresh_request()

    def refresh_request(self) -> None:
        """Read the open request now."""
        asked = dict(db.execute("SELECT name, request FROM process WHERE name IN (?, ?)", [self.name, self.supervisor]))
        paused = "pause" if asked.get(self.supervisor) == "pause" else None  # supervisors recycle their processes
        self._request = asked.get(self.name) or paused

    def clear_request(self) -> None:
        """Clear the request after it was carried out."""
        with db.write():
            db.execute("UPDATE process SET request = NULL WHERE name = ?", [self.name])
        self._request = None

    def deregister(self) -> None:
        """Delete the row."""
        deregister(self.name)

    def _memory_used(self) -> int:
        return resident_memory() if self.memory is None else self.memory


def request(name: str, request: ProcessRequest) -> None:
    """Ask a process to pause, to resume or to recycle. A supervisor passes the request on to its processes.

    Raises:
        QueueError: no process has that name, or it cannot do that.
    """
    with db.write():
        if request == "pause":
            _refuse_to_pause(name)
        wanted = None if request == "resume" else request
        known = db.execute(f"SELECT role, request FROM process WHERE name = ? {db.for_update()}", [name]).fetchone()
        found = db.execute("UPDATE process SET request = ? WHERE name = ? RETURNING name", [wanted, name]).fetchone()
        if found is None:
            raise QueueError(f"there is no process “{name}”; processes.list names them")
        role, before = known
        after = {"role": role, "request": request}
        audit.record("process.act", "process", name, label=name, before={"request": before}, after=after)
        db.notify()


def names_to_ask(request: ProcessRequest, rows: Iterable[ProcessRow]) -> list[str]:
    """Return which of some processes to ask so that a request reaches all of them that can do it.

    A supervisor that is asked to recycle replaces its processes one by one instead of all at once.
    """
    chosen = [row for row in rows if request != "recycle" or not row.keeper]
    return [row.name for row in chosen if request != "pause" or row.role not in ANSWERING]


def _refuse_to_pause(name: str) -> None:
    found = db.execute("SELECT role FROM process WHERE name = ? AND role IN (?, ?)", [name, *ANSWERING]).fetchone()
    if found:
        instead = "; pause the intake instead" if found[0] == WEB else ""
        raise QueueError(f"{name} is a web process, which answers as long as it runs{instead}")


def list_processes() -> Sequence[ProcessRow]:
    """All processes by host, each supervisor before its processes."""
    rows = db.execute(
        """SELECT name, host, pid, role, keeper, doing, memory, jobs, started_at, beat_at, request FROM process
           ORDER BY host, CASE WHEN keeper = '' THEN name ELSE keeper END, keeper <> '', pid"""
    )
    return [ProcessRow(*row) for row in rows.fetchall()]


def deregister(name: str) -> None:
    """Delete the row of a process that has ended."""
    with db.write():
        db.execute("DELETE FROM process WHERE name = ?", [name])


def prune(silent: float = DEAD_AFTER) -> None:
    """Delete the rows of processes without a heartbeat for `silent` seconds."""
    # A heartbeat in the future was written while the clock ran ahead. It counts as a heartbeat of now.
    ahead = f"beat_at > {NOW} + {SLACK}"
    if db.execute(f"SELECT 1 FROM process WHERE {ahead}").fetchone():
        with db.write():
            db.execute(f"UPDATE process SET beat_at = {NOW} WHERE {ahead}")
    if db.execute(f"SELECT 1 FROM process WHERE beat_at < {NOW} - ?", [silent]).fetchone():
        with db.write():
            db.execute(f"DELETE FROM process WHERE beat_at < {NOW} - ?", [silent])
